//! A visit to a server: one command, which says everything that is to be known.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::facts::Facts;
use crate::conversation::{self, Conversation, Errand, Place, Stop};
use crate::error::Error;
use crate::script::{Program, Report};

/// How long a server may take to answer everything. Its script would end itself soon after.
const PATIENCE: Duration = Duration::from_secs(40);

/// How many lines are kept of what a login shell prints by itself.
const MOST_STRAYS: usize = 5;

/// What a visit brought.
#[derive(Debug, Default)]
pub(super) struct Visit {
    pub(super) facts: Facts,
    /// When the server told its time.
    pub(super) clock: Option<Clock>,
    /// What the login shell printed by itself, before our script began.
    pub(super) strays: Vec<String>,
    /// Why the visit ended early.
    pub(super) trouble: Option<Error>,
}

/// A server's time, and the controller's times between which it was told. In milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// The server's time, to the second.
    pub(super) server: i64,
    /// When it was asked.
    pub(super) asked: i64,
    /// When its answer was here.
    pub(super) answered: i64,
}

/// Runs `program` on a server and collects what it says.
pub(super) fn visit(place: &Place<'_>, program: &Program, stop: &Stop) -> Visit {
    let asked = Timestamp::now().as_millisecond();
    let mut visit = Visit::default();
    let mut listener = Listener { visit: &mut visit, asked, greeted: false };
    let until = Some(Instant::now() + PATIENCE);
    let errand = Errand { program, payloads: &[], permit: &|_, _| true, stop, until };
    let (conversation, ended) = conversation::begin(place, &errand, &mut |report| listener.hear(report));
    let ended = ended.and_then(|()| conversation.map_or(Ok(()), Conversation::end));
    visit.trouble = ended.err();
    visit
}

struct Listener<'v> {
    visit: &'v mut Visit,
    asked: i64,
    greeted: bool,
}

impl Listener<'_> {
    fn hear(&mut self, report: Report) {
        match report {
            Report::Greeted => self.greeted = true,
            Report::Fact(name, value) => {
                if name == "clock" {
                    self.read_clock(&value);
                }
                self.visit.facts.insert(name, value);
            }
            Report::Line { task: None, line, .. } if !self.greeted && self.visit.strays.len() < MOST_STRAYS => {
                self.visit.strays.push(String::from_utf8_lossy(&line).into_owned());
            }
            _ => {}
        }
    }

    fn read_clock(&mut self, value: &str) {
        let answered = Timestamp::now().as_millisecond();
        let seconds: Option<i64> = value.trim().parse().ok();
        self.visit.clock =
            seconds.map(|seconds| Clock { server: seconds.saturating_mul(1000), asked: self.asked, answered });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Result};
    use crate::script::testing::hello_of;
    use crate::script::{Script, Shell, TaskScript, compile};
    use crate::sh;
    use crate::transport::Exit;
    use crate::transport::fake::{Call, Fake};

    const CLOCK: &str = "b 0\nf clock\n1790000000|.\nf user\ndeploy|.\n";

    /// What a server says that knows the word which `call` was opened with: after a greeting, markers for lines.
    fn say(call: &mut Call, markers: &str) -> Vec<u8> {
        let hello = hello_of(call.command());
        let mark = |line: &str| format!("\x1e0123456789abcdef {line}\n");
        let text = markers.split_inclusive('\n').map(|line| match line.trim_end().split_once('|') {
            Some((value, end)) => format!("{value}{}", mark(end)),
            None => mark(line.trim_end()),
        });
        format!("\x1e{hello} 0123456789abcdef\n{}", text.collect::<String>()).into_bytes()
    }

    /// A visit to a server that answers by `answer`.
    fn visit_to(stop: &Stop, answer: impl Fn(&mut Call) -> Result<Exit> + Send + Sync + 'static) -> Visit {
        let script: Script = sh!("probe");
        let task = TaskScript { script, ..TaskScript::default() };
        let shell = Shell::default();
        let program = compile(&[task], &shell).unwrap();
        let transport = &*Fake::new(answer).login("app1");
        visit(&Place { transport, shell: &shell, patience: PATIENCE, sessions: 1 }, &program, stop)
    }

    #[test]
    fn facts_and_the_time_at_which_the_clock_was_read_are_kept() {
        let before = Timestamp::now().as_millisecond();
        let visit = visit_to(&Stop::default(), |call| {
            call.stdout("Welcome!\n");
            let (one, other) = (say(call, &format!("{CLOCK}e 0 0\nz 0 0\n")), say(call, "b 0\ne 0 0\nz 0 0\n"));
            call.stdout(one);
            call.stderr(other);
            assert_eq!(call.read(2), b"Q\n");
            call.stdout("\x1e0123456789abcdef q 0\n");
            call.stderr("\x1e0123456789abcdef q 0\n");
            Ok(Exit::Status(0))
        });
        let clock = visit.clock.unwrap();
        assert_eq!(clock.server, 1_790_000_000_000);
        assert!(before <= clock.asked && clock.asked <= clock.answered);
        assert_eq!((visit.facts.get("user"), visit.strays), (Some("deploy"), vec!["Welcome!".to_owned()]));
        assert!(visit.trouble.is_none(), "{:?}", visit.trouble);
    }

    #[test]
    fn what_was_said_before_the_connection_was_lost_is_kept() {
        let visit = visit_to(&Stop::default(), |call| {
            let (one, other) = (say(call, CLOCK), say(call, "b 0\n"));
            call.stdout(one);
            call.stderr(other);
            Err(Error::connection("lost"))
        });
        assert_eq!(visit.facts.get("user"), Some("deploy"));
        assert_eq!(visit.trouble.unwrap().message(), "lost");
    }

    #[test]
    fn a_shell_that_runs_nothing_is_told() {
        for (status, said, message) in [
            (0, "", "the server's shell ended with status 0, and ran nothing"),
            (1, "not available\n", "the server runs no command for this user; it says: not available"),
        ] {
            let visit = visit_to(&Stop::default(), move |call| {
                call.stdout(said);
                Ok(Exit::Status(status))
            });
            assert_eq!(visit.trouble.unwrap().message(), message);
        }
    }

    #[test]
    fn a_visit_ends_when_the_user_says_so() {
        let stop = Stop::default();
        stop.now(ErrorKind::Interrupted);
        let visit = visit_to(&stop, |call| {
            call.read_to_end();
            Ok(Exit::Status(0))
        });
        assert_eq!(visit.trouble.unwrap().kind(), ErrorKind::Interrupted);
    }
}
