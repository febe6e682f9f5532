//! Dumps as SQL: whether they are complete, and what of them is loaded.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use self::lexer::Lexer;
use super::rights;
use crate::database::adapter::Right;

mod lexer;

/// What `pg_dump` writes when it has written everything.
const COMPLETE: &[u8] = b"-- PostgreSQL database dump complete";

/// How much of the end is looked at, in bytes: little follows the last line that matters.
const TAIL: usize = 4096;

/// The longest line that is looked at, in bytes. Longer ones are data, or bodies of functions.
const LONGEST: u64 = 16 * 1024;

/// Reads a dump to its end.
///
/// # Errors
///
/// When its last lines aren't there.
pub(super) fn must_be_complete(source: &mut dyn Read) -> io::Result<()> {
    let mut tail: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        tail.extend_from_slice(&buffer[..read]);
        tail.drain(..tail.len().saturating_sub(TAIL));
    }
    if tail.windows(COMPLETE.len()).any(|window| window == COMPLETE) {
        Ok(())
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

/// A dump as SQL, without what names roles, reaches out to other servers, or ends the transaction that it is loaded in. One
/// that has commands for psql can't be read to its end.
pub(super) struct WithoutRoles<R> {
    source: BufReader<R>,
    lexer: Lexer,
    /// What was read and is yet to be handed out.
    line: Vec<u8>,
    handed: usize,
    /// The rest of a line that is too long to be looked at.
    in_long_line: bool,
    /// What was left out and says who may use something, or owns it.
    pub(super) rights: Vec<Right>,
}

impl<R: Read> WithoutRoles<R> {
    /// What of `source` is loaded.
    pub(super) fn new(source: R) -> WithoutRoles<R> {
        let source = BufReader::with_capacity(64 * 1024, source);
        WithoutRoles {
            source,
            lexer: Lexer::default(),
            line: Vec::new(),
            handed: 0,
            in_long_line: false,
            rights: Vec::new(),
        }
    }

    /// What of it an older psql could read in another way than we do.
    pub(super) fn doubt(&self) -> Option<&str> {
        self.lexer.doubt()
    }

    /// Reads lines until one is to be handed out. False at the end.
    fn next_line(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            self.handed = 0;
            self.source.by_ref().take(LONGEST).read_until(b'\n', &mut self.line)?;
            if self.line.is_empty() {
                return Ok(false);
            }
            let (is_start, is_whole) = (!self.in_long_line, self.line.ends_with(b"\n"));
            self.in_long_line = !is_whole;
            if is_start && is_whole && self.lexer.is_between() && stays_out(&self.line) {
                self.lexer.skip();
                self.rights.extend(std::str::from_utf8(&self.line).ok().and_then(rights::of_line));
                continue;
            }
            self.lexer.read(&self.line, is_start);
            return match self.lexer.command() {
                None => Ok(true),
                Some(command) => Err(io::Error::new(ErrorKind::Unsupported, command.to_owned())),
            };
        }
    }
}

impl<R: Read> Read for WithoutRoles<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed == self.line.len() && !self.next_line()? {
            return Ok(0);
        }
        let rest = &self.line[self.handed..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.handed += count;
        Ok(count)
    }
}

