//! How a conversation begins: the command is run, and the server greets.

use std::time::Instant;

use super::exit::how;
use super::talk::{Break, Data, Partner};
use super::{Conversation, Errand, Place};
use crate::error::{Error, Result};
use crate::script::{Beginning, Decoder, Opening, Report, Talk, nonce};
use crate::transport::Exit;

/// Begins a conversation, and listens until its first program is over.
pub(super) fn open(
    place: &Place<'_>,
    errand: &Errand<'_>,
    on: &mut dyn FnMut(Report),
    data: &mut Data<'_>,
) -> (Option<Conversation>, Result<()>) {
    let talk = match data {
        Data::None => Talk::Programs,
        Data::Out(_) => Talk::DataOut,
        Data::In(_) => Talk::DataIn,
    };
    // Some servers can't unpack the text of a command. Then nothing has run yet.
    for plainly in [false, true] {
        let mut conversation = match begin(place, errand, talk, plainly) {
            Ok(conversation) => conversation,
            Err(error) => return (None, Err(error)),
        };
        let mut partner = Partner::stranger(place);
        match conversation.listen(errand, &mut partner, on, data) {
            Ok(()) => return (Some(conversation), Ok(())),
            Err(Break::NeverBegun(_)) if !plainly => {}
            Err(Break::NeverBegun(exit)) => {
                on(Report::NeverBegan);
                return (None, Err(place.never_begun(&exit, &partner.strays)));
            }
            Err(Break::Gone(error)) => return (None, Err(partner.explain(error))),
            Err(Break::Told(error)) => return (Some(conversation), Err(error)),
        }
    }
    unreachable!("the second attempt returns")
}

fn begin(place: &Place<'_>, errand: &Errand<'_>, talk: Talk, plainly: bool) -> Result<Conversation> {
    let hello = nonce()?;
    let Opening { command, input, known, unpacks } = Opening::new(place.shell, errand.program, talk, &hello, plainly);
    let mut process = place.transport.exec(&command);
    if !input.is_empty() {
        process.stdin.send(input);
    }
    let tasks = errand.program.steps.len();
    let decoder = match talk {
        Talk::DataOut => Decoder::of_standard_error(&hello, tasks),
        Talk::Programs | Talk::DataIn => Decoder::new(&hello, tasks),
    };
    let beginning = Beginning::new(&hello);
    let beaten = Instant::now();
    Ok(Conversation { process, decoder, beginning, known, unpacks, number: 0, beaten, all_well: true })
}

impl Place<'_> {
    /// The server doesn't let as many commands run side by side as are needed.
    pub(super) fn too_narrow(&self) -> Option<Error> {
        let sessions = self.transport.sessions().filter(|sessions| *sessions < self.sessions)?;
        let needed = self.sessions;
        Some(
            Error::connection(format!("the server allows {sessions} session on a connection, and {needed} are needed"))
                .hint(format!("set MaxSessions to {needed} or more in the server's sshd_config")),
        )
    }

    /// The server has let us in, and begins nothing.
    pub(super) fn silent(&self) -> Error {
        let seconds = self.patience.as_secs();
        Error::connection(format!("the server let us in, and within {seconds} seconds it began to run no command"))
            .hint("does ~/.bashrc there, or what else the shell of this user reads, start another shell or wait for something?")
            .hints(self.by_hand())
    }

    /// The server's shell ended before it began to run what it was sent.
    fn never_begun(&self, exit: &Exit, strays: &[String]) -> Error {
        let error = match strays.last() {
            Some(line) => Error::connection(format!("the server runs no command for this user; it says: {line}")),
            None => Error::connection(format!("the server's shell ended {}, and ran nothing", how(exit))),
        };
        let error = if strays.len() > 1 { error.detail(strays.join("\n")) } else { error };
        error.hint("what does the user's login shell do with a command there?").hints(self.by_hand())
    }

    /// The line to try it by, where there is one.
    fn by_hand(&self) -> Option<String> {
        self.transport.by_hand("true").map(|line| format!("try it by hand: {line}"))
    }
}
