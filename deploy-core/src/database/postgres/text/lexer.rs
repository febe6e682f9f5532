//! Where a text of SQL is, as psql reads it: between statements, in a string, in the rows of a table.
//!
//! A dump of somebody else's is handed to psql, which has commands of its own that run programs, write files and go to other
//! databases. Newer ones are told by `\restrict` to take none. For older ones it has to be known where a backslash is
//! a command: what could be read in two ways is told as a doubt, and not loaded there.

/// Follows a text, line by line.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexer {
    place: Place,
    /// Whether a statement has begun.
    begun: bool,
    /// How many statements have ended.
    ended: u64,
    parens: u32,
    /// The word that is being read, in lower case.
    word: Vec<u8>,
    /// Whether it is the first of its statement.
    is_first: bool,
    before: u8,
    line: u64,
    command: Option<String>,
    doubt: Option<String>,
}

/// Where in the text the next byte is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Sql,
    LineComment,
    /// In so many comments, one in the other.
    Comment(u32),
    /// In a name.
    Name,
    /// In a string, in which a backslash takes the next byte's meaning away, or doesn't.
    Quote {
        escapes: bool,
    },
    /// Behind what ends such a string, or begins the quote in it.
    QuoteEnd {
        escapes: bool,
    },
    /// In what may be the beginning of a string between dollars.
    Tag(Vec<u8>),
    /// In a string that this tag ends, and the last bytes of it.
    Dollar(Vec<u8>, Vec<u8>),
    /// In the rows of a table.
    Rows,
}

impl Lexer {
    /// Whether a statement may begin here.
    pub(super) fn is_between(&self) -> bool {
        self.place == Place::Sql && !self.begun && self.word.is_empty()
    }

    /// The first command for psql, with its line.
    pub(super) fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// The first place that could be read in two ways.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// Counts a line that nobody hands on.
    pub(super) fn skip(&mut self) {
        self.line += 1;
    }

    /// Goes through `piece`: a line, or a piece of a long one. `is_start`: a line begins with it.
    pub(super) fn read(&mut self, piece: &[u8], is_start: bool) {
        self.line += u64::from(is_start);
        if self.place == Place::Rows {
            if is_start && without_end(piece) == b"\\." {
                *self = Lexer { place: Place::Sql, begun: false, word: Vec::new(), ..self.clone() };
            }
        } else if is_start && self.begins_rows(piece) {
            self.place = Place::Rows;
        } else {
            piece.iter().for_each(|byte| self.byte(*byte));
        }
    }

    /// Whether a line is one statement, which rows follow.
    fn begins_rows(&self, line: &[u8]) -> bool {
        let text = without_end(line);
        if !self.is_between() || !text.starts_with(b"COPY ") || !text.ends_with(b" FROM stdin;") {
            return false;
        }
        let mut trial = Lexer { parens: 0, ..self.clone() };
        text[..text.len() - 1].iter().for_each(|byte| trial.byte(*byte));
        trial.place == Place::Sql && trial.ended == self.ended && trial.parens == 0 && trial.command == self.command
    }

    fn byte(&mut self, byte: u8) {
        match self.place.clone() {
            Place::Sql => self.sql(byte),
            Place::LineComment if byte == b'\n' || byte == b'\r' => self.place = Place::Sql,
            Place::Comment(depth) => self.comment(depth, byte),
            Place::Name if byte == b'"' => self.place = Place::Sql,
            Place::Quote { escapes } => self.string(escapes, byte),
            Place::QuoteEnd { escapes } if byte == b'\'' => self.go(Place::Quote { escapes }),
            Place::QuoteEnd { .. } => {
                self.go(Place::Sql);
                self.sql(byte);
            }
            Place::Tag(tag) => self.tag(tag, byte),
            Place::Dollar(tag, last) => self.dollar(tag, last, byte),
            Place::LineComment | Place::Name | Place::Rows => {}
        }
    }

    fn go(&mut self, place: Place) {
        self.place = place;
        self.before = 0;
    }

    fn sql(&mut self, byte: u8) {
        if is_word(byte) || byte == b'$' && !self.word.is_empty() {
            if self.word.is_empty() {
                self.is_first = !self.begun;
            }
            self.begun = true;
            self.word.push(byte.to_ascii_lowercase());
            return;
        }
        let word = std::mem::take(&mut self.word);
        self.ends_word(&word);
        let before = std::mem::replace(&mut self.before, byte);
        let had_begun = self.begun;
        self.begun |= !byte.is_ascii_whitespace() && !matches!(byte, b'-' | b'/' | b';');
        match byte {
            b'-' if before == b'-' => self.go(Place::LineComment),
            b'*' if before == b'/' => {
                self.begun = had_begun;
                self.go(Place::Comment(1));
            }
            b'"' => self.go(Place::Name),
            b'\'' => self.go(Place::Quote { escapes: word == b"e" }),
            b'$' => self.go(Place::Tag(Vec::new())),
            b'(' => self.parens += 1,
            b')' => self.parens = self.parens.saturating_sub(1),
            b';' if self.parens == 0 => {
                self.begun = false;
                self.ended += 1;
            }
            b'\\' if self.command.is_none() => {
                self.command = Some(format!("line {} has a command for psql", self.line))
            }
            _ => {}
        }
    }

