//! What the body of a task gets to see.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Payload, Reach, Task};
use crate::config::{Config, Server, Stage};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Events, ServerNo, StepNo, Stream};
use crate::layout::Layout;
use crate::script::{Arg, Script, quote_expanding};
use crate::transport::{Exit, Transport};
use crate::ui::Ask;

/// What tasks found out: about the whole run, and about each server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub(crate) run: BTreeMap<String, String>,
    pub(crate) servers: BTreeMap<ServerNo, BTreeMap<String, String>>,
}

impl Facts {
    /// The fact `name` about the run, else about the server `server`: of what is the run's, no server's word is read.
    pub fn get(&self, server: ServerNo, name: &str) -> Option<&str> {
        let own = || self.servers.get(&server).and_then(|facts| facts.get(name));
        self.run.get(name).or_else(own).map(String::as_str)
    }
}

/// The values of the options that tasks added to the command line.
pub type Options = BTreeMap<String, String>;

/// What the pure body of a script task sees: settings, its server, and facts of earlier phases.
pub struct ServerCx<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// The server.
    pub server: &'a Server,
    pub(crate) number: ServerNo,
    pub(crate) facts: &'a Facts,
    pub(crate) options: &'a Options,
    /// The project's root, on the controller.
    pub root: &'a Path,
    /// Whether the script is only shown.
    pub preview: bool,
    /// Where the controller keeps its caches.
    pub work_dir: &'a Path,
    /// The facts that were asked for and aren't known.
    pub(crate) missing: RefCell<BTreeSet<String>>,
    /// How many bytes `deploy_payload` yields; `None` when the task's feed had nothing to send.
    pub payload: Option<u64>,
    /// How many servers of the stage take part in the run.
    pub servers: usize,
}

impl ServerCx<'_> {
    /// The fact `name` about the run, else about this server. In a dry run it stands as `<name>`; in a run that doesn't
    /// know it, the task fails before its script is sent.
    pub fn fact(&self, name: &str) -> Arg {
        match self.known(name) {
            Some(value) => Arg::from(value),
            None => {
                self.missing.borrow_mut().insert(name.to_owned());
                Arg::from(format!("<{name}>"))
            }
        }
    }

    /// The fact `name`, if it is known.
    pub fn known(&self, name: &str) -> Option<&str> {
        self.facts.get(self.number, name)
    }

    /// The value of the command-line option `name`.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Where things are on the server.
    pub fn layout(&self) -> Layout {
        Layout::new(&self.server.deploy_to)
    }

    /// The folder of the release that the run makes or reverts to; else of the live one.
    pub fn release_dir(&self) -> String {
        match self.known("release").or_else(|| self.option("release")) {
            Some(stamp) => self.layout().release(stamp),
            None => self.layout().current(),
        }
    }
}

/// What a task on the controller may look at to say what it would do.
#[derive(Clone, Copy)]
pub struct Explain<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The stage.
    pub stage: &'a Stage,
    /// The values of the options that tasks added to the command line.
    pub options: &'a Options,
    /// Whether the scripts themselves are asked for, as by `--dry-run`.
    pub dry_run: bool,
}

impl Explain<'_> {
    /// What `task` says of itself, each line behind `indent`; nothing for a task that says nothing.
    pub(crate) fn page(&self, task: &Task, indent: &str) -> String {
        let text = task.explanation().map(|body| body(self)).unwrap_or_default();
        text.trim_end().lines().map(|line| format!("{indent}{line}").trim_end().to_owned() + "\n").collect()
    }
}

/// What the body of a task that talks to a server sees.
pub struct Host<'a> {
    /// Settings, the server, and facts.
    pub cx: ServerCx<'a>,
    pub(crate) run: &'a dyn Fn(Script, Option<Payload>) -> Result<BTreeMap<String, String>, Error>,
    pub(crate) console: &'a dyn Fn(&str) -> Result<i32, Error>,
}

