//! Events without the secrets in them: neither screen nor log gets to see one.

use crate::event::{Event, Failure, Outcome};
use crate::secret::{mask, mask_bytes};

/// The event with stars for the secrets in its texts.
pub(super) fn masked(event: Event) -> Event {
    match event {
        Event::Output { step, server, stream, line } => Event::Output { step, server, stream, line: mask_bytes(line) },
        Event::Disconnected { server, message } => Event::Disconnected { server, message: text(message) },
        Event::Progress { step, server, what, done, total } => {
            Event::Progress { step, server, what: text(what), done, total }
        }
        Event::Note { step, server, text: note } => Event::Note { step, server, text: text(note) },
        Event::Warning { step, server, text: warning } => Event::Warning { step, server, text: text(warning) },
        Event::Detail { server, text: detail } => Event::Detail { server, text: text(detail) },
        Event::Result { text: result } => Event::Result { text: text(result) },
        Event::StepFinished { step, server, elapsed, outcome: ended } => {
            Event::StepFinished { step, server, elapsed, outcome: outcome(ended) }
        }
        Event::Finished { elapsed, error, summary, traffic } => {
            Event::Finished { elapsed, error: error.map(text), summary: text(summary), traffic }
        }
        Event::Started(_) | Event::Connected { .. } | Event::StepStarted { .. } => event,
    }
}

fn text(text: String) -> String {
    mask(&text).into_owned()
}

fn outcome(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done => Outcome::Done,
        Outcome::Skipped(reason) => Outcome::Skipped(text(reason)),
        Outcome::Failed(failure) => Outcome::Failed(Failure {
            command: failure.command.map(text),
            position: failure.position,
            reason: text(failure.reason),
            tail: failure.tail.into_iter().map(text).collect(),
            hints: failure.hints.into_iter().map(text).collect(),
        }),
    }
}
