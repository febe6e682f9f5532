//! One program on one server: sending it, feeding it, keeping it alive, reading what it says.

use std::fs::File;
use std::io::Read;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::event::Stream;
use crate::script::{Decoder, Program, Report};
use crate::task::Payload;
use crate::transport::{Exit, Output, Stdin, Transport};

use super::Stop;

/// How often a running program is told that we are still here. It gives up after three times as long.
const BEAT: Duration = Duration::from_secs(15);

/// How often a request to stop is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// How long a program that was told to stop may take to end.
const GRACE: Duration = Duration::from_secs(8);

/// How large the pieces are in which a payload is sent, in bytes.
const PIECE: usize = 64 * 1024;

type BoxedStdin = Box<dyn Stdin>;

/// A program on its way.
pub(super) struct Running<'p> {
    pub(super) transport: &'p dyn Transport,
    pub(super) program: &'p Program,
    pub(super) nonce: &'p str,
    /// What the tasks of the program get, in order.
    pub(super) payloads: Vec<Payload>,
    pub(super) stop: &'p Stop,
}

impl Running<'_> {
    /// Runs the program to its end and hands each report to `on`. For a task that waits, `permit` returns when it may
    /// begin.
    ///
    /// # Errors
    ///
    /// When the connection was lost, the program ended before it was done, or the run was told to stop. A task that fails
    /// is no error here: the program reports it.
    pub(super) fn run(self, permit: &dyn Fn(usize), on: &mut dyn FnMut(Report)) -> Result<(), Error> {
        std::thread::scope(|scope| self.converse(scope, permit, on))
    }

    fn converse<'s>(
        self,
        scope: &'s Scope<'s, '_>,
        permit: &dyn Fn(usize),
        on: &mut dyn FnMut(Report),
    ) -> Result<(), Error> {
        let mut process = self.transport.exec(&self.program.command());
        let mut decoder = Decoder::new(self.nonce);
        process.stdin.send(self.program.text.clone());
        let mut stdin = std::mem::replace(&mut process.stdin, Box::new(Nobody));
        let mut input = match self.payloads.is_empty() {
            false => Input::Feeding(scope.spawn(move || {
                self.payloads.iter().for_each(|payload| feed(&mut *stdin, payload));
                stdin
            })),
            true => Input::Idle(stdin),
        };
        let mut beats = self.program.beats_after.is_none().then(Instant::now);
        let mut asked_to_stop: Option<(Error, Instant)> = None;
        loop {
            let output = process.next(Instant::now() + GLANCE);
            let mut finished = false;
            let mut sink = |report: Report| {
                match &report {
                    Report::Waiting(task) => {
                        permit(*task);
                        input.send(b".");
                    }
                    Report::Ended(task, _) if self.program.beats_after == Some(*task) => {
                        input.settle();
                        beats = Some(Instant::now());
                    }
                    Report::Finished => finished = true,
                    _ => {}
                }
                on(report);
            };
            match output {
                Some(Output::Stdout(bytes)) => decoder.feed(Stream::Stdout, &bytes, &mut sink),
                Some(Output::Stderr(bytes)) => decoder.feed(Stream::Stderr, &bytes, &mut sink),
                Some(Output::Exit(exit)) => {
                    decoder.finish(&mut sink);
                    return Err(asked_to_stop.map_or_else(|| ended_early(&exit), |(error, _)| error));
                }
                Some(Output::Lost(error)) => {
                    decoder.finish(&mut sink);
                    return Err(asked_to_stop.map_or(error, |(error, _)| error));
                }
                None => {}
            }
            if finished {
                input.settle();
                return Ok(());
            }
            if let Some(beat) = beats.as_mut().filter(|beat| beat.elapsed() >= BEAT) {
                *beat = Instant::now();
                input.send(b".");
            }
            match &asked_to_stop {
                None => {
                    if let Some(error) = self.stop.requested() {
                        input.close();
                        asked_to_stop = Some((error, Instant::now() + GRACE));
                    }
                }
                Some((_, until)) if Instant::now() > *until => {
                    return Err(asked_to_stop.map(|(error, _)| error).unwrap_or_else(|| unreachable!("matched")));
                }
                Some(_) => {}
            }
        }
    }
}

/// The standard input of a program: ours to write to, or being fed.
enum Input<'s> {
    Idle(BoxedStdin),
    Feeding(ScopedJoinHandle<'s, BoxedStdin>),
    Closed,
}

impl Input<'_> {
    /// Waits until what is being fed is sent.
    fn settle(&mut self) {
        if let Input::Feeding(feeder) = std::mem::replace(self, Input::Closed)
            && let Ok(stdin) = feeder.join()
        {
            *self = Input::Idle(stdin);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if let Input::Idle(stdin) = self {
            stdin.send(bytes.to_vec());
        }
    }

    fn close(&mut self) {
        *self = Input::Closed;
    }
}

/// The place of a standard input that was taken out of its process.
struct Nobody;

impl Stdin for Nobody {
    fn send(&mut self, _: Vec<u8>) -> bool {
        false
    }

    fn close(&mut self) {}
}

/// Sends exactly as many bytes as the program was told to expect; where they can't be read, end-of-file makes it fail.
fn feed(stdin: &mut dyn Stdin, payload: &Payload) {
    let Ok(file) = File::open(&payload.file) else { return stdin.close() };
    let mut file = file.take(payload.bytes);
    loop {
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
