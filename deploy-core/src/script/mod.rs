//! What runs on a server: POSIX shell, composed from commands.
//!
//! A [`Script`] is a list of steps, not a text, so that a failure can be pinned to the step that failed, every value is
//! quoted, and each status of a pipe counts. Scripts of several tasks are fused into one [`Program`], which tells the
//! controller by markers where it stands; a [`Decoder`] turns its output back into what each task did.
//!
//! The rules hold for dash, bash and busybox ash: every task runs as a subshell under `set -eu`; its commands have
//! `/dev/null` for input; an `exit 0` before the last step is a failure.

mod beginning;
mod compile;
mod decode;
mod library;
mod opening;
mod quote;
mod shown;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;

use crate::error::{Error, Result};

pub(crate) use beginning::Beginning;
pub use compile::{Lock, Program, Shell, TaskScript, WorkDir, compile};
pub use decode::{Decoder, Report};
pub(crate) use opening::pack;
pub use opening::{Opening, Talk};
pub use quote::{quote, quote_expanding};

/// What is shown in the place of a secret.
pub(crate) const SECRET: &str = "[secret]";

/// A value in a script. It is quoted when the script is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    bytes: Vec<u8>,
    /// What is shown in its place.
    shown: Option<String>,
}

impl Arg {
    /// A value that is shown as `[secret]` wherever the command is shown.
    pub fn secret(value: impl Into<Arg>) -> Arg {
        Arg { shown: Some(SECRET.to_owned()), ..value.into() }
    }

    /// A long value that is shown by its name, as `[name]`, wherever the command is shown.
    pub fn brief(value: impl Into<Arg>, name: &str) -> Arg {
        Arg { shown: Some(format!("[{name}]")), ..value.into() }
    }

    fn is_secret(&self) -> bool {
        self.shown.as_deref() == Some(SECRET)
    }

    /// The value itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Arg {
        Arg { bytes: text.as_bytes().to_vec(), shown: None }
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Arg {
        Arg { bytes: text.into_bytes(), shown: None }
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Arg {
        Arg::from(text.as_str())
    }
}

impl From<&Arg> for Arg {
    fn from(arg: &Arg) -> Arg {
        arg.clone()
    }
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Arg {
        Arg { bytes, shown: None }
    }
}

impl From<usize> for Arg {
    fn from(number: usize) -> Arg {
        Arg::from(number.to_string())
    }
}

/// The value as it could be typed.
impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Some(shown) => f.write_str(shown),
            None => f.write_str(&String::from_utf8_lossy(&quote(&self.bytes))),
        }
    }
}

/// One simple command: a program and its arguments.
///
/// The stage's `command_prefix` applies to the program when the script is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Cmd {
    program: String,
    args: Vec<Arg>,
    env: Vec<(String, Arg)>,
    dir: Option<Arg>,
    unprefixed: bool,
    fed: bool,
    /// What a person would type instead.
    shown: Option<String>,
}

impl Cmd {
    /// Runs `program`, found on the server's `PATH`.
    pub fn new(program: impl Into<String>) -> Cmd {
        Cmd {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            unprefixed: false,
            fed: false,
            shown: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<Arg>) -> Cmd {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<Arg>>(mut self, args: impl IntoIterator<Item = A>) -> Cmd {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for this command alone.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<Arg>) -> Cmd {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs the command in the directory `dir`.
    pub fn dir(mut self, dir: impl Into<Arg>) -> Cmd {
        self.dir = Some(dir.into());
        self
    }

    /// Shows `text` wherever the command is shown: what a person would type to try the same by hand. What
    /// `command_prefix` has for the program stands before it.
    pub fn shown_as(mut self, text: impl Into<String>) -> Cmd {
        self.shown = Some(text.into());
        self
    }

    /// Runs the program itself, whatever `command_prefix` says.
    pub fn unprefixed(mut self) -> Cmd {
        self.unprefixed = true;
        self
    }

    /// Gives the command what the controller sends for the task as its standard input. See
    /// [`Task::feed`](crate::task::Task::feed).
    pub fn fed(mut self) -> Cmd {
        self.fed = true;
        self
    }
}

/// What a task does on one server: steps, in order, until the first that fails.
///
/// ```
/// use deploy_core::script::{Cmd, Script};
/// use deploy_core::sh;
///
/// let script = Script::new()
///     .run(Cmd::new("mkdir").args(["-p", "--", "/srv/my app/shared"]))
///     .pipe([Cmd::new("git").args(["archive", "HEAD"]), Cmd::new("tar").args(["-x", "-C", "/srv/my app"])])
///     .then(sh!("[ -e {} ] || deploy_note 'there is no log yet'", "/srv/my app/log"));
/// assert_eq!(script.len(), 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Script {
    steps: Vec<Step>,
    libraries: Vec<&'static str>,
    /// Values that must not be shown, whoever repeats them.
    secrets: Vec<Vec<u8>>,
}

/// What a program does after its last task, as long as the run lasts: it holds something on the server.
///
/// Both scripts are shell text; they run in the program's own shell.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    /// What happens at each of the controller's beats.
    pub on_beat: Script,
    /// What happens when the run is over, or the controller is gone.
    pub on_end: Script,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A simple command.
    Run(Cmd),
    /// Commands of which each reads what the one before it wrote. Every status counts.
    Pipe(Vec<Cmd>),
    /// Shell text in the task's own shell. Its pieces alternate with quoted values.
    Shell { text: Vec<u8>, label: String },
    /// Shell text of somebody else, in a shell of its own: nothing in it can reach the rest of the script.
    Opaque(String),
    /// The value of a fact, and of a variable of its name, is what the command writes. If the command fails, the script
    /// runs; where there is none, the step has failed.
    Fact(String, Cmd, Option<Script>),
    /// If the condition succeeds, the first script; else the second. The condition's failure is no failure.
    If(Cmd, Script, Script),
}

impl Script {
    /// A script that does nothing.
    pub fn new() -> Script {
        Script::default()
    }

