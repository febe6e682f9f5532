//! This machine as a server: the same [`Transport`] without a network.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::converse::{converse, interrupted};
use super::process::{Exit, Output, Process, Stdin};
use super::server::{Connect, Transport};
use crate::config::{Server, Stage};
use crate::error::Error;
use crate::event::Traffic;
use crate::ui::Console;

/// How many bytes are read from a stream at a time.
const PIECE: usize = 64 * 1024;
/// How many pieces of output wait for the caller before the process has to wait: 2 MiB.
const OUTPUT_PIECES: usize = 32;
/// How many pieces of input wait for the process before the caller has to wait.
const INPUT_PIECES: usize = 8;

/// How often it is looked whether a command that has the terminal has ended.
const BLINK: Duration = Duration::from_millis(20);
/// How long such a command may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(3);

/// Git tells its hooks by these variables which repository they run in. A deployment that a hook starts means others.
const GIT_VARIABLES: [&str; 7] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// Reaches this machine, for stages with `transport = "local"`.
#[derive(Clone, Debug)]
pub struct Local {
    dir: PathBuf,
}

impl Local {
    /// Commands start in `dir`: the project root, so that the subdirectory that the user is in makes no difference.
    pub fn new(dir: impl Into<PathBuf>) -> Local {
        Local { dir: dir.into() }
    }

    /// This machine, which needs no login.
    pub fn machine(&self) -> Arc<dyn Transport> {
        Arc::new(Machine { dir: self.dir.clone(), counters: Arc::default() })
    }
}

impl Connect for Local {
    fn connect(&self, _: &Stage, _: &Server) -> Result<Arc<dyn Transport>, Error> {
        Ok(self.machine())
    }
}

/// Becomes `program`: it has the terminal, and its exit code is ours.
///
/// # Errors
///
/// When it can't be started.
pub(crate) fn become_program<'a>(
    dir: &Path,
    program: &str,
    args: impl Iterator<Item = &'a String>,
) -> Result<std::convert::Infallible, Error> {
    let error = Command::new(program).args(args).current_dir(dir).exec();
    Err(Error::task(format!("failed to start `{program}` in `{}`", dir.display())).because(error))
}

/// This machine, "logged in" to.
struct Machine {
    dir: PathBuf,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    execs: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Transport for Machine {
    /// Runs `sh -c command` in a process group of its own, so that Ctrl-C on the terminal ends it only through us.
    fn exec(&self, command: &str) -> Process {
        self.count(command);
        match self.start(command) {
            Ok(child) => attach(child, &self.counters),
            Err(error) => not_started(
                Error::connection(format!("failed to start `sh` in `{}`", self.dir.display())).because(error),
            ),
        }
    }

    /// Here the command has the user's own streams. Ctrl-C reaches it as it reaches us, who leave it to the command.
    fn interact(&self, command: &str, console: &Console<'_>) -> Result<Exit, Error> {
        if !console.is_ours() {
            return converse(self.exec(command), console, &|_| ());
        }
        self.count(command);
        let failed = |error| Error::task(format!("failed to run `sh` in `{}`", self.dir.display())).because(error);
        let mut child = self.sh(command).spawn().map_err(|error| failed(anyhow::Error::from(error)))?;
        let ended = loop {
            match child.try_wait() {
                Ok(None) if console.is_wanted_back() => break Err(interrupted()),
                Ok(None) => thread::sleep(BLINK),
                Ok(Some(status)) => return Ok(exit(status)),
                Err(error) => break Err(failed(error.into())),
            }
        };
        end(child);
        ended
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            execs: self.counters.execs.load(Relaxed),
            sent: self.counters.sent.load(Relaxed),
            received: self.counters.received.load(Relaxed),
            ..Traffic::default()
        }
    }
}

impl Machine {
    fn count(&self, command: &str) {
        self.counters.execs.fetch_add(1, Relaxed);
        self.counters.sent.fetch_add(command.len() as u64, Relaxed);
    }

