//! What the user wants to see, and where it is shown.

use std::env;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::str::FromStr;

use super::outlet::{Goes, Target};
use crate::error::{Error, nearest};

/// How a run is shown, as `--format` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// With signs and colours on a terminal; the same as `plain` elsewhere.
    #[default]
    Pretty,
    /// Text without signs and colours.
    Plain,
    /// One JSON object per line on standard output, and nothing else there.
    Json,
}

impl Format {
    /// The names, in the order in which help lists them.
    pub const NAMES: [&str; 3] = ["pretty", "plain", "json"];
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Format, Error> {
        match name {
            "pretty" => Ok(Format::Pretty),
            "plain" => Ok(Format::Plain),
            "json" => Ok(Format::Json),
            _ => {
                let error = Error::usage(format!("there is no output format `{name}`"));
                Err(match nearest(name, Format::NAMES) {
                    Some(known) => error.hint(format!("did you mean `--format {known}`?")),
                    None => error
                        .hint(format!("the formats are {}", Format::NAMES.map(|name| format!("`{name}`")).join(", "))),
                })
            }
        }
    }
}

/// How much is shown. The log file has everything in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and failures (`-q`).
    Quiet,
    /// Tasks and their results.
    #[default]
    Normal,
    /// Every line of output too, and what went over the wire (`-v`).
    Verbose,
}

/// Which stream a run is shown on, other than its warnings and failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownOn {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error: standard output is for the result. JSON goes to standard output all the same.
    Stderr,
}

/// What the process's standard streams are.
///
/// It is read from the environment in one place, [`Surroundings::detect`], so that tests can say what they like. By
/// default nothing is a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Somebody is there to answer questions: standard input or standard error is a terminal.
    pub interactive: bool,
    /// Terminals may get colours: `NO_COLOR` is unset or empty, and `TERM` is not `dumb`.
    pub colour: bool,
    /// Terminals can redraw a line: `TERM` is not `dumb`.
    pub redraws: bool,
    /// How many columns the terminal on standard output has.
    pub width: Option<usize>,
    /// How many columns the terminal on standard error has.
    pub stderr_width: Option<usize>,
}

impl Surroundings {
    /// Those of this process.
    pub fn detect() -> Surroundings {
        let stdin_is_terminal = io::stdin().is_terminal();
        let stderr_is_terminal = io::stderr().is_terminal();
        let redraws = env::var_os("TERM").is_none_or(|term| term != "dumb");
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Surroundings {
            stdin_is_terminal,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal,
            interactive: stderr_is_terminal || stdin_is_terminal,
            colour: !no_colour && redraws,
            redraws,
            width: columns(io::stdout()),
            stderr_width: columns(io::stderr()),
        }
    }

    /// What reads standard output.
    pub(super) fn stdout_goes(&self) -> Goes {
        Goes::to(self.stdout_is_terminal, self.colour)
    }

    /// What reads standard error.
    pub(super) fn stderr_goes(&self) -> Goes {
        Goes::to(self.stderr_is_terminal, self.colour)
    }
}

/// How many columns `stream` has, if it is a terminal that knows.
fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// What kind of terminal this process runs on, as `TERM` says.
pub(super) fn terminal_kind() -> String {
    env::var("TERM").unwrap_or_else(|_| "dumb".to_owned())
}

/// What a [`Ui`](super::Ui) is started with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How a run is shown.
    pub format: Format,
    /// How much is shown.
    pub verbosity: Verbosity,
    /// Which stream it is shown on.
    pub shown_on: ShownOn,
    /// What the streams are.
    pub surroundings: Surroundings,
}

/// How text looks, as it follows from the [`Settings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Where the run is shown, other than warnings and failures.
    pub(super) run: Target,
    /// Results begin with a sign.
    pub(super) signs: bool,
    /// Colours where the run is shown.
    pub(super) colour_run: bool,
    /// Colours on standard error.
    pub(super) colour_err: bool,
    /// The run's lines are cut to this width.
    pub(super) width: Option<usize>,
    /// Transfers have a line at the bottom that is redrawn.
    pub(super) live: bool,
    pub(super) verbosity: Verbosity,
}

impl Settings {
    pub(super) fn look(&self) -> Look {
        let Surroundings { stdout_is_terminal, stderr_is_terminal, colour, width, stderr_width, .. } =
            self.surroundings;
        let (run, is_terminal, width) = match self.shown_on {
            ShownOn::Stdout => (Target::Out, stdout_is_terminal, width),
            ShownOn::Stderr => (Target::Err, stderr_is_terminal, stderr_width),
        };
        let pretty = self.format == Format::Pretty;
        Look {
            run,
            signs: pretty && is_terminal,
            colour_run: pretty && colour && is_terminal,
            colour_err: pretty && colour && stderr_is_terminal,
            width: width.filter(|_| is_terminal),
            live: pretty && is_terminal && self.surroundings.redraws,
            verbosity: self.verbosity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_name() {
        let formats = Format::NAMES.map(|name| name.parse::<Format>().unwrap());
        assert_eq!(formats, [Format::Pretty, Format::Plain, Format::Json]);
    }

    #[test]
    fn an_unknown_format_is_an_error_that_helps() {
        let error = "jsno".parse::<Format>().unwrap_err();
        assert_eq!(error.to_string(), "there is no output format `jsno`\n  hint: did you mean `--format json`?");
        let error = "xml".parse::<Format>().unwrap_err();
        assert_eq!(error.hint_texts(), ["the formats are `pretty`, `plain`, `json`"]);
    }

    #[test]
    fn nothing_is_coloured_where_no_terminal_is() {
        let terminal = Surroundings {
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            colour: true,
            ..Surroundings::default()
        };
        let look = |surroundings| Settings { surroundings, ..Settings::default() }.look();
        assert!(look(terminal).colour_run && look(terminal).colour_err && look(terminal).signs);
        let piped = look(Surroundings { stdout_is_terminal: false, ..terminal });
        assert!(!piped.colour_run && !piped.signs && piped.colour_err);
        let no_colour = look(Surroundings { colour: false, ..terminal });
        assert!(!no_colour.colour_run && !no_colour.colour_err && no_colour.signs);
    }
    #[test]
    fn what_is_shown_on_standard_error_looks_as_fits_there() {
        let shown = |stdout_is_terminal, stderr_is_terminal| {
            let surroundings = Surroundings {
                stdout_is_terminal,
                stderr_is_terminal,
                colour: true,
                width: Some(80),
                stderr_width: Some(100),
                ..Surroundings::default()
            };
            Settings { surroundings, shown_on: ShownOn::Stderr, ..Settings::default() }.look()
        };
        let (piped, kept) = (shown(false, true), shown(true, false));
        assert!(piped.signs && piped.colour_run && piped.run == Target::Err && piped.width == Some(100));
        assert!(!kept.signs && !kept.colour_run && kept.run == Target::Err && kept.width.is_none());
    }
}
