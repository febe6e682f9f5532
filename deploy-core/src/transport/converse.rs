//! The talk between a user and a command.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::process::{Exit, Nobody, Output, Process, Stdin};
use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::ui::{Console, Keyboard, Size, Typed};

/// How often it is looked whether the talk has to end.
const GLANCE: Duration = Duration::from_millis(100);

/// Lets the user at `console` talk with `process` until it ends. `resize` hears of the terminal's new sizes.
pub(super) fn converse(
    mut process: Process,
    console: &Console<'_>,
    resize: &(dyn Fn(Size) + Sync),
) -> Result<Exit, Error> {
    let unreadable = |error| Error::task("failed to read from the terminal").because(anyhow::Error::from(error));
    let keyboard = console.keyboard().map_err(unreadable)?;
    let stopper = keyboard.stopper().map_err(unreadable)?;
    let stdin = std::mem::replace(&mut process.stdin, Box::new(Nobody));
    let has_left = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stopper = stopper;
        scope.spawn(|| has_left.store(type_into(stdin, keyboard, resize), SeqCst));
        show(process, console, &has_left)
    })
}

/// Hands over what is typed. Returns whether the user left.
fn type_into(mut stdin: Box<dyn Stdin>, keyboard: Keyboard<'_>, resize: &dyn Fn(Size)) -> bool {
    for typed in keyboard {
        match typed {
            Typed::Keys(keys) => {
                // Where nobody reads any more, the process has ended, which is told elsewhere.
                let _ = stdin.send(keys);
            }
            Typed::Resized(size) => resize(size),
            Typed::End => stdin.close(),
            Typed::Leave => return true,
        }
    }
    false
}

/// Shows what comes, until nothing more will.
fn show(mut process: Process, console: &Console<'_>, has_left: &AtomicBool) -> Result<Exit, Error> {
    loop {
        match process.next(Instant::now() + GLANCE) {
            Some(Output::Stdout(bytes)) => console.show(Stream::Stdout, &bytes),
            Some(Output::Stderr(bytes)) => console.show(Stream::Stderr, &bytes),
            Some(Output::Exit(exit)) => return Ok(exit),
            Some(Output::Lost(error)) if console.window().is_some() => {
                return Err(error.hint("if the terminal looks odd now: reset"));
            }
            Some(Output::Lost(error)) => return Err(error),
            None => {}
        }
        if has_left.load(SeqCst) {
            return Err(Error::new(ErrorKind::Interrupted, "left by `~.`"));
        }
        if console.is_wanted_back() {
            return Err(interrupted());
        }
    }
}

/// The error of a talk that a signal ended.
pub(super) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted")
}

#[cfg(test)]
mod tests {
    use crate::transport::fake::Fake;

    use super::*;

    #[test]
    fn where_nobody_sits_the_command_reads_the_end_at_once() {
        let fake = Fake::new(|call| {
            assert_eq!(call.read_to_end(), b"");
            call.stdout("=> ");
            Ok(Exit::Status(3))
        });
        assert_eq!(fake.login("db1").interact("psql", &Console::nobodys()).unwrap(), Exit::Status(3));
    }

    #[test]
    fn a_lost_connection_is_an_error() {
        let fake = Fake::new(|call| Err(Error::connection(format!("`{}` is gone", call.server()))));
        let error = fake.login("db1").interact("psql", &Console::nobodys()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert_eq!(error.to_string(), "`db1` is gone");
    }
}