impl Host<'_> {
    /// Runs `script` and returns the facts that it reported.
    ///
    /// # Errors
    ///
    /// When a step of it fails, or the connection is lost.
    pub fn run(&self, script: Script) -> Result<BTreeMap<String, String>, Error> {
        (self.run)(script, None)
    }

    /// Runs `command` for the user, who talks with it on the terminal until it ends; returns its exit status. The login
    /// shell interprets it, in the home folder and without what scripts get from the configuration. Of several servers
    /// one after the other gets the terminal.
    ///
    /// Without a terminal on standard input and output, the command has none either, and what is piped in reaches it.
    ///
    /// # Errors
    ///
    /// When the command can't be started or a signal ends it, when the connection is lost, or the user leaves by `~.` at
    /// the start of a line.
    pub fn console(&self, command: &str) -> Result<i32, Error> {
        (self.console)(command)
    }

    /// Puts the file `local` to `remote`, with the permissions `mode` (such as `"0640"`): written beside it first, then
    /// renamed.
    ///
    /// # Errors
    ///
    /// When the file can't be read here or written there, or the connection is lost.
    pub fn upload(&self, local: &Path, remote: &str, mode: &str) -> Result<(), Error> {
        let unreadable = |error| Error::task(format!("can't read `{}`", local.display())).because(error);
        let bytes = std::fs::metadata(local).map_err(|error| unreadable(anyhow::Error::from(error)))?.len();
        let temporary = format!("{remote}.upload");
        let script = crate::sh!(
            "( umask 077; deploy_payload >{} )\nsize=$(wc -c <{})\n[ \"$size\" -eq {} ]\nchmod {} -- {}\nmv -f -- {} {}",
            &temporary,
            &temporary,
            bytes.to_string(),
            mode,
            &temporary,
            &temporary,
            remote
        );
        (self.run)(script, Some(Payload { file: local.to_owned(), bytes })).map(drop)
    }
}

/// What the body of a task on the controller sees.
pub struct Local<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The stage.
    pub stage: &'a Stage,
    /// The numbers of the servers that take part in the run.
    pub servers: &'a [ServerNo],
    /// Those of them that could not be reached, and why, where the task [answers](crate::task::Task::partial) for the others.
    pub lost: &'a BTreeMap<ServerNo, String>,
    /// Questions to the user.
    pub ask: &'a dyn Ask,
    pub(crate) facts: &'a Mutex<Facts>,
    pub(crate) options: &'a Options,
    pub(crate) events: &'a Events,
    pub(crate) printed: &'a Mutex<String>,
    pub(crate) step: StepNo,
    pub(crate) reach: &'a dyn Reach,
    /// How long to wait for another run to free what this one needs.
    pub(crate) lock_wait: Duration,
    /// Why the run is to stop, if it is.
    pub(crate) stop: &'a (dyn Fn() -> Option<Error> + Sync),
}

