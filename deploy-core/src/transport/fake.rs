//! Servers that exist only in a test: they note what they are told to do and answer as the test says.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use deploy_core::transport::fake::Fake;
//! use deploy_core::transport::{Exit, Output};
//!
//! let fake = Fake::new(|call| {
//!     if call.command().starts_with("systemctl") {
//!         call.stderr("Unit app.service not found.\n");
//!         return Ok(Exit::Status(5));
//!     }
//!     Ok(Exit::Status(0))
//! });
//!
//! let mut process = fake.login("app1").exec("systemctl restart app");
//! let mut next = || process.next(Instant::now() + Duration::from_secs(5)).unwrap();
//! assert!(matches!(next(), Output::Stderr(text) if text == b"Unit app.service not found.\n"));
//! assert!(matches!(next(), Output::Exit(Exit::Status(5))));
//! assert_eq!(fake.calls()[0].command, "systemctl restart app");
//! ```

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::process::{Exit, Output, Process, Stdin};
use super::server::{Connect, Transport};
use crate::config::{Server, Stage};
use crate::error::{Error, Result};
use crate::event::Traffic;

/// Servers that answer every command by a function of the test. Clones share what they noted.
#[derive(Clone)]
pub struct Fake {
    answer: Arc<Answer>,
    calls: Arc<Mutex<Vec<Record>>>,
}

type Answer = dyn Fn(&mut Call) -> Result<Exit> + Send + Sync;

/// What was asked of a fake server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The server's label.
    pub server: String,
    /// The command, as it was given to [`Transport::exec`].
    pub command: String,
    /// What was sent to its standard input so far, whether it was read or not.
    pub stdin: Vec<u8>,
    /// What came back on both of its streams so far, in bytes.
    pub received: u64,
}

impl Fake {
    /// Servers that answer by `answer`, which runs on a thread of its own for each command: it may wait for input.
    /// An error means that the connection was lost.
    pub fn new(answer: impl Fn(&mut Call) -> Result<Exit> + Send + Sync + 'static) -> Fake {
        Fake { answer: Arc::new(answer), calls: Arc::default() }
    }

    /// Servers on which every command succeeds at once and says nothing.
    pub fn succeeding() -> Fake {
        Fake::new(|_| Ok(Exit::Status(0)))
    }

    /// Logs in to the server that output calls `label`.
    pub fn login(&self, label: impl Into<String>) -> Arc<dyn Transport> {
        Arc::new(Account { fake: self.clone(), label: label.into() })
    }

    /// What was asked so far of all servers, in the order in which the commands started.
    pub fn calls(&self) -> Vec<Record> {
        self.with_calls(|calls| calls.clone())
    }

    fn with_calls<T>(&self, with: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        with(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

impl Connect for Fake {
    fn connect(&self, _: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error> {
        Ok(self.login(server.label()))
    }
}

/// One logged-in fake server.
struct Account {
    fake: Fake,
    label: String,
}

impl Transport for Account {
    fn exec(&self, command: &str) -> Process {
        let number = self.fake.with_calls(|calls| {
            calls.push(Record {
                server: self.label.clone(),
                command: command.to_owned(),
                stdin: Vec::new(),
                received: 0,
            });
            calls.len() - 1
        });
        let (sender, output) = channel();
        let (pieces, input) = channel();
        let call = Call {
            fake: self.fake.clone(),
            number,
            server: self.label.clone(),
            command: command.to_owned(),
            input,
            unread: Vec::new(),
            output: sender,
        };
        thread::spawn(move || call.answer());
        Process::new(Box::new(Input { fake: self.fake.clone(), number, pieces: Some(pieces) }), output, None)
    }

    fn traffic(&self) -> Traffic {
        self.fake.with_calls(|calls| {
            let own = calls.iter().filter(|call| call.server == self.label);
            own.fold(Traffic { connections: 1, ..Traffic::default() }, |sum, call| Traffic {
                execs: sum.execs + 1,
                sent: sum.sent + (call.command.len() + call.stdin.len()) as u64,
                received: sum.received + call.received,
                ..sum
            })
        })
    }
}

/// A command that a fake server has to answer.
pub struct Call {
    fake: Fake,
    number: usize,
    server: String,
    command: String,
    input: Receiver<Vec<u8>>,
    unread: Vec<u8>,
    output: Sender<Output>,
}

impl Call {
    /// The label of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The command.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The next `count` bytes of the standard input; fewer when it ends. Waits for them.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            match self.input.recv() {
                Ok(piece) => self.unread.extend(piece),
                Err(_) => break,
            }
        }
        let rest = self.unread.split_off(count.min(self.unread.len()));
        std::mem::replace(&mut self.unread, rest)
    }

    /// The rest of the standard input. Waits for its end.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        self.read(usize::MAX)
    }