    /// Adds a simple command.
    pub fn run(self, cmd: Cmd) -> Script {
        self.push(Step::Run(cmd))
    }

    /// Adds a pipe. It fails when any of its commands does.
    pub fn pipe(self, cmds: impl IntoIterator<Item = Cmd>) -> Script {
        self.push(Step::Pipe(cmds.into_iter().collect()))
    }

    /// Adds a command whose output (without the newlines at its end) becomes the fact `name`, which later phases read. The
    /// steps after it have it in the variable `name`.
    pub fn fact(self, name: impl Into<String>, cmd: Cmd) -> Script {
        self.push(Step::Fact(name.into(), cmd, None))
    }

    /// The same, and where the command fails, there is no fact and `otherwise` runs.
    pub fn fact_or(self, name: impl Into<String>, cmd: Cmd, otherwise: Script) -> Script {
        self.push(Step::Fact(name.into(), cmd, Some(otherwise)))
    }

    /// Adds `then` for where `condition` succeeds, and `otherwise` for where it doesn't.
    pub fn when(self, condition: Cmd, then: Script, otherwise: Script) -> Script {
        self.push(Step::If(condition, then, otherwise))
    }

    /// Adds shell text of a user's own as one command: it runs in a shell of its own under `set -eu`, `exit` ends that
    /// shell only, and of a pipe in it only the last status counts.
    pub fn opaque(self, text: impl Into<String>) -> Script {
        self.push(Step::Opaque(text.into()))
    }

    /// Adds the steps of `other`.
    pub fn then(mut self, other: Script) -> Script {
        self.steps.extend(other.steps);
        other.libraries.into_iter().for_each(|library| self.add_library(library));
        self.secrets.extend(other.secrets);
        self
    }

    /// Has the shell functions that `library` defines at hand. A program holds those that its tasks call, once. Each must
    /// begin with `name() {` at the start of a line.
    pub fn uses(mut self, library: &'static str) -> Script {
        self.add_library(library);
        self
    }

    fn add_library(&mut self, library: &'static str) {
        if !self.libraries.contains(&library) {
            self.libraries.push(library);
        }
    }

    /// How many steps there are, not counting those inside of conditions.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the script does nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Shell text with `{}` replaced by quoted values; what [`sh!`](crate::sh) makes.
    ///
    /// # Panics
    ///
    /// When there are more or fewer values than `{}`; the macro finds that out at compile time.
    pub fn shell(text: &str, args: &[Arg]) -> Script {
        let pieces = text.split("{}").collect::<Vec<_>>();
        assert_eq!(pieces.len(), args.len() + 1, "as many values as `{{}}` in {text:?}");
        let mut bytes = pieces[0].as_bytes().to_vec();
        let mut shown = pieces[0].to_owned();
        for (arg, piece) in args.iter().zip(&pieces[1..]) {
            bytes.extend_from_slice(&quote(arg.bytes()));
            bytes.extend_from_slice(piece.as_bytes());
            shown.push_str(&format!("{arg}{piece}"));
        }
        let secrets = args.iter().filter(|arg| arg.is_secret()).map(|arg| arg.bytes.clone()).collect();
        Script { secrets, ..Script::new().push(Step::Shell { text: bytes, label: shown.trim().to_owned() }) }
    }