impl Local<'_> {
    /// The fact `name` about the run, else about the server `server`.
    pub fn fact(&self, server: ServerNo, name: &str) -> Option<String> {
        self.facts().get(server, name).map(str::to_owned)
    }

    /// The fact `name` about the run.
    pub fn run_fact(&self, name: &str) -> Option<String> {
        self.facts().run.get(name).cloned()
    }

    /// Makes `value` the fact `name` about the run, which later tasks read. See [`Task::sets`].
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.facts().run.insert(name.to_owned(), value.into());
    }

    /// The value of the command-line option `name`.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The server `number` of the stage.
    pub fn server(&self, number: ServerNo) -> &Server {
        &self.stage.servers[number]
    }

    /// Asks a question whose answer is yes or no. `--yes` answers yes; without a terminal nobody answers.
    pub fn confirm(&self, question: &str) -> Option<bool> {
        match self.option("yes") {
            Some(_) => Some(true),
            None => self.ask.confirm(question),
        }
    }

    /// Runs `command` over `transport` for the user, who talks with it on the terminal, as [`Host::console`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn console(&self, transport: &dyn Transport, command: &str) -> Result<i32, Error> {
        self.events.emit(Event::Detail { server: None, text: command.to_owned() });
        talk(self.ask, transport, command)
    }

    /// Tells the user something.
    pub fn note(&self, text: impl Into<String>) {
        self.events.emit(Event::Note { step: Some(self.step), server: None, text: text.into() });
    }

    /// Tells how far a transfer is: `done` bytes of `total`, if that is known. Call it as often as something came. A task
    /// may have several transfers, one after the other: another `what` (`"dump"`, `"load"`) begins the next. One is over
    /// when `done` is `total`, so an estimated total should in the end become the true one.
    pub fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        self.events.emit(Event::Progress { step: self.step, server: None, what: what.to_owned(), done, total });
    }

    /// What tells of progress from another thread.
    pub(crate) fn teller(&self) -> Teller {
        Teller { events: self.events.clone(), step: self.step }
    }

    /// Prints `text` to standard output when the run is over: the answer of a task that was asked for one. With
    /// `--format json` it is an event.
    pub fn print(&self, text: &str) {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// A shell for local commands, in the project's root.
    ///
    /// # Errors
    ///
    /// When the project's root is gone.
    pub fn shell(&self) -> anyhow::Result<xshell::Shell> {
        let shell = xshell::Shell::new()?;
        shell.change_dir(&self.config.root);
        Ok(shell)
    }

    /// The stage's `default_env` with its values as this machine's shell expands them.
    ///
    /// # Errors
    ///
    /// When the shell can't be started, or a value can't be expanded.
    pub fn default_env(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let names: Vec<&String> = self.stage.settings.default_env.keys().collect();
        let mut text = Vec::new();
        for (name, value) in &self.stage.settings.default_env {
            text.extend([format!("export {name}=").as_bytes(), &quote_expanding(value), b"\n"].concat());
        }
        for name in &names {
            text.extend(format!("printf '%s\\0' \"${name}\"\n").into_bytes());
        }
        // Not as an argument: others could read it in the list of processes.
        let text = String::from_utf8(text)?;
        let shell = self.shell()?;
        let read = shell.cmd("sh").args(["-euc", "eval \"$DEPLOY_DEFAULT_ENV\""]).env("DEPLOY_DEFAULT_ENV", text);
        let values = String::from_utf8(read.quiet().output()?.stdout)?;
        Ok(names.into_iter().cloned().zip(values.split_terminator('\0').map(str::to_owned)).collect())
    }

    /// Runs `cmd` and shows its output as the task's.
    ///
    /// # Errors
    ///
    /// When it can't be started or fails; the error has its last lines.
    pub fn run(&self, cmd: xshell::Cmd<'_>) -> anyhow::Result<()> {
        let shown = cmd.to_string();
        let output = cmd.quiet().ignore_status().output()?;
        for (stream, bytes) in [(Stream::Stdout, &output.stdout), (Stream::Stderr, &output.stderr)] {
            for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                self.events.emit(Event::Output { step: self.step, server: None, stream, line: line.to_vec() });
            }
        }
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Err(Error::task(format!("`{shown}` ended with {}", output.status)).detail(said).into())
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells of a task's progress from another thread.
pub(crate) struct Teller {
    events: Events,
    step: StepNo,
}

impl Teller {
    /// As [`Local::progress`].
    pub(crate) fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        self.events.emit(Event::Progress { step: self.step, server: None, what: what.to_owned(), done, total });
    }
}

/// Lends `command` the user's terminal, and returns its exit status.
pub(crate) fn talk(ask: &dyn Ask, transport: &dyn Transport, command: &str) -> Result<i32, Error> {
    let console = ask.console();
    // It may have been a long wait for the terminal.
    if console.is_wanted_back() {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    match transport.interact(command, &console)? {
        Exit::Status(status) => Ok(status),
        Exit::Signal(signal) => Err(Error::task(format!("the program was killed by signal {signal}"))),
        Exit::Unknown => Err(Error::task("the program ended, and the server does not say how")),
    }
}
