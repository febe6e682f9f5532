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

/// Data that goes through a program, besides what is said about it.
pub(super) enum Data<'d> {
    /// None.
    None,
    /// What the program writes to its standard output. An error ends the program.
    Out(&'d mut Sink<'d>),
    /// What the program reads from its standard input, to its end. Such a program has no payloads, gates and lifeline.
    In(&'d mut (dyn Read + Send)),
}

/// Takes data.
pub(super) type Sink<'d> = dyn FnMut(&[u8]) -> Result<(), Error> + 'd;

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
        self.run_with_data(permit, on, Data::None)
    }

    /// The same, with data that goes through the program.
    ///
    /// # Errors
    ///
    /// As [`run`](Running::run); and what the sink of the data says.
    pub(super) fn run_with_data(
        self,
        permit: &Permit<'_>,
        on: &mut dyn FnMut(Report),
        data: Data<'_>,
    ) -> Result<Process, Error> {
        let (sink, source) = match data {
            Data::None => (None, None),
            Data::Out(sink) => (Some(sink), None),
            Data::In(source) => (None, Some(source)),
        };
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
                sink,
                beaten: (self.program.beats_after.is_none() && source.is_none()).then(Instant::now),
                told_to_stop: None,
                finished: false,
                heard: false,
            };
            match source {
                Some(source) => talk.pour(source),
                None if !self.program.gated => talk.feed(),
                None => {}
            }
            talk.hold(&mut process)?;
            process.stdin = talk.input.settle().unwrap_or_else(|| Box::new(Nobody));
            Ok(process)
        })
    }
}

/// The talk with a running program.
struct Talk<'t, 'k, 's, 'e> {
    running: &'s Running<'s>,
    scope: &'s Scope<'s, 'e>,
    permit: &'t Permit<'t>,
    on: &'t mut dyn FnMut(Report),
    /// Where the standard output goes, where it is data.
    sink: Option<&'t mut Sink<'k>>,
    input: Input<'s>,
    /// When the program was last told that we are here; `None` while it isn't listening.
    beaten: Option<Instant>,
    /// Why the program is to end, and when we stop waiting for that.
    told_to_stop: Option<(Error, Instant)>,
    finished: bool,
    /// Whether the program has said anything.
    heard: bool,
}

impl<'e> Talk<'_, '_, '_, 'e> {
    fn hold(&mut self, process: &mut Process) -> Result<(), Error> {
        let is_data = self.sink.is_some();
        let mut decoder = match is_data {
            true => Decoder::of_standard_error(self.running.nonce),
            false => Decoder::new(self.running.nonce),
        };
        // What was said about data may overtake the data itself: all of it is here when the program has exited.
        while is_data || !self.finished {
            let output = process.next(Instant::now() + GLANCE);
            let mut report = |report| self.report(report);
            match output {
                Some(Output::Stdout(bytes)) if is_data => self.take(&bytes),
                Some(Output::Stdout(bytes)) => decoder.feed(Stream::Stdout, &bytes, &mut report),
                Some(Output::Stderr(bytes)) => decoder.feed(Stream::Stderr, &bytes, &mut report),
                Some(Output::Exit(exit)) => {
                    decoder.finish(&mut report);
                    if is_data && self.finished && self.told_to_stop.is_none() {
                        break;
                    }
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

    /// Hands data over; where nobody wants it any more, the program is to end.
    fn take(&mut self, bytes: &[u8]) {
        if self.told_to_stop.is_none()
            && let Some(Err(error)) = self.sink.as_mut().map(|sink| sink(bytes))
        {
            self.end_because(error);
        }
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

    /// Begins to send all that `source` yields.
    fn pour(&mut self, source: &'e mut (dyn Read + Send)) {
        let (stdin, stop) = (self.input.stdin.take(), self.running.stop);
        self.input.feeder = stdin.map(|stdin| self.scope.spawn(move || pour(stdin, source, stop)));
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
            Some((_, until)) if Instant::now() > *until => {
                let (error, _) = self.told_to_stop.take().expect("looked at");
                Err(error.hint("the server didn't confirm that the script has ended"))
            }
            Some(_) => Ok(()),
            None => {
                if let Some(error) = self.running.stop.requested() {
                    self.end_because(error);
                }
                Ok(())
            }
        }
    }

    fn end_because(&mut self, error: Error) {
        self.told_to_stop = Some((error, Instant::now() + GRACE));
        drop(self.input.settle());
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

/// Sends all that `source` yields. Where it fails, the program finds its input too short.
fn pour(mut stdin: BoxedStdin, source: &mut dyn Read, stop: &Stop) -> BoxedStdin {
    while stop.requested().is_none() {
        let mut piece = vec![0; PIECE];
        match source.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                piece.truncate(n);
                if !stdin.send(piece) {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    stdin.close();
    stdin
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
