//! Where data begins on a server's standard output. Files such as `~/.bashrc` may print something first, which is none.

use std::borrow::Cow;

/// The most that is read before data begins, in bytes.
const MOST: usize = 1024 * 1024;

/// Looks for the mark that our shell writes before data.
#[derive(Debug)]
pub(crate) struct Beginning {
    mark: Vec<u8>,
    before: Vec<u8>,
    is_found: bool,
}

impl Beginning {
    /// Of the data in a conversation that was opened with the word `hello`.
    pub(crate) fn new(hello: &str) -> Beginning {
        Beginning { mark: format!("\x1e{hello}\n").into_bytes(), before: Vec::new(), is_found: false }
    }

    /// What of the next `bytes` is data; `None` where too much has come without the mark.
    pub(crate) fn pass<'b>(&mut self, bytes: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        if self.is_found {
            return Some(Cow::Borrowed(bytes));
        }
        let from = self.before.len().saturating_sub(self.mark.len());
        self.before.extend_from_slice(bytes);
        let Some(at) = self.before[from..].windows(self.mark.len()).position(|part| part == self.mark) else {
            return (self.before.len() <= MOST).then_some(Cow::Borrowed(&[]));
        };
        let data = self.before.split_off(from + at + self.mark.len());
        self.before.truncate(from + at);
        self.is_found = true;
        Some(Cow::Owned(data))
    }

    /// Whether the mark has come.
    pub(crate) fn is_found(&self) -> bool {
        self.is_found
    }

    /// What came before it.
    pub(crate) fn before(&self) -> &[u8] {
        &self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_begins_behind_the_mark_however_it_comes_in_pieces() {
        let text = b"Welcome!\n\x1ehello\n\x1eword\ndata\x1eword\n";
        for size in 1..=text.len() {
            let mut beginning = Beginning::new("word");
            let data: Vec<u8> =
                text.chunks(size).flat_map(|piece| beginning.pass(piece).unwrap().into_owned()).collect();
            assert_eq!(data, b"data\x1eword\n", "{size}");
            assert_eq!(beginning.before(), b"Welcome!\n\x1ehello\n", "{size}");
        }
    }

    #[test]
    fn without_a_mark_nothing_is_data_and_much_is_an_end() {
        let mut beginning = Beginning::new("word");
        assert!(beginning.pass(b"PGDMP").unwrap().is_empty() && !beginning.is_found());
        assert!(beginning.pass(&vec![b'x'; MOST]).is_none());
    }
}
