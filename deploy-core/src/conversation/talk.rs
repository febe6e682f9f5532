//! What is said while a program runs: its reports, the words that its tasks wait for, and our signs of life.

use std::io::Read;
use std::thread::Scope;
use std::time::Instant;

use super::exit::how;
use super::feed::{Input, feed, pour};
use super::{BEAT, Conversation, Errand, GLANCE, GRACE, GRACE_OF_STRANGERS, MOST_STRAYS, Place, Sink, nonsense};
use crate::error::Error;
use crate::event::Stream;
use crate::script::{Beginning, Decoder, Report};
use crate::transport::{Exit, Nobody, Output, Process};

/// Why a talk ends before the program is over.
pub(super) enum Break {
    /// The server's shell ended before it greeted.
    NeverBegun(Exit),
    /// The server is gone, or not to be understood.
    Gone(Error),
    /// The run was told to stop, and so was the program. The conversation can go on.
    Told(Error),
}

/// What is known of the server's side.
pub(super) struct Partner<'p> {
    /// Where it is, until it has greeted.
    strange: Option<(&'p Place<'p>, Instant)>,
    /// What it said before that.
    pub(super) strays: Vec<String>,
}

impl<'p> Partner<'p> {
    /// One that has said nothing yet.
    pub(super) fn stranger(place: &'p Place<'p>) -> Partner<'p> {
        Partner { strange: Some((place, Instant::now())), strays: Vec::new() }
    }

    /// One that is known.
    pub(super) fn known() -> Partner<'p> {
        Partner { strange: None, strays: Vec::new() }
    }

    /// Keeps what it says before it greets.
    fn hear(&mut self, line: &[u8]) {
        if self.strange.is_some() && self.strays.len() < MOST_STRAYS {
            self.strays.push(String::from_utf8_lossy(line).into_owned());
        }
    }

    /// What stands in the way of a greeting.
    fn look(&self) -> Option<Error> {
        let (place, since) = self.strange?;
        place.too_narrow().or_else(|| (since.elapsed() > place.patience).then(|| place.silent()))
    }

    /// `error`, with what the server said before it greeted.
    pub(super) fn explain(&self, error: Error) -> Error {
        if self.strange.is_none() || self.strays.is_empty() { error } else { error.and_detail(&self.strays.join("\n")) }
    }
}

/// Data that goes through a program, besides what is said about it.
pub(super) enum Data<'d> {
    /// None.
    None,
    /// What it writes to its standard output. An error ends the program.
    Out(&'d mut Sink<'d>),
    /// What it reads from its standard input, to its end.
    In(&'d mut (dyn Read + Send)),
}

/// A program that runs.
struct Running<'t, 'p, 'd, 's, 'e> {
    errand: &'s Errand<'s>,
    scope: &'s Scope<'s, 'e>,
    partner: &'t mut Partner<'p>,
    on: &'t mut dyn FnMut(Report),
    /// Where the standard output goes, where it is data.
    sink: Option<&'t mut Sink<'d>>,
    input: Input<'s>,
    /// Whether the input is data, and no frames.
    pours: bool,
    beaten: &'t mut Instant,
    /// Why the program is to end, and when we stop waiting for that.
    told: Option<Told>,
    /// The status with which the program ended.
    finished: Option<i32>,
    /// How many tasks ended well, and whether one didn't.
    done: usize,
    failed: bool,
    /// Whether a task was told not to begin.
    denied: bool,
    nonsense: Option<String>,
}

/// That a program is to end.
struct Told {
    why: Error,
    /// When we stop waiting for it.
    until: Instant,
    /// Whether the server knows.
    is_sent: bool,
}

