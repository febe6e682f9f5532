//! The steps of a whole run.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::tally::Tally;

/// A cargo command that checks something.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    command: Command,
    counts_tests: bool,
}

/// Everything; with filters, only the tests that they name.
pub(crate) fn steps(full: bool, filters: &[String]) -> Vec<Step> {
    let tests = tests(full, filters);
    match filters {
        [] => vec![formatting(), lints(), documentation(), tests],
        _ => vec![tests],
    }
}

fn formatting() -> Step {
    Step::check("formatting", &["fmt", "--all", "--check"])
}

fn lints() -> Step {
    Step::check("lints", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

fn documentation() -> Step {
    let mut step = Step::check("documentation", &["doc", "--quiet", "--workspace", "--no-deps"]);
    step.command.env("RUSTDOCFLAGS", "--deny warnings");
    step
}

fn tests(full: bool, filters: &[String]) -> Step {
    let mut step = Step::check("tests", &["test", "--workspace", "--no-fail-fast", "--"]);
    step.command.args(filters);
    // A snapshot that differs fails; it never writes files into a checkout by itself.
    if std::env::var_os("INSTA_UPDATE").is_none() {
        step.command.env("INSTA_UPDATE", "no");
    }
    if full {
        step.command.env(e2e::FULL, "1");
    }
    step.counts_tests = true;
    step
}

impl Step {
    fn check(title: &'static str, arguments: &[&str]) -> Step {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).stdin(Stdio::null());
        Step { title, command, counts_tests: false }
    }

    /// Runs it with its output on the terminal.
    pub(crate) fn run(mut self) -> Tally {
        match self.counts_tests {
            true => count(&mut self.command),
            false => Tally::one(self.command.status().is_ok_and(|status| status.success())),
        }
    }
}

/// Passes the lines of `cargo test` on, and sums its closing lines up.
fn count(command: &mut Command) -> Tally {
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else { return Tally::one(false) };
    let mut tally = Tally::default();
    let lines = BufReader::new(child.stdout.take().expect("piped")).split(b'\n');
    for line in lines.map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(more) = Tally::of_line(&line) {
            tally += more;
        }
    }
    let success = child.wait().is_ok_and(|status| status.success());
    if !success && tally.failed == 0 {
        // It did not compile, or a test ended its whole process.
        tally.failed = 1;
    }
    tally
}