    fn ends_word(&mut self, word: &[u8]) {
        match word {
            b"copy" if self.is_first => self.doubts("a COPY that is not as pg_dump writes it"),
            b"atomic" => self.doubts("the body of a function of the new kind"),
            _ => {}
        }
    }

    fn doubts(&mut self, what: &str) {
        if self.doubt.is_none() {
            self.doubt = Some(format!("line {}: {what}", self.line));
        }
    }

    fn comment(&mut self, depth: u32, byte: u8) {
        match (std::mem::replace(&mut self.before, byte), byte) {
            (b'/', b'*') => self.go(Place::Comment(depth + 1)),
            (b'*', b'/') if depth == 1 => self.go(Place::Sql),
            (b'*', b'/') => self.go(Place::Comment(depth - 1)),
            _ => {}
        }
    }

    fn string(&mut self, escapes: bool, byte: u8) {
        let before = std::mem::replace(&mut self.before, byte);
        match byte {
            b'\'' if escapes && before == b'\\' => {}
            b'\'' => {
                if before == b'\\' {
                    // What it means is a matter of standard_conforming_strings.
                    self.doubts("a backslash before the end of a string");
                }
                self.go(Place::QuoteEnd { escapes });
            }
            b'\\' if escapes && before == b'\\' => self.before = 0,
            _ => {}
        }
    }

    fn tag(&mut self, mut tag: Vec<u8>, byte: u8) {
        if byte == b'$' {
            self.go(Place::Dollar(tag, Vec::new()));
        } else if is_word(byte) && !(tag.is_empty() && byte.is_ascii_digit()) {
            tag.push(byte);
            self.place = Place::Tag(tag);
        } else {
            self.go(Place::Sql);
            tag.into_iter().chain([byte]).for_each(|byte| self.sql(byte));
        }
    }

    fn dollar(&mut self, tag: Vec<u8>, mut last: Vec<u8>, byte: u8) {
        last.push(byte);
        let end = [b"$", &*tag, b"$"].concat();
        if last.ends_with(&end) {
            return self.go(Place::Sql);
        }
        last.drain(..last.len().saturating_sub(end.len()));
        self.place = Place::Dollar(tag, last);
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// A line without what ends it.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Lexer {
        let mut lexer = Lexer::default();
        text.split_inclusive('\n').for_each(|line| lexer.read(line.as_bytes(), true));
        lexer
    }

    #[test]
    fn commands_for_psql_are_found_wherever_they_stand() {
        for text in [
            "\\! true\n",
            "SELECT 1 \\gset\n",
            "SELECT a$x$ \\! true\n",
            "SELECT 'it''s' \\! true\n",
            "SELECT E'it\\'s' \\! true\n",
            "SELECT '\\' \\! true\n",
            "/* /* */ ' */ \\! true\n",
            "-- '\n\\! true\n",
            "SELECT $e'\\'', 1 \\! true\n",
            "SELECT $1, $x $y$ $y$ \\! true\n",
            "COPY a FROM stdin;\n\\.\n\\! true\n",
            "COPY a FROM stdin;\n\\. \n\\.\n\\connect x\n",
            "SELECT 1 AS\nCOPY FROM stdin;\n\\! true\n",
            "COPY a FROM 'f'; SELECT FROM stdin;\n\\! true\n",
            "SELECT (1;\nCOPY a FROM stdin;\n\\! true\n",
            "SELECT \"a\" \\! true\n",
            "DO $$ $x$ $$ \\! true\n",
        ] {
            assert!(read(text).command().is_some(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_command_is_none() {
        for text in [
            "COPY public.a (x, \"y;\") FROM stdin;\n\\N\t\\\\!\n\\.\nSELECT 1;\n",
            "COMMENT ON TABLE a IS '\\! true';\n",
            "CREATE FUNCTION f() AS $_$\n\\! true $$\n$_$ LANGUAGE sql;\n",
            "SELECT E'\\\\', '\\d+';\n-- \\! true\n/* \\! true */\n",
            "SELECT \"\\!\";\n",
        ] {
            let lexer = read(text);
            assert_eq!((lexer.command(), lexer.doubt()), (None, None), "{text}");
            assert!(lexer.is_between(), "{text}: {lexer:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_a_doubt() {
        for text in [
            "SELECT 'C:\\';\n",
            "copy a from stdin;\n\\.\n",
            "COPY a\nFROM stdin;\n",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;\n",
            "SELECT E'a'\n'b\\'c';\n",
        ] {
            assert!(read(text).doubt().is_some(), "{text}");
        }
    }

    #[test]
    fn pieces_of_long_lines_are_read_as_one() {
        let text = "SELECT $tag$ ' $tag$, 'x'; SELECT E'\\'' \\! true\n";
        for at in 1..text.len() - 1 {
            let mut lexer = Lexer::default();
            lexer.read(&text.as_bytes()[..at], true);
            lexer.read(&text.as_bytes()[at..], false);
            assert!(lexer.command().is_some() && lexer.doubt().is_none(), "at {at}");
        }
    }
}
