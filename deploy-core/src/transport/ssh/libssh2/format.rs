//! The data types of SSH's protocols (RFC 4251, section 5).

use std::ffi::CString;

/// Reads values off the front of a message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { rest: message }
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|byte| byte[0])
    }

    /// A uint32.
    pub(crate) fn number(&mut self) -> Option<u32> {
        self.bytes(4)?.first_chunk().map(|number| u32::from_be_bytes(*number))
    }

    /// A string: its length, then its bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.bytes(length as usize)
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }
}

/// Appends `value` as a string: its length, then its bytes.
pub(crate) fn put(message: &mut Vec<u8>, value: &[u8]) {
    message.extend((value.len() as u32).to_be_bytes());
    message.extend(value);
}

/// The name that a key, certificate or signature begins with: `ssh-ed25519`. Empty if it is garbage.
pub(crate) fn leading_name(blob: &[u8]) -> &str {
    let name = Reader::new(blob).string().unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

/// The user's name for libssh2; one with a NUL in it can't exist, so it is cut there.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_ends_where_libssh2_would_end_it() {
        assert_eq!(c_string("deploy").to_bytes(), b"deploy");
        assert_eq!(c_string("a\0b").to_bytes(), b"a");
    }

    #[test]
    fn strings_come_back_as_they_were_put() {
        let mut message = Vec::new();
        put(&mut message, b"one");
        put(&mut message, b"");
        message.push(7);
        let mut reader = Reader::new(&message);
        assert_eq!(reader.string(), Some(&b"one"[..]));
        assert_eq!(reader.string(), Some(&b""[..]));
        assert_eq!(reader.byte(), Some(7));
        assert_eq!(reader.byte(), None);
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).string(), None);
        assert_eq!(Reader::new(&[0, 0, 0]).string(), None);
        assert_eq!(leading_name(&[0, 0, 0, 9, b'x']), "");
    }
}
