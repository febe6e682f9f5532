//! How a conversation ends.

use std::time::{Duration, Instant};

use super::exit::how;
use super::talk::NO_BEGINNING;
use super::{Conversation, FAREWELL, Sink, nonsense};
use crate::error::{Error, Result};
use crate::event::Stream;
use crate::script::Report;
use crate::transport::{Exit, Output};

/// How long to wait for the shell's end once it has said goodbye.
const LAST_WORD: Duration = Duration::from_millis(500);

impl Conversation {
    /// Waits for the good end that was begun.
    ///
    /// # Errors
    ///
    /// When it doesn't come, or the server's shell doesn't agree with what its programs said.
    pub(crate) fn part(mut self) -> Result<()> {
        self.hear_out(&mut |_| Ok(()))
    }

    /// Ends a talk whose standard output is data: takes in what is still on its way. Returns what came before the data.
    ///
    /// # Errors
    ///
    /// As [`part`](Conversation::part), and what the sink says.
    pub(super) fn drain(mut self, sink: &mut Sink<'_>) -> Result<Vec<u8>> {
        self.begin_end();
        self.hear_out(sink)?;
        Ok(self.beginning.before().to_owned())
    }

    /// Ends, and waits for that.
    ///
    /// # Errors
    ///
    /// As [`part`](Conversation::part).
    pub(crate) fn end(mut self) -> Result<()> {
        self.begin_end();
        self.part()
    }

    /// Whether the server is still there, as far as is known.
    pub(crate) fn is_alive(&mut self) -> bool {
        loop {
            match self.process.next(Instant::now()) {
                Some(Output::Exit(_) | Output::Lost(_)) => return false,
                Some(Output::Stdout(bytes)) => self.decoder.feed(Stream::Stdout, &bytes, &mut |_| {}),
                Some(Output::Stderr(bytes)) => self.decoder.feed(Stream::Stderr, &bytes, &mut |_| {}),
                None => return true,
            }
        }
    }

    fn hear_out(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let until = Instant::now() + FAREWELL;
        let Conversation { process, decoder, beginning, .. } = self;
        let is_data = decoder.is_of_standard_error();
        let (mut parted, mut exited) = (None, None);
        while exited.is_none() {
            // A daemon that a task started may hold the streams open: then the shell's own end isn't told.
            let patience = if parted.is_some() && !is_data { LAST_WORD } else { FAREWELL };
            let mut hear = |report| {
                if let Report::Parted(status) = report {
                    parted = Some(status);
                }
            };
            match process.next(until.min(Instant::now() + patience)) {
                Some(Output::Stdout(bytes)) if is_data => match beginning.pass(&bytes) {
                    Some(data) => sink(&data)?,
                    None => return Err(nonsense(NO_BEGINNING)),
                },
                Some(Output::Stdout(bytes)) => decoder.feed(Stream::Stdout, &bytes, &mut hear),
                Some(Output::Stderr(bytes)) => decoder.feed(Stream::Stderr, &bytes, &mut hear),
                Some(Output::Exit(exit)) => exited = Some(exit),
                Some(Output::Lost(error)) => return Err(error),
                None => break,
            }
        }
        if is_data && !beginning.is_found() {
            return Err(nonsense(NO_BEGINNING));
        }
        let expected = i32::from(!self.all_well);
        match (parted, exited) {
            (Some(status), None | Some(Exit::Unknown)) if status == expected => Ok(()),
            (Some(status), Some(Exit::Status(exit))) if status == expected && exit == expected => Ok(()),
            (None, None) => Err(Error::connection("the server didn't say that it has given up what it held")),
            (_, exit) => Err(nonsense(&format!(
                "its shell ended {}, and its programs with status {expected}",
                exit.map_or_else(|| "otherwise".to_owned(), |exit| how(&exit))
            ))),
        }
    }
}