impl Conversation {
    /// Listens until the program is over.
    pub(super) fn listen(
        &mut self,
        errand: &Errand<'_>,
        partner: &mut Partner<'_>,
        on: &mut dyn FnMut(Report),
        data: &mut Data<'_>,
    ) -> std::result::Result<(), Break> {
        let (sink, source) = match data {
            Data::None => (None, None),
            Data::Out(sink) => (Some(&mut **sink), None),
            Data::In(source) => (None, Some(&mut **source)),
        };
        let Conversation { process, decoder, beginning, beaten, .. } = self;
        let (ended, failed) = std::thread::scope(|scope| {
            let stdin = std::mem::replace(&mut process.stdin, Box::new(Nobody));
            let mut running = Running {
                errand,
                scope,
                partner,
                on,
                sink,
                input: Input::new(stdin),
                pours: source.is_some(),
                beaten,
                told: None,
                finished: None,
                done: 0,
                failed: false,
                denied: false,
                nonsense: None,
            };
            if let Some(source) = source {
                running.input.lend(scope, |stdin| pour(stdin, source, errand.stop));
            } else if errand.program.gated.is_empty() {
                running.feed();
            }
            let ended = running.hold(process, decoder, beginning);
            let failed = running.failed;
            process.stdin = running.input.settle();
            (ended, failed)
        });
        self.all_well &= !failed && ended.is_ok();
        ended
    }
}

