//! One program on one server: sending it, feeding it, keeping it alive, reading what it says.

use std::fs::File;
use std::io::Read;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::event::Stream;
use crate::script::{Decoder, Program, Report};
use crate::task::Payload;
use crate::transport::{Exit, Nobody, Output, Process, Stdin, Transport};

use super::Stop;

/// How often a running program is told that we are still here. It gives up after 45 seconds, and what it
/// holds counts as abandoned after 30.
const BEAT: Duration = Duration::from_secs(10);

/// How often a request to stop is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// How long a program that was told to stop may take to end.
const GRACE: Duration = Duration::from_secs(8);

/// How large the pieces are in which a payload is sent, in bytes.
const PIECE: usize = 64 * 1024;

type BoxedStdin = Box<dyn Stdin>;

/// Decides whether a task may begin, and calls the second function while it hasn't.
pub(super) type Permit<'p> = dyn Fn(usize, &mut dyn FnMut()) -> bool + 'p;

/// A program on its way.
pub(super) struct Running<'p> {
    pub(super) transport: &'p dyn Transport,
    pub(super) program: &'p Program,
    pub(super) nonce: &'p str,
    /// What the tasks of the program get, in order.
    pub(super) payloads: &'p [Payload],
    pub(super) stop: &'p Stop,
    /// How many commands must be able to run at a time: this one, and the keeper of the lock.
    pub(super) sessions: usize,
}

impl Running<'_> {
    /// Runs the program to its end and hands each report to `on`. For a task that waits, `permit` returns when it is
    /// decided whether it may begin; meanwhile it calls what it is given, at least every few seconds.
    ///
    /// Returns the process, which goes on where the program holds something.
    ///
    /// # Errors
    ///
    /// When the connection was lost, the program ended before it was done, or the run was told to stop. A task that fails
    /// is no error here: the program reports it.
    pub(super) fn run(self, permit: &Permit<'_>, on: &mut dyn FnMut(Report)) -> Result<Process, Error> {
        std::thread::scope(|scope| {
            let mut process = self.transport.exec(&self.program.command());
            process.stdin.send(self.program.text.clone());
            let stdin = std::mem::replace(&mut process.stdin, Box::new(Nobody));
            let mut talk = Talk {
                input: Input { stdin: Some(stdin), feeder: None },
                running: &self,
                scope,
                permit,
                on,
                beaten: self.program.beats_after.is_none().then(Instant::now),
                told_to_stop: None,
                finished: false,
                heard: false,
            };
            if !self.program.gated {
                talk.feed();
            }
            talk.hold(&mut process)?;
            process.stdin = talk.input.settle().unwrap_or_else(|| Box::new(Nobody));
            Ok(process)
        })
    }
}

/// The talk with a running program.
struct Talk<'t, 's, 'e> {
    running: &'s Running<'s>,
    scope: &'s Scope<'s, 'e>,
    permit: &'t Permit<'t>,
    on: &'t mut dyn FnMut(Report),
    input: Input<'s>,
    /// When the program was last told that we are here; `None` while it isn't listening.
    beaten: Option<Instant>,
    /// Why the program is to end, and when we stop waiting for that.
    told_to_stop: Option<(Error, Instant)>,
    finished: bool,
    /// Whether the program has said anything.
    heard: bool,
}