/// Whether a statement of one line says who owns something or may use it, talks to other servers, or ends a transaction.
fn stays_out(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let whole = line.ends_with(b";");
    // What pg_dump writes against commands in a dump: it is said anew where the dump is loaded.
    if line.starts_with(b"\\restrict ") || line.starts_with(b"\\unrestrict ") {
        return true;
    }
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| line.starts_with(start));
    let has = |words: &[u8]| line.windows(words.len()).any(|window| window == words);
    whole
        && (line.starts_with(b"ALTER ") && has(b" OWNER TO ")
            || begins(&[
                b"GRANT ",
                b"REVOKE ",
                b"ALTER DEFAULT PRIVILEGES ",
                b"SET SESSION AUTHORIZATION ",
                b"SECURITY LABEL ",
                b"CREATE SUBSCRIPTION ",
                b"ALTER SUBSCRIPTION ",
                b"CREATE PUBLICATION ",
                b"ALTER PUBLICATION ",
                b"CREATE SCHEMA public;",
                b"COMMENT ON SCHEMA public ",
            ])
            // The whole dump is loaded in one transaction, in a session without time-outs; older servers don't know this one.
            || [&b"BEGIN;"[..], b"COMMIT;", b"SET transaction_timeout = 0;"].contains(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(sql: &str) -> String {
        let mut text = String::new();
        WithoutRoles::new(sql.as_bytes()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn statements_that_name_roles_are_left_out() {
        let sql = "CREATE TABLE public.a (x integer);\nALTER TABLE public.a OWNER TO shop;\nGRANT SELECT ON TABLE public.a TO web;\n";
        assert_eq!(loaded(sql), "CREATE TABLE public.a (x integer);\n");
        assert_eq!(loaded("BEGIN;\nSELECT 1;\nCOMMIT;\n"), "SELECT 1;\n");
        assert_eq!(loaded("SET lock_timeout = 0;\nSET transaction_timeout = 0;\n"), "SET lock_timeout = 0;\n");
        assert_eq!(loaded("CREATE SUBSCRIPTION s CONNECTION 'host=prod' PUBLICATION p;\nSELECT 1;\n"), "SELECT 1;\n");
    }

    #[test]
    fn rights_that_are_left_out_are_kept_apart() {
        let sql = "GRANT SELECT ON TABLE a TO web;\nCOPY a FROM stdin;\nGRANT ALL ON b TO x;\n\\.\nSECURITY LABEL ON TABLE a IS 'x';\n";
        let mut text = WithoutRoles::new(sql.as_bytes());
        text.read_to_string(&mut String::new()).unwrap();
        assert_eq!(
            text.rights.iter().map(|right| &*right.sql).collect::<Vec<_>>(),
            ["GRANT SELECT ON TABLE a TO web;"]
        );
    }

    #[test]
    fn rows_functions_and_strings_are_left_as_they_are() {
        for same in [
            "COPY public.a (x) FROM stdin;\nGRANT ALL TO x;\n$$ '\n\\.\nSELECT 1;\n",
            "CREATE FUNCTION f() RETURNS void AS $_$\nALTER TABLE a OWNER TO b;\n$$\nGRANT x TO y;\n$_$ LANGUAGE sql;\n",
            "COMMENT ON TABLE a IS 'one\nGRANT x TO y;\nit''s';\nSELECT 1;\n",
            "-- it's\nSELECT '$x$';\nSELECT 1;\n",
            "COPY a FROM stdin;\nCOMMIT;\n\\.\n",
        ] {
            assert_eq!(loaded(same), same);
        }
    }

    #[test]
    fn after_rows_functions_and_strings_statements_are_looked_at_again() {
        for before in [
            "COPY a FROM stdin;\n\\.\n",
            "DO $x$ SELECT '; $x$;\n",
            "SELECT 'a''b', $$'$$;\n",
            "-- don't\n",
            "CREATE TABLE \"it's\" (\"$x$\" text);\n",
        ] {
            assert_eq!(loaded(&format!("{before}GRANT x TO y;\n")), before);
        }
    }

    #[test]
    fn long_lines_pass_in_pieces() {
        let row = format!("COPY a FROM stdin;\n{}\n\\.\nGRANT x TO y;\nEND", "x".repeat(100_000));
        let text = loaded(&row);
        assert!(text.ends_with("x\n\\.\nEND") && text.len() == row.len() - "GRANT x TO y;\n".len());
    }

    #[test]
    fn commands_for_psql_are_refused_and_those_of_pg_dump_left_out() {
        assert_eq!(loaded("\\restrict abc\nSELECT 1;\n\\unrestrict abc\n"), "SELECT 1;\n");
        let mut refused = WithoutRoles::new(&b"SELECT 1;\n\\connect production\n"[..]);
        let error = refused.read_to_string(&mut String::new()).unwrap_err();
        assert_eq!(error.to_string(), "line 2 has a command for psql");
    }

    #[test]
    fn a_dump_that_was_cut_off_is_found_out() {
        assert!(must_be_complete(&mut &b"x\n--\n-- PostgreSQL database dump complete\n--\n\n"[..]).is_ok());
        assert!(must_be_complete(&mut &b"COPY a FROM stdin;\n1\n"[..]).is_err());
    }
}
