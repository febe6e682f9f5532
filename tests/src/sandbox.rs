//! A folder and an environment of a test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::clock::Clock;
use crate::output::Output;
use crate::place;
use crate::process::{self, Running};
use crate::reaper;
use crate::redact::Redactions;

/// A temporary folder, and an environment in which nothing of the machine's own configuration shows: an empty home, no
/// SSH agent, no git configuration but our own, a fixed author, UTC.
///
/// When it is dropped, processes that still run in its environment are ended and the folder is removed, unless
/// `E2E_KEEP` is set.
pub struct Sandbox {
    folder: PathBuf,
    guard: Option<TempDir>,
    redactions: Mutex<Redactions>,
    _clock: Clock,
}

/// The variable that marks every process of a sandbox, on servers too.
const MARK: &str = "E2E_SANDBOX";

impl Sandbox {
    /// An empty folder with a home in it.
    pub fn new() -> Arc<Sandbox> {
        reaper::watch();
        let guard = tempfile::Builder::new().prefix(&reaper::prefix()).tempdir_in(place::folder());
        let guard = guard.expect("a temporary folder can be made");
        let folder = guard.path().canonicalize().expect("the folder exists");
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.join(name)).expect("a folder can be made");
        }
        std::fs::write(folder.join("gitconfig"), GIT_CONFIG).expect("a file can be written");
        let sandbox = Sandbox { folder, guard: Some(guard), redactions: Mutex::default(), _clock: Clock::start() };
        sandbox.name(sandbox.path().to_str().expect("UTF-8"), "$SANDBOX");
        Arc::new(sandbox)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A path in the folder.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// A command with the sandbox's environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment()).current_dir(&self.folder);
        command
    }

    /// Runs `command` to its end.
    #[must_use = "either snapshot the output or assert the exit status"]
    pub fn run(self: &Arc<Sandbox>, command: Command) -> Output {
        Running::start(command, self).wait()
    }

    /// Shows `name` instead of `text` in outputs.
    pub fn name(&self, text: impl Into<String>, name: impl Into<String>) {
        self.redactions.lock().expect("unpoisoned").name(text, name);
    }

    /// `text` without what differs from run to run.
    pub fn redact(&self, text: &str) -> String {
        self.redactions.lock().expect("unpoisoned").apply(text)
    }

    /// The command lines of processes that still run in the sandbox's environment, on any of its servers.
    pub fn processes(&self) -> Vec<String> {
        process::marked(&self.mark()).into_iter().filter_map(process::command_line).collect()
    }

    /// Signals each process of the sandbox that runs `program`, on any of its servers, and returns how many there were.
    pub fn signal(&self, program: &str, signal: Signal) -> usize {
        let runs = |pid: &Pid| process::program(*pid).is_some_and(|name| name == program);
        let found: Vec<Pid> = process::marked(&self.mark()).into_iter().filter(runs).collect();
        found.into_iter().filter(|pid| rustix::process::kill_process(*pid, signal).is_ok()).count()
    }

    /// The variable that marks the sandbox's processes, as `NAME=value`.
    pub(crate) fn mark(&self) -> String {
        format!("{MARK}={}", self.folder.display())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let inside = |name: &str| self.join(name).display().to_string();
        let path = std::env::var("PATH").expect("PATH is set");
        let mut variables = vec![
            ("PATH", path),
            ("HOME", inside("home")),
            ("TMPDIR", inside("tmp")),
            (MARK, self.folder.display().to_string()),
            ("USER", crate::user::current().to_owned()),
            ("LOGNAME", crate::user::current().to_owned()),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            ("NO_COLOR", "1".into()),
            ("GIT_CONFIG_GLOBAL", inside("gitconfig")),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
        ];
        variables.extend(std::env::var("RUST_BACKTRACE").map(|value| ("RUST_BACKTRACE", value)));
        variables
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for pid in process::marked(&self.mark()) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        if std::env::var_os("E2E_KEEP").is_some()
            && let Some(guard) = self.guard.take()
        {
            let _ = guard.keep();
        }
    }
}

const GIT_CONFIG: &str = "\
[user]
\tname = Ada Lovelace
\temail = ada@example.com
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[safe]
\tdirectory = *
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// Runs a command of the harness's own, which must succeed, and returns its trimmed standard output.
#[track_caller]
pub(crate) fn run_quietly(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