impl Running<'_, '_, '_, '_, '_> {
    fn hold(
        &mut self,
        process: &mut Process,
        decoder: &mut Decoder,
        beginning: &mut Beginning,
    ) -> std::result::Result<(), Break> {
        let is_data = self.sink.is_some();
        while self.finished.is_none() {
            let output = process.next(Instant::now() + GLANCE);
            let mut report = |report| self.report(report);
            match output {
                Some(Output::Stdout(bytes)) if is_data => self.take(beginning, &bytes),
                Some(Output::Stdout(bytes)) => decoder.feed(Stream::Stdout, &bytes, &mut report),
                Some(Output::Stderr(bytes)) => decoder.feed(Stream::Stderr, &bytes, &mut report),
                Some(Output::Exit(exit)) => {
                    decoder.finish(&mut report);
                    return Err(self.ended_early(exit));
                }
                Some(Output::Lost(error)) => {
                    decoder.finish(&mut report);
                    return Err(Break::Gone(self.why(error)));
                }
                None => {}
            }
            if !self.pours {
                beat(&mut self.input, self.beaten);
            }
            self.look_for_stop()?;
            if let Some(what) = self.nonsense.take() {
                return Err(Break::Gone(self.why(nonsense(&what))));
            }
            if let Some(error) = self.partner.look() {
                self.report(Report::NeverBegan);
                return Err(Break::Gone(self.why(error)));
            }
        }
        match self.told.take() {
            Some(told) => Err(Break::Told(told.why)),
            None => self.judge(),
        }
    }

    /// The shell that ran the tasks must agree with what they said about their ends.
    fn judge(&self) -> std::result::Result<(), Break> {
        let all = self.done == self.errand.program.steps.len();
        match self.finished.unwrap_or_default() {
            0 if self.failed || !(all || self.denied) => {
                Err(Break::Gone(nonsense("that all is done, though not each task ended well")))
            }
            0 => Ok(()),
            _ if self.failed => Ok(()),
            status => {
                let text = format!("the script ended with status {status}, though no task of it says that it failed");
                Err(Break::Gone(Error::task(text)))
            }
        }
    }

    /// Hands data over; where nobody wants it any more, the program is to end.
    fn take(&mut self, beginning: &mut Beginning, bytes: &[u8]) {
        let Some(data) = beginning.pass(bytes) else {
            self.nonsense = Some(NO_BEGINNING.to_owned());
            return;
        };
        if self.told.is_none()
            && !data.is_empty()
            && let Some(Err(error)) = self.sink.as_mut().map(|sink| sink(&data))
        {
            self.end_because(error);
        }
    }

    fn report(&mut self, report: Report) {
        match &report {
            Report::Greeted => self.greeted(),
            Report::Line { task: None, line, .. } => self.partner.hear(line),
            Report::Waiting(task) => {
                let word = if self.decide(*task) { "yes" } else { "no" };
                self.denied |= word == "no";
                self.input.send(format!("G {word}\n").into_bytes());
            }
            Report::Began(task)
                if !self.errand.program.gated.is_empty() && self.errand.program.fed.first() == Some(task) =>
            {
                self.feed();
            }
            Report::Ended(_, 0) => self.done += 1,
            Report::Ended(..) => self.failed = true,
            Report::Finished(status) => self.finished = Some(*status),
            Report::Nonsense(what) => self.nonsense = Some(what.clone()),
            _ => {}
        }
        (self.on)(report);
    }

    /// The server is there after all. Where it was told to end what runs, it has something to end.
    fn greeted(&mut self) {
        self.partner.strange = None;
        if let Some(told) = &mut self.told {
            told.until = Instant::now() + GRACE;
        }
    }

    /// Asks whether a task may begin, and lets the server know meanwhile that we are here.
    fn decide(&mut self, task: usize) -> bool {
        let (input, beaten) = (&mut self.input, &mut *self.beaten);
        (self.errand.permit)(task, &mut || beat(input, beaten))
    }

    /// Begins to send the payloads.
    fn feed(&mut self) {
        let Errand { payloads, stop, .. } = *self.errand;
        if !payloads.is_empty() {
            self.input.lend(self.scope, move |stdin| payloads.iter().for_each(|payload| feed(stdin, payload, stop)));
        }
    }

    /// Tells the program to end when the run is told to stop, and gives it time for that.
    fn look_for_stop(&mut self) -> std::result::Result<(), Break> {
        if self.told.is_none()
            && let Some(error) = self.errand.stop.requested()
        {
            self.end_because(error);
        }
        if self.told.is_none() && self.errand.until.is_some_and(|until| Instant::now() > until) {
            self.end_because(Error::task("the server took longer than it may, and was told to end it"));
        }
        let Some(told) = &mut self.told else { return Ok(()) };
        // What is half sent has to be sent to its end first.
        if !told.is_sent && self.input.is_ours() {
            told.is_sent = true;
            if !self.pours {
                self.input.send(b"X\n".to_vec());
            }
        }
        match self.told.take_if(|told| Instant::now() > told.until) {
            Some(told) => Err(Break::Gone(told.why.hint("the server didn't confirm that the script has ended"))),
            None => Ok(()),
        }
    }

    fn end_because(&mut self, why: Error) {
        let grace = if self.partner.strange.is_some() { GRACE_OF_STRANGERS } else { GRACE };
        self.told = Some(Told { why, until: Instant::now() + grace, is_sent: false });
    }

    /// A program that was told to stop ends for that reason, whatever its end looks like.
    fn why(&mut self, error: Error) -> Error {
        self.told.take().map_or(error, |told| told.why)
    }

    /// The server's shell ended before the program was over.
    fn ended_early(&mut self, exit: Exit) -> Break {
        if self.partner.strange.is_some() && self.told.is_none() {
            return Break::NeverBegun(exit);
        }
        let error = match exit {
            Exit::Status(NO_ROOM) => Error::task("the server has no room for what it was sent")
                .hint("see `df -h` there, and where temporary files go: `tmp_dir` in deploy.toml"),
            Exit::Status(NO_FOLDER) => Error::task("the server has no place for temporary files")
                .hint("name a folder in which the user may write: `tmp_dir` in deploy.toml"),
            exit => Error::task(format!("the server's shell ended {} before the script was done", how(&exit))),
        };
        Break::Gone(self.why(error))
    }
}

/// A server whose data has no beginning.
pub(super) const NO_BEGINNING: &str = "data that doesn't begin as ours does";

/// The status of a server's shell that can't store what it is sent, in `frame.sh`.
const NO_ROOM: i32 = 97;

/// The status of a server's shell that finds no place for its files, in `frame.sh`.
const NO_FOLDER: i32 = 98;

fn beat(input: &mut Input<'_>, beaten: &mut Instant) {
    if beaten.elapsed() >= BEAT && input.is_ours() {
        *beaten = Instant::now();
        input.send(b"H\n".to_vec());
    }
}
