//! Questions on the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rpassword::ConfigBuilder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::outlet::{Goes, pass};
use super::screen::Screen;
use super::settings::Surroundings;
use super::text::harmless_lines;
use super::{Ask, Console, Shown};
use crate::secret;

/// How often an open question looks whether it is still wanted.
const LOOK_UP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Asks on the process's terminal, wherever the standard streams lead: one question at a time, while output waits.
///
/// Where nobody watches, neither on standard input nor on standard error, nothing is asked.
pub struct Terminal {
    screen: Arc<Screen>,
    /// `None` where nobody would answer.
    device: Option<String>,
    surroundings: Surroundings,
    interrupted: Arc<AtomicBool>,
    /// What has to be shown before a question is.
    shown: Shown,
}

impl Terminal {
    pub(super) fn new(screen: Arc<Screen>, surroundings: Surroundings, interrupted: Arc<AtomicBool>) -> Terminal {
        let device = surroundings.interactive.then(|| "/dev/tty".to_owned());
        Terminal { screen, device, surroundings, interrupted, shown: Shown::default() }
    }

    /// The same, whose questions come after what was told before them.
    pub(super) fn after(self, shown: Shown) -> Terminal {
        Terminal { shown, ..self }
    }

    /// A terminal for questions outside of a run, where nothing else is written meanwhile.
    pub fn alone(surroundings: Surroundings, interrupted: Arc<AtomicBool>) -> Terminal {
        Terminal::new(Screen::own(surroundings), surroundings, interrupted)
    }

    /// Puts `question` and lets `read` have the answer from the device. `None` if nobody answers.
    fn ask(&self, question: &str, read: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        let device = self.device.as_ref()?;
        self.shown.catch_up();
        let _held = self.screen.hold();
        if self.interrupted.load(Relaxed) {
            return None;
        }
        let mut output = OpenOptions::new().append(true).open(device).ok()?;
        // Servers word some questions: they get no say over the terminal.
        let question = harmless_lines(question).collect::<Vec<_>>().join("\n");
        write!(output, "{} ", pass(question.trim_end(), Goes::ToTerminal)).ok()?;
        let answer = read(device);
        if answer.is_none() {
            let _ = writeln!(output);
        }
        answer
    }

    /// A line of input, without its end.
    fn line(&self, device: &str) -> Option<String> {
        let mut input = File::open(device).ok()?;
        let mut line = Vec::new();
        while !line.contains(&b'\n') {
            self.wait_for_input(&input)?;
            let mut buffer = [0; 256];
            match input.read(&mut buffer) {
                Ok(0) if line.is_empty() => return None,
                Ok(0) => break,
                Ok(count) => line.extend(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        String::from_utf8_lossy(&line).lines().next().map(str::to_owned)
    }

    /// Waits until something can be read. `None` when the question is no longer wanted.
    fn wait_for_input(&self, input: &File) -> Option<()> {
        while !self.interrupted.load(Relaxed) {
            // macOS can't poll a terminal and says so at once, by `NVAL`. The read that follows then waits itself.
            match poll(&mut [PollFd::new(input, PollFlags::IN)], Some(&LOOK_UP)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Some(()),
                Err(_) => return None,
            }
        }
        None
    }
}

impl Ask for Terminal {
    fn text(&self, question: &str) -> Option<String> {
        self.ask(question, |device| self.line(device))
    }

    fn secret(&self, question: &str) -> Option<String> {
        let answer = self.ask(question, |device| {
            let config = ConfigBuilder::new().input_file_path(device).output_file_path(device).build();
            rpassword::read_password_with_config(config).ok()
        });
        answer.inspect(|answer| secret::keep(answer))
    }

    fn confirm(&self, question: &str) -> Option<bool> {
        let answer = self.text(&format!("{question} [y/N]"))?;
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    fn console(&self) -> Console<'_> {
        Console::lend(self.screen.hold(), self.surroundings, Arc::clone(&self.interrupted))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A terminal on which `typed` was typed already. What is written to it stands behind that.
    fn typed(typed: &str) -> (tempfile::NamedTempFile, Terminal) {
        let device = tempfile::NamedTempFile::new().unwrap();
        fs::write(device.path(), typed).unwrap();
        let screen = Screen::of_terminals(Box::new(io::sink()), Box::new(io::sink()));
        let mut terminal = Terminal::new(screen, Surroundings::default(), Arc::default());
        terminal.device = device.path().to_str().map(str::to_owned);
        (device, terminal)
    }

    #[test]
    fn an_answer_is_a_line() {
        let (device, terminal) = typed("app with spaces \r\n");
        assert_eq!(terminal.text("name:\x1b[2J\n").as_deref(), Some("app with spaces "));
        assert!(fs::read_to_string(device.path()).unwrap().ends_with("\nname:\\x1b[2J "));
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, meaning) in [("y\n", true), ("YES\n", true), ("\n", false), ("n\n", false), ("yeah\n", false)] {
            let (device, terminal) = typed(answer);
            assert_eq!(terminal.confirm("go on?"), Some(meaning), "{answer:?}");
            assert!(fs::read_to_string(device.path()).unwrap().ends_with("go on? [y/N] "));
        }
    }

    #[test]
    fn a_secret_is_read_and_not_written() {
        let (device, terminal) = typed("hunter2\n");
        assert_eq!(terminal.secret("password:").as_deref(), Some("hunter2"));
        assert_eq!(fs::read_to_string(device.path()).unwrap(), "hunter2\npassword: ");
    }

    #[test]
    fn without_a_terminal_there_is_no_answer() {
        let terminal = Terminal::alone(Surroundings::default(), Arc::default());
        assert_eq!(terminal.text("name:"), None);
        assert_eq!(terminal.secret("password:"), None);
        assert_eq!(terminal.confirm("go on?"), None);
    }

    #[test]
    fn an_interruption_ends_the_question() {
        let (_device, mut terminal) = typed("y\n");
        terminal.interrupted = Arc::new(AtomicBool::new(true));
        assert_eq!(terminal.confirm("go on?"), None);
        assert_eq!(terminal.secret("password:"), None);
    }
}