impl Talk<'_, '_, '_> {
    fn hold(&mut self, process: &mut Process) -> Result<(), Error> {
        let mut decoder = Decoder::new(self.running.nonce);
        while !self.finished {
            let output = process.next(Instant::now() + GLANCE);
            let mut report = |report| self.report(report);
            match output {
                Some(Output::Stdout(bytes)) => decoder.feed(Stream::Stdout, &bytes, &mut report),
                Some(Output::Stderr(bytes)) => decoder.feed(Stream::Stderr, &bytes, &mut report),
                Some(Output::Exit(exit)) => {
                    decoder.finish(&mut report);
                    return Err(self.why(ended_early(&exit)));
                }
                Some(Output::Lost(error)) => {
                    decoder.finish(&mut report);
                    return Err(self.why(error));
                }
                None => {}
            }
            self.beat();
            self.look_for_stop()?;
            self.look_for_room()?;
        }
        Ok(())
    }

    fn report(&mut self, report: Report) {
        self.heard = true;
        match report {
            Report::Waiting(task) => {
                let word = if self.decide(task) { b"." } else { b"n" };
                self.input.send(word);
            }
            Report::Began(task) if self.running.program.gated && self.running.program.fed.first() == Some(&task) => {
                self.feed();
            }
            Report::Began(task) | Report::Ended(task, _) if self.running.program.beats_after == Some(task) => {
                let from_its_end = self.running.program.fed.contains(&task);
                if !from_its_end || matches!(report, Report::Ended(..)) {
                    self.beaten = self.beaten.or(Some(Instant::now()));
                }
            }
            Report::Finished => self.finished = true,
            _ => {}
        }
        (self.on)(report);
    }

    /// Asks whether a task may begin, and lets the program know that the answer is still to come.
    fn decide(&mut self, task: usize) -> bool {
        let (input, mut told) = (&mut self.input, Instant::now());
        (self.permit)(task, &mut || {
            if told.elapsed() >= BEAT {
                told = Instant::now();
                input.send(b"w");
            }
        })
    }

    /// Begins to send the payloads.
    fn feed(&mut self) {
        let running = self.running;
        if let Some(mut stdin) = self.input.stdin.take_if(|_| !running.payloads.is_empty()) {
            self.input.feeder = Some(self.scope.spawn(move || {
                running.payloads.iter().for_each(|payload| feed(&mut *stdin, payload, running.stop));
                stdin
            }));
        }
    }

    fn beat(&mut self) {
        if let Some(beaten) = self.beaten.as_mut().filter(|beaten| beaten.elapsed() >= BEAT) {
            *beaten = Instant::now();
            self.input.send(b".");
        }
    }

    /// Closes the program's input when the run is told to stop, and gives it time to end.
    fn look_for_stop(&mut self) -> Result<(), Error> {
        match &self.told_to_stop {
            Some((error, until)) if Instant::now() > *until => {
                Err(Error::new(error.kind(), error.message())
                    .hint("the server didn't confirm that the script has ended"))
            }
            Some(_) => Ok(()),
            None => {
                if let Some(error) = self.running.stop.requested() {
                    self.told_to_stop = Some((error, Instant::now() + GRACE));
                    drop(self.input.settle());
                }
                Ok(())
            }
        }
    }

    /// Fails where the server doesn't let the program run beside the keeper of the lock.
    fn look_for_room(&self) -> Result<(), Error> {
        match self.running.transport.sessions() {
            Some(sessions) if sessions < self.running.sessions && !self.heard => Err(Error::connection(format!(
                "the server allows {sessions} session on a connection, and {} are needed: one keeps the stage's lock",
                self.running.sessions
            ))
            .hint("set MaxSessions to 2 or more in the server's sshd_config")),
            _ => Ok(()),
        }
    }

    /// A program that was told to stop ends for that reason, whatever its end looks like.
    fn why(&mut self, error: Error) -> Error {
        self.told_to_stop.take().map_or(error, |(stop, _)| stop)
    }
}

/// The standard input of a program: ours to write to, or with the feeder.
struct Input<'s> {
    stdin: Option<BoxedStdin>,
    feeder: Option<ScopedJoinHandle<'s, BoxedStdin>>,
}

impl Input<'_> {
    /// Waits until everything is sent, and gives the input away.
    fn settle(&mut self) -> Option<BoxedStdin> {
        if let Some(feeder) = self.feeder.take() {
            self.stdin = feeder.join().ok();
        }
        self.stdin.take()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stdin = self.settle();
        if let Some(stdin) = &mut self.stdin {
            stdin.send(bytes.to_vec());
        }
    }
}

/// Sends exactly as many bytes as the program was told to expect; where they can't be read, end-of-file makes it fail.
fn feed(stdin: &mut dyn Stdin, payload: &Payload, stop: &Stop) {
    let Ok(file) = File::open(&payload.file) else { return stdin.close() };
    let mut file = file.take(payload.bytes);
    while stop.requested().is_none() {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece) {
            Ok(0) if file.limit() > 0 => return stdin.close(),
            Ok(0) => return,
            Ok(n) => {
                piece.truncate(n);
                if !stdin.send(piece) {
                    return;
                }
            }
            Err(_) => return stdin.close(),
        }
    }
    stdin.close();
}

/// The server's shell ended before the program said that it was done.
fn ended_early(exit: &Exit) -> Error {
    let how = match exit {
        Exit::Status(status) => format!("with status {status}"),
        Exit::Signal(signal) => format!("by signal {signal}"),
        Exit::Unknown => "without saying how".to_owned(),
    };
    Error::task(format!("the server's shell ended {how} before the script was done"))
}