    /// Writes to the standard output.
    pub fn stdout(&mut self, bytes: impl Into<Vec<u8>>) {
        self.write(Output::Stdout, bytes.into());
    }

    /// Writes to the standard error.
    pub fn stderr(&mut self, bytes: impl Into<Vec<u8>>) {
        self.write(Output::Stderr, bytes.into());
    }

    fn write(&mut self, wrap: fn(Vec<u8>) -> Output, bytes: Vec<u8>) {
        self.fake.with_calls(|calls| calls[self.number].received += bytes.len() as u64);
        let _ = self.output.send(wrap(bytes));
    }

    fn answer(mut self) {
        let answer = Arc::clone(&self.fake.answer);
        let end = answer(&mut self).map_or_else(Output::Lost, Output::Exit);
        let _ = self.output.send(end);
    }
}

struct Input {
    fake: Fake,
    number: usize,
    pieces: Option<Sender<Vec<u8>>>,
}

impl Stdin for Input {
    fn send(&mut self, data: Vec<u8>) -> bool {
        let Some(pieces) = &self.pieces else { return false };
        self.fake.with_calls(|calls| calls[self.number].stdin.extend(&data));
        pieces.send(data).is_ok()
    }

    fn close(&mut self) {
        self.pieces = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// The pieces that come out of `process`, as text.
    fn finish(mut process: Process) -> Vec<String> {
        let mut pieces = Vec::new();
        loop {
            let piece = process.next(Instant::now() + Duration::from_secs(10)).expect("an answer");
            let text = match &piece {
                Output::Stdout(bytes) => format!("out: {}", String::from_utf8_lossy(bytes)),
                Output::Stderr(bytes) => format!("err: {}", String::from_utf8_lossy(bytes)),
                Output::Exit(exit) => format!("{exit:?}"),
                Output::Lost(error) => format!("lost: {error}"),
            };
            pieces.push(text);
            if matches!(piece, Output::Exit(_) | Output::Lost(_)) {
                return pieces;
            }
        }
    }

    #[test]
    fn it_converses_and_notes_what_it_was_told() {
        let fake = Fake::new(|call| {
            let greeting = call.read(2);
            call.stdout(greeting);
            let rest = call.read_to_end();
            call.stderr(rest);
            Ok(Exit::Signal("TERM".into()))
        });
        let server = fake.login("app1");
        let mut process = server.exec("talk");
        assert!(process.stdin.send(b"hi th".to_vec()));
        assert!(process.stdin.send(b"ere".to_vec()));
        process.stdin.close();
        assert_eq!(finish(process), ["out: hi", "err:  there", "Signal(\"TERM\")"]);
        assert_eq!(
            fake.calls(),
            [Record { server: "app1".into(), command: "talk".into(), stdin: b"hi there".into(), received: 8 }]
        );
        let traffic = Traffic { connections: 1, execs: 1, sent: 12, received: 8, ..Traffic::default() };
        assert_eq!(server.traffic(), traffic);
    }

    #[test]
    fn an_error_is_a_lost_connection() {
        let fake = Fake::new(|call| Err(Error::connection(format!("`{}` is gone", call.server()))));
        assert_eq!(finish(fake.login("db1").exec("true")), ["lost: `db1` is gone"]);
    }

    #[test]
    fn it_succeeds_without_an_answer_of_the_test() {
        assert_eq!(finish(Fake::succeeding().login("web1").exec("true")), ["Status(0)"]);
    }
}
