//! A conversation with a server: one command there, which runs one program after the other.
//!
//! It knows programs and what they report, and nothing of tasks, plans or the stage's lock. It imports `script` for what is
//! said, and `transport` for how it gets there.

mod exit;
mod feed;
mod open;
mod part;
mod slot;
mod stop;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant};

pub(crate) use slot::Slot;
pub use stop::Stop;

use crate::error::{Error, Result};
use crate::script::{Beginning, Decoder, Program, Report, Shell, pack};
use crate::task::Payload;
use crate::transport::{Process, Transport};
use talk::{Break, Data, Partner};

/// How often the server is told that we are still here. It gives up after 22 to 44 seconds, and a lock counts as abandoned
/// after 30.
const BEAT: Duration = Duration::from_secs(10);

/// How often a request to stop is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// How long a program that was told to stop may take to end. The server itself ends by force what takes over four seconds.
const GRACE: Duration = Duration::from_secs(8);

/// How long one may take that has said nothing yet: most likely it runs nothing, and doesn't listen either.
const GRACE_OF_STRANGERS: Duration = Duration::from_secs(2);

/// How long the server may take to give up what it holds, at the end.
const FAREWELL: Duration = Duration::from_secs(30);

/// From how many bytes on a program is compressed. To unpack it starts a program on the server.
const WORTH_PACKING: usize = 4096;

/// How many lines are kept of what a login shell prints by itself.
const MOST_STRAYS: usize = 20;

/// Where a conversation takes place, and how.
pub(crate) struct Place<'p> {
    /// The server.
    pub(crate) transport: &'p dyn Transport,
    /// What all programs share.
    pub(crate) shell: &'p Shell,
    /// How long the server may take to begin.
    pub(crate) patience: Duration,
    /// How many commands must be able to run there at a time.
    pub(crate) sessions: usize,
}

/// Decides whether a task may begin, and calls the second function while it hasn't.
pub(crate) type Permit<'p> = dyn Fn(usize, &mut dyn FnMut()) -> bool + 'p;

/// What goes with a program.
pub(crate) struct Errand<'e> {
    /// The program.
    pub(crate) program: &'e Program,
    /// What its tasks get, in order.
    pub(crate) payloads: &'e [Payload],
    /// Whether a task that waits for that may begin.
    pub(crate) permit: &'e Permit<'e>,
    /// Whether to go on.
    pub(crate) stop: &'e Stop,
    /// When it has to be over, if there is a limit.
    pub(crate) until: Option<Instant>,
}

/// Takes data. An error ends the program.
pub(crate) type Sink<'s> = dyn FnMut(&[u8]) -> Result<()> + 's;

/// A conversation, between two programs.
pub(crate) struct Conversation {
    process: Process,
    decoder: Decoder,
    /// Where the data begins, where the standard output is data.
    beginning: Beginning,
    /// The shell functions that the server knows.
    known: BTreeSet<&'static str>,
    /// Whether it has shown that it can unpack programs.
    unpacks: bool,
    /// How many programs were sent, the first not counted.
    number: usize,
    /// When the server was last told that we are here.
    beaten: Instant,
    /// Whether every program succeeded, as far as they said.
    all_well: bool,
}

/// Begins a conversation, and runs its first program. Each report goes to `on`. What is returned first is the conversation,
/// if it can go on, which it may after an error too.
///
/// # Errors
///
/// When the server doesn't begin, the connection is lost, the program ends before it is done, or the run is told to stop. A
/// task that fails is no error here: the program reports it.
pub(crate) fn begin(
    place: &Place<'_>,
    errand: &Errand<'_>,
    on: &mut dyn FnMut(Report),
) -> (Option<Conversation>, Result<()>) {
    open::open(place, errand, on, &mut Data::None)
}

/// Runs a program on its own whose standard output is data, which goes to `sink`.
///
/// # Errors
///
/// As [`begin`], and what the sink says.
pub(crate) fn read(
    place: &Place<'_>,
    errand: &Errand<'_>,
    on: &mut dyn FnMut(Report),
    sink: &mut Sink<'_>,
) -> Result<()> {
    let (conversation, result) = open::open(place, errand, on, &mut Data::Out(&mut *sink));
    result?;
    // What was said about data may overtake the data itself: all of it is here when the shell has ended.
    let before = conversation.map_or(Ok(Vec::new()), |conversation| conversation.drain(sink))?;
    if !before.is_empty() {
        on(Report::Note(stray(&before)));
    }
    Ok(())
}

/// What the user is told of a text that came before data.
fn stray(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let line: String = text.lines().next().unwrap_or_default().chars().take(60).flat_map(char::escape_debug).collect();
    format!("a file such as ~/.bashrc on the server prints `{line}` before every command; it was kept out of the data")
}

/// Runs a program on its own that takes all of `source`.
///
/// # Errors
///
/// As [`begin`].
pub(crate) fn write(
    place: &Place<'_>,
    errand: &Errand<'_>,
    on: &mut dyn FnMut(Report),
    source: &mut (dyn Read + Send),
) -> Result<()> {
    open::open(place, errand, on, &mut Data::In(source)).1
}

impl Conversation {
    /// Runs one more program. See [`begin`].
    pub(crate) fn run(mut self, errand: &Errand<'_>, on: &mut dyn FnMut(Report)) -> (Option<Conversation>, Result<()>) {
        self.number += 1;
        let text = errand.program.addition(&mut self.known);
        self.decoder.expect(self.number, errand.program.steps.len());
        let (kind, text) = if self.unpacks && text.len() >= WORTH_PACKING { ('Z', pack(&text)) } else { ('P', text) };
        let header = format!("{kind} {} {}\n", text.len(), self.number);
        // If nobody is there any more, the output says why.
        self.process.stdin.send([header.as_bytes(), &text].concat());
        match self.listen(errand, &mut Partner::known(), on, &mut Data::None) {
            Ok(()) => (Some(self), Ok(())),
            Err(Break::Told(error)) => (Some(self), Err(error)),
            Err(Break::Gone(error)) => (None, Err(error)),
            Err(Break::NeverBegun(exit)) => unreachable!("it has begun long ago: {exit:?}"),
        }
    }

    /// Tells the server that we are here, if that is due. False when nobody is there to be told.
    pub(crate) fn beat(&mut self) -> bool {
        if self.beaten.elapsed() < BEAT {
            return true;
        }
        self.beaten = Instant::now();
        self.process.stdin.send(b"H\n".to_vec())
    }

    /// Tells the server that this is the end. It gives up what it holds.
    pub(crate) fn begin_end(&mut self) {
        self.process.stdin.send(b"Q\n".to_vec());
    }
}

/// What a server said that none of our programs says.
fn nonsense(what: &str) -> Error {
    Error::connection(format!("the server said what our programs don't say: {what}"))
        .hint("what it does can't be known; is it the machine that you mean, and is nobody else at work on it?")
}