    /// The values that must not be shown.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        self.secrets.iter().map(Vec::as_slice)
    }

    /// Whether there may be a secret in it: a value that is called one, or text of a user's own.
    fn is_private(&self) -> bool {
        let is_secret = |cmd: &Cmd| cmd.args.iter().chain(cmd.env.iter().map(|(_, value)| value)).any(Arg::is_secret);
        let step_is = |step: &Step| match step {
            Step::Run(cmd) => is_secret(cmd),
            Step::Pipe(cmds) => cmds.iter().any(is_secret),
            Step::Shell { .. } => false,
            Step::Opaque(_) => true,
            Step::Fact(_, cmd, otherwise) => is_secret(cmd) || otherwise.as_ref().is_some_and(Script::is_private),
            Step::If(condition, then, otherwise) => is_secret(condition) || then.is_private() || otherwise.is_private(),
        };
        !self.secrets.is_empty() || self.steps.iter().any(step_is)
    }

    fn push(mut self, step: Step) -> Script {
        self.secrets.extend(step.secrets());
        self.steps.push(step);
        self
    }

    /// The shell text of the script, values and all, without what a program makes of it: for a file that a shell runs.
    pub(crate) fn text(&self) -> Vec<u8> {
        let texts = self.steps.iter().filter_map(|step| match step {
            Step::Shell { text, .. } => Some([text.as_slice(), b"\n"].concat()),
            _ => None,
        });
        texts.flatten().collect()
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// Shell text as a [`Script`] of one step, each `{}` replaced by a quoted value.
///
/// The text runs in the task's own shell: variables and functions last until the task ends, and these are at hand:
///
/// * `deploy_fact NAME VALUE` reports a fact, which later phases read, and which [`Task::reports`](crate::task::Task::reports) declares;
/// * `deploy_note TEXT` tells the user something;
/// * `deploy_skip REASON` ends the task: there was nothing to do;
/// * `deploy_fail MESSAGE [HINT...]` ends the task: it failed, for a reason better than a status.
///
/// A `{}` inside quotes, and more or fewer values than `{}`, don't compile:
///
/// ```compile_fail
/// deploy_core::sh!("echo '{}'", "x");
/// ```
/// ```compile_fail
/// deploy_core::sh!("echo {}");
/// ```
#[macro_export]
macro_rules! sh {
    ($text:expr $(, $arg:expr)* $(,)?) => {{
        const TEXT: &str = $text;
        const _: () = $crate::script::assert_placeholders(TEXT, <[&str]>::len(&[$(stringify!($arg)),*]));
        $crate::script::Script::shell(TEXT, &[$($crate::script::Arg::from($arg)),*])
    }};
}

/// A random word, that no output imitates and no name has yet.
///
/// # Errors
///
/// When the system has no random numbers.
pub(crate) fn nonce() -> Result<String> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::task("the system has no random numbers").because(anyhow::anyhow!(error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fails at compile time unless `text` has `count` times `{}`, none of them inside quotes.
#[doc(hidden)]
pub const fn assert_placeholders(text: &str, count: usize) {
    let bytes = text.as_bytes();
    let (mut at, mut found, mut single, mut double) = (0, 0, false, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !single => at += 1,
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'#' if !single && !double && at > 0 && bytes[at - 1].is_ascii_whitespace() => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            b'{' if at + 1 < bytes.len() && bytes[at + 1] == b'}' => {
                assert!(!single && !double, "a placeholder stands inside quotes: values are quoted already");
                found += 1;
            }
            _ => {}
        }
        at += 1;
    }
    assert!(found == count, "there must be as many values as placeholders");
}

impl Step {
    /// The values in its commands that must not be shown.
    fn secrets(&self) -> Vec<Vec<u8>> {
        let of = |cmd: &Cmd| -> Vec<Vec<u8>> {
            let values = cmd.args.iter().chain(cmd.env.iter().map(|(_, value)| value));
            values.filter(|value| value.is_secret()).map(|value| value.bytes.clone()).collect()
        };
        match self {
            Step::Run(cmd) => of(cmd),
            Step::Pipe(cmds) => cmds.iter().flat_map(of).collect(),
            Step::Fact(_, cmd, otherwise) => {
                of(cmd).into_iter().chain(otherwise.iter().flat_map(|script| script.secrets.clone())).collect()
            }
            Step::If(condition, then, otherwise) => {
                [of(condition), then.secrets.clone(), otherwise.secrets.clone()].concat()
            }
            Step::Shell { .. } | Step::Opaque(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
