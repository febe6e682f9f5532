//! Running SQL.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use super::release::Release;

/// A role that logs in.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// `name` as an identifier of SQL.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a literal of SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// How psql and its kin get to a database.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) release: Release,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
}

impl Session {
    /// Runs SQL to its end, or to the first error.
    pub(super) fn run(&self, sql: &str) -> Result<String, String> {
        let mut psql = self.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        finish(psql, sql.as_bytes())
    }

    /// A program of PostgreSQL that connects here. The password stands in the environment, as it should.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.release.program(program));
        command.env_clear().env("PGCLIENTENCODING", "UTF8").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command.envs(self.password.as_ref().map(|password| ("PGPASSWORD", password)));
        command.args(["-h", &self.host, "-p", &self.port.to_string(), "-U", &self.user]);
        // As an argument it may look like a connection string.
        command.env("PGDATABASE", &self.database);
        command
    }
}

/// Runs a program that reads `input`, and returns what it wrote without the last line's end.
pub(super) fn finish(mut command: Command, input: &[u8]) -> Result<String, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let output = thread::scope(|scope| {
        // A program that fails closes its end early.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("a child can be waited for")
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() {
        Ok(text(output.stdout).trim_end_matches('\n').to_owned())
    } else {
        Err(text(output.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!((identifier("a\"b'c"), literal("a\"b'c")), ("\"a\"\"b'c\"".into(), "'a\"b''c'".into()));
    }
}
