//! Processes that the harness starts, and ends by their id.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::output::Output;
use crate::sandbox::Sandbox;

/// A command that runs and whose output is being collected.
///
/// It leads a process group of its own, as a command typed in a shell does.
#[must_use = "either wait for its output or signal it"]
pub struct Running {
    child: Child,
    stdout: Collector,
    stderr: Collector,
    sandbox: Arc<Sandbox>,
    line: String,
}

/// No command of a test takes longer: one that does has hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `is_so`.
///
/// # Panics
///
/// When that takes longer than any command may.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?}, and not yet: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Running {
    /// Starts `command` without a standard input.
    pub fn start(mut command: Command, sandbox: &Arc<Sandbox>) -> Running {
        let line = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("failed to start {line}: {error}"));
        let stdout = Collector::of(child.stdout.take().expect("piped"));
        let stderr = Collector::of(child.stderr.take().expect("piped"));
        Running { child, stdout, stderr, sandbox: Arc::clone(sandbox), line }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to its process group, as a terminal does for Ctrl-C.
    pub fn signal(&self, signal: Signal) {
        let group = Pid::from_child(&self.child);
        rustix::process::kill_process_group(group, signal).expect("a running process can be signalled");
    }

    /// Waits until a line of either stream contains `text`.
    pub fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.stdout.text().contains(text) && !self.stderr.text().contains(text) {
            assert!(Instant::now() < deadline, "`{text}` never came from {}:\n{}", self.line, self.so_far());
            self.stdout.wait_a_little();
        }
    }

    /// The most memory that it has had in use so far, in KiB; 0 if it has ended.
    pub fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|peak| peak.trim().parse().ok()).unwrap_or_default()
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Output {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if Instant::now() > deadline {
                self.signal(Signal::KILL);
                panic!("{} did not end within {PATIENCE:?}:\n{}", self.line, self.so_far());
            }
            thread::sleep(Duration::from_millis(5));
        };
        Output::new(self.stdout.finish(), self.stderr.finish(), status, Arc::clone(&self.sandbox))
    }

    fn so_far(&self) -> String {
        format!("{}\n{}", self.stdout.text(), self.stderr.text())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Reads a stream to its end, on a thread.
pub(crate) struct Collector {
    shared: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Collector {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Collector {
        let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let sink = Arc::clone(&shared);
        let reader = thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            while let Ok(bytes) = stream.fill_buf().map(<[u8]>::to_vec)
                && !bytes.is_empty()
            {
                stream.consume(bytes.len());
                sink.0.lock().expect("unpoisoned").extend(bytes);
                sink.1.notify_all();
            }
        });
        Collector { shared, reader: Some(reader) }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.0.lock().expect("unpoisoned")).into_owned()
    }

    pub(crate) fn wait_a_little(&self) {
        let bytes = self.shared.0.lock().expect("unpoisoned");
        let _ = self.shared.1.wait_timeout(bytes, Duration::from_millis(20)).expect("unpoisoned");
    }

    /// Everything, once the stream has ended.
    ///
    /// A daemon that a test left behind may hold the stream open for ever, so this waits for a second at most.
    fn finish(&mut self) -> String {
        let reader = self.reader.take().expect("a collector finishes once");
        let deadline = Instant::now() + Duration::from_secs(1);
        while !reader.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        self.text()
    }
}

/// How a process ended, in words: `exit status: 1`, `signal: 9`.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status: {code}"),
        (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
    }
}

/// `root` and all its descendants, parents first.
pub(crate) fn family(root: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, Pid)> = all().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() {
        let elder = family[next];
        family.extend(parents.iter().filter(|(_, parent)| *parent == elder).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// Every process whose environment has `mark`, a `NAME=value`.
pub(crate) fn marked(mark: &str) -> Vec<Pid> {
    let has_mark = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    all().into_iter().filter(has_mark).collect()
}

/// The command line of a process, or nothing if it is gone.
pub(crate) fn command_line(pid: Pid) -> Option<String> {
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    Some(String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()).filter(|line| !line.is_empty())
}

/// The name of the program that a process runs, without its folder, or nothing if it is gone.
pub(crate) fn program(pid: Pid) -> Option<String> {
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let program = line.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(program).rsplit('/').next()?.to_owned())
}

pub(crate) fn all() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may contain anything; state and parent follow the last one.
    let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
    Pid::from_raw(parent.parse().ok()?)
}

/// Waits until a server `is_ready`; false when it ended, or took longer than `patience`.
pub(crate) fn comes_up(server: &mut Child, patience: Duration, is_ready: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !is_ready() {
        if Instant::now() > deadline || server.try_wait().expect("a child can be waited for").is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}
