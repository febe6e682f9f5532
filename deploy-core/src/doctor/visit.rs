//! A visit to a server: one command, which says everything that is to be known.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::facts::Facts;
use crate::error::{Error, Result};
use crate::event::Stream;
use crate::run::Stop;
use crate::script::{Decoder, Program, Report};
use crate::transport::{Exit, Output, Process, Transport};

/// How long a server may take to answer everything. Its script would end itself soon after.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often a request to stop is looked for.
const GLANCE: Duration = Duration::from_millis(200);

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

/// Runs `program` on the server behind `transport` and collects what it says.
pub(super) fn visit(transport: &dyn Transport, program: &Program, nonce: &str, stop: &Stop) -> Visit {
    let asked = Timestamp::now().as_millisecond();
    let mut process = transport.exec(&program.command());
    process.stdin.send(program.text.clone());
    let mut visit = Visit::default();
    let mut listener = Listener { visit: &mut visit, asked, begun: false, finished: false };
    let ended = listener.listen(&mut process, &mut Decoder::new(nonce), stop);
    let silent = !listener.begun;
    visit.trouble = match ended {
        Ok(()) if silent => Some(Error::task("the server's shell ran nothing")),
        Ok(()) => None,
        Err(error) => Some(error),
    };
    process.stdin.close();
    visit
}

struct Listener<'v> {
    visit: &'v mut Visit,
    asked: i64,
    begun: bool,
    finished: bool,
}

impl Listener<'_> {
    fn listen(&mut self, process: &mut Process, decoder: &mut Decoder, stop: &Stop) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.finished {
            if let Some(error) = stop.requested() {
                return Err(error);
            }
            if Instant::now() > deadline {
                let seconds = PATIENCE.as_secs();
                return Err(Error::task(format!("the server didn't answer all questions in {seconds} seconds")));
            }
            match process.next(Instant::now() + GLANCE) {
                None => {}
                Some(Output::Stdout(bytes)) => decoder.feed(Stream::Stdout, &bytes, &mut |report| self.hear(report)),
                Some(Output::Stderr(bytes)) => decoder.feed(Stream::Stderr, &bytes, &mut |report| self.hear(report)),
                Some(Output::Exit(exit)) => {
                    decoder.finish(&mut |report| self.hear(report));
                    return self.judge_end(&exit);
                }
                Some(Output::Lost(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Began(_) => self.begun = true,
            Report::Fact(name, value) => {
                if name == "clock" {
                    self.read_clock(&value);
                }
                self.visit.facts.insert(name, value);
            }
            Report::Line { task: None, line, .. } if !self.begun && self.visit.strays.len() < MOST_STRAYS => {
                self.visit.strays.push(String::from_utf8_lossy(&line).into_owned());
            }
            Report::Finished => self.finished = true,
            _ => {}
        }
    }

    fn read_clock(&mut self, value: &str) {
        let answered = Timestamp::now().as_millisecond();
        let seconds: Option<i64> = value.trim().parse().ok();
        self.visit.clock =
            seconds.map(|seconds| Clock { server: seconds.saturating_mul(1000), asked: self.asked, answered });
    }

    /// A shell that ended before our script was done.
    fn judge_end(&self, exit: &Exit) -> Result<()> {
        match exit {
            _ if self.finished => Ok(()),
            Exit::Status(0) if !self.begun => Ok(()),
            Exit::Status(status) => Err(Error::task(format!("the server's shell ended with status {status}"))),
            Exit::Signal(signal) => Err(Error::task(format!("the server's shell ended by signal {signal}"))),
            Exit::Unknown => Err(Error::task("the server's shell ended without saying how")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::script::{Script, Shell, TaskScript, compile};
    use crate::sh;
    use crate::transport::fake::{Call, Fake};

    const CLOCK: &str = "\x1eN b 0\n\x1eN f clock\n1790000000\x1eN .\n\x1eN f user\ndeploy\x1eN .\n";

    /// A visit to a server that answers by `answer`.
    fn visit_to(stop: &Stop, answer: impl Fn(&mut Call) -> Result<Exit> + Send + Sync + 'static) -> Visit {
        let script: Script = sh!("probe");
        let task = TaskScript { script, ..TaskScript::default() };
        let program = compile(&[task], &Shell { nonce: "N".into(), ..Shell::default() }).unwrap();
        visit(&*Fake::new(answer).login("app1"), &program, "N", stop)
    }

    #[test]
    fn facts_and_the_time_at_which_the_clock_was_read_are_kept() {
        let before = Timestamp::now().as_millisecond();
        let visit = visit_to(&Stop::default(), |call| {
            call.stdout("Welcome!\n");
            call.stdout(CLOCK);
            call.stderr("\x1eN b 0\n\x1eN e 0 0\n\x1eN z\n");
            call.stdout("\x1eN e 0 0\n\x1eN z\n");
            call.read_to_end();
            Ok(Exit::Status(0))
        });
        let clock = visit.clock.unwrap();
        assert_eq!(clock.server, 1_790_000_000_000);
        assert!(before <= clock.asked && clock.asked <= clock.answered);
        assert_eq!((visit.facts.get("user"), visit.strays), (Some("deploy"), vec!["Welcome!".to_owned()]));
        assert!(visit.trouble.is_none());
    }

    #[test]
    fn what_was_said_before_the_connection_was_lost_is_kept() {
        let visit = visit_to(&Stop::default(), |call| {
            call.stdout(CLOCK);
            Err(Error::connection("lost"))
        });
        assert_eq!(visit.facts.get("user"), Some("deploy"));
        assert_eq!(visit.trouble.unwrap().message(), "lost");
    }

    #[test]
    fn a_shell_that_runs_nothing_is_told() {
        for (status, message) in [(0, "the server's shell ran nothing"), (1, "the server's shell ended with status 1")]
        {
            let visit = visit_to(&Stop::default(), move |_| Ok(Exit::Status(status)));
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
