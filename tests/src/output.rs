//! What a command printed, and how it ended.

use std::fmt;
use std::process::ExitStatus;
use std::sync::Arc;

use serde_json::Value;

use crate::process::ending;
use crate::sandbox::Sandbox;

/// The result of a command.
///
/// Its [`Display`](fmt::Display) is made for snapshots: standard output, a rule, standard error, the exit status unless it
/// is zero, with everything replaced that differs from run to run. The accessors give the text as it came.
pub struct Output {
    stdout: String,
    stderr: String,
    status: ExitStatus,
    sandbox: Arc<Sandbox>,
}

impl Output {
    pub(crate) fn new(stdout: String, stderr: String, status: ExitStatus, sandbox: Arc<Sandbox>) -> Output {
        Output { stdout, stderr, status, sandbox }
    }

    /// Asserts that the command succeeded.
    #[track_caller]
    pub fn success(self) -> Output {
        assert!(self.status.success(), "the command failed:\n{self}");
        self
    }

    /// Asserts that the command ended with this exit status.
    #[track_caller]
    pub fn fails_with(self, status: i32) -> Output {
        assert_eq!(self.status.code(), Some(status), "the command should end with exit status {status}:\n{self}");
        self
    }

    /// Asserts that the command failed in an orderly way: with one of the documented exit statuses, not by a crash.
    #[track_caller]
    pub fn fails(self) -> Output {
        let orderly = matches!(self.status.code(), Some(1..=5));
        assert!(orderly, "the command should fail with a documented exit status:\n{self}");
        self
    }

    /// Asserts that the output contains `text` on either stream, after redaction.
    #[track_caller]
    pub fn says(self, text: &str) -> Output {
        let whole = self.to_string();
        assert!(whole.contains(text), "the output should say `{text}`:\n{whole}");
        self
    }

    /// Asserts that the output contains `text` on neither stream, after redaction.
    #[track_caller]
    pub fn says_not(self, text: &str) -> Output {
        let whole = self.to_string();
        assert!(!whole.contains(text), "the output should not say `{text}`:\n{whole}");
        self
    }

    /// What standard error shows in a snapshot, with the exit status: the end of a run that failed, without its progress,
    /// where chance decides what comes first.
    pub fn errors(&self) -> String {
        format!("{}[{}]", ordered(&self.sandbox.redact(&self.stderr)), ending(self.status))
    }

    /// How the command ended: `exit status: 1`, `signal: 9`.
    pub fn ending(&self) -> String {
        ending(self.status)
    }

    /// Standard output as it came.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Standard error as it came.
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// The JSON objects of standard output, one a line.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ordered(&self.sandbox.redact(&self.stdout)))?;
        if !self.stderr.is_empty() {
            write!(f, "------- stderr -------\n{}", ordered(&self.sandbox.redact(&self.stderr)))?;
        }
        if self.status.success() { Ok(()) } else { write!(f, "[{}]", ending(self.status)) }
    }
}

/// `text` with neighbouring lines of several servers in the servers' order: which one was faster is chance.
fn ordered(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    for block in lines.chunk_by_mut(|a, b| server(a).is_some() && server(b).is_some()) {
        block.sort_by(|a, b| server(a).cmp(&server(b)));
    }
    lines.concat()
}

/// The server that a line is about: `      deploy@app1 0.12s`.
fn server(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("deploy@")?.split([' ', ':']).next()
}
