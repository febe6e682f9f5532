//! The steps of a whole run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::tally::Tally;

/// A cargo command that checks something.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    command: Command,
    counts_tests: bool,
}

/// Everything, what answers soonest first; with filters, only the tests that they name.
pub(crate) fn steps(full: bool, filters: &[String]) -> Vec<Step> {
    match filters {
        [] => vec![formatting(), lints(), units(), documentation(), examples(), scenarios(full)],
        _ => vec![named(full, filters)],
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

// The steps of tests are all for the whole workspace and differ in the targets only, so that everything is built once.

/// What needs no server. The targets' names, by their first letter, are all that keeps the scenarios apart.
fn units() -> Step {
    Step::tests("unit tests", &["--lib", "--bins", "--examples", "--test", "[!e]*"], &[])
}

fn examples() -> Step {
    Step::tests("examples of the documentation", &["--doc"], &[])
}

/// What does. Half of the scenarios wait for something at any time, so there are more of them than cores.
fn scenarios(full: bool) -> Step {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = format!("--test-threads={}", cores + 1);
    Step::tests("scenarios", &["--test", "e*"], &[threads]).with_trials(full)
}

fn named(full: bool, filters: &[String]) -> Step {
    Step::tests("tests", &[], filters).with_trials(full)
}

impl Step {
    fn check(title: &'static str, arguments: &[&str]) -> Step {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).stdin(Stdio::null());
        Step { title, command, counts_tests: false }
    }

    fn tests(title: &'static str, targets: &[&str], arguments: &[String]) -> Step {
        let mut step = Step::check(title, &["test", "--workspace", "--no-fail-fast"]);
        step.command.args(targets).arg("--").args(arguments);
        // A snapshot that differs fails; it never writes files into a checkout by itself.
        if std::env::var_os("INSTA_UPDATE").is_none() {
            step.command.env("INSTA_UPDATE", "no");
        }
        step.counts_tests = true;
        step
    }

    fn with_trials(mut self, full: bool) -> Step {
        if full {
            self.command.env(e2e::FULL, "1");
        }
        self
    }

    /// Has its tests write their times to `file`.
    pub(crate) fn timed(&mut self, file: &Path) {
        self.command.env(e2e::TIMES, file);
    }

    /// Runs it with its output on the terminal.
    pub(crate) fn run(mut self) -> Tally {
        if self.counts_tests {
            count(&mut self.command)
        } else {
            Tally::one(self.command.status().is_ok_and(|status| status.success()))
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