    fn start(&self, command: &str) -> io::Result<Child> {
        self.sh(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()
    }

    fn sh(&self, command: &str) -> Command {
        let mut sh = Command::new("sh");
        for variable in GIT_VARIABLES {
            sh.env_remove(variable);
        }
        sh.args(["-c", command]).current_dir(&self.dir);
        sh
    }
}

/// Ends a command that has the terminal, as a terminal that is closed does; by force if it won't.
fn end(mut child: Child) {
    let _ = kill_process(Pid::from_child(&child), Signal::HUP);
    let deadline = Instant::now() + GRACE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
        }
        thread::sleep(BLINK);
    }
}

/// Threads move the three streams, since a pipe can't be waited for together with a channel.
fn attach(mut child: Child, counters: &Arc<Counters>) -> Process {
    let (sender, output) = sync_channel(OUTPUT_PIECES);
    let stdin = child.stdin.take().map(|pipe| Input::start(pipe, Arc::clone(counters))).unwrap_or_default();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take().map(|stderr| {
        let (sender, counters) = (sender.clone(), Arc::clone(counters));
        thread::spawn(move || pump(stderr, &sender, Output::Stderr, &counters))
    });
    let counters = Arc::clone(counters);
    thread::spawn(move || {
        if let Some(stdout) = stdout {
            pump(stdout, &sender, Output::Stdout, &counters);
        }
        if let Some(stderr) = stderr {
            let _ = stderr.join();
        }
        let _ = sender.send(Output::Exit(child.wait().map_or(Exit::Unknown, exit)));
    });
    Process::new(Box::new(stdin), output, None)
}

/// A process that never was.
fn not_started(error: Error) -> Process {
    let (sender, output) = sync_channel(1);
    let _ = sender.send(Output::Lost(error));
    Process::new(Box::new(Input::default()), output, None)
}

/// Moves a stream to `sender` until it ends. What nobody listens to is read all the same: a script whose output pipe
/// closes would die of SIGPIPE in the middle of its clean-up.
fn pump(mut stream: impl Read, sender: &SyncSender<Output>, wrap: fn(Vec<u8>) -> Output, counters: &Counters) {
    let mut buffer = vec![0; PIECE];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                counters.received.fetch_add(count as u64, Relaxed);
                let _ = sender.send(wrap(buffer[..count].to_vec()));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The standard input; `None` when it is closed.
#[derive(Default)]
struct Input(Option<SyncSender<Vec<u8>>>);

impl Input {
    fn start(mut pipe: ChildStdin, counters: Arc<Counters>) -> Input {
        let (sender, pieces) = sync_channel::<Vec<u8>>(INPUT_PIECES);
        thread::spawn(move || {
            for piece in pieces {
                if pipe.write_all(&piece).is_err() {
                    return;
                }
                counters.sent.fetch_add(piece.len() as u64, Relaxed);
            }
        });
        Input(Some(sender))
    }
}

impl Stdin for Input {
    fn send(&mut self, data: Vec<u8>) -> bool {
        self.0.as_ref().is_some_and(|sender| sender.send(data).is_ok())
    }

    fn close(&mut self) {
        self.0 = None;
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(signal)) => Exit::Signal(signal_name(signal)),
        (None, None) => Exit::Unknown,
    }
}

/// The name of a signal as SSH spells it, without `SIG`; its number where it has none that every system knows.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "ABRT",
        libc::SIGALRM => "ALRM",
        libc::SIGBUS => "BUS",
        libc::SIGFPE => "FPE",
        libc::SIGHUP => "HUP",
        libc::SIGILL => "ILL",
        libc::SIGINT => "INT",
        libc::SIGKILL => "KILL",
        libc::SIGPIPE => "PIPE",
        libc::SIGQUIT => "QUIT",
        libc::SIGSEGV => "SEGV",
        libc::SIGSYS => "SYS",
        libc::SIGTERM => "TERM",
        libc::SIGTRAP => "TRAP",
        libc::SIGUSR1 => "USR1",
        libc::SIGUSR2 => "USR2",
        libc::SIGXCPU => "XCPU",
        libc::SIGXFSZ => "XFSZ",
        _ => return signal.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
