//! Running something, and what it took.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use wait4::Wait4;

use crate::cage::Cage;
use crate::fleet::Fleet;
use crate::tools::{Step, Tool};

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    /// CPU time of the command and of all that it waited for.
    pub(crate) controller_cpu: Duration,
    /// CPU time of all servers together.
    pub(crate) servers_cpu: Duration,
    /// The most memory that any one process of the command had, in KiB.
    pub(crate) peak: u64,
}

/// A run that takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs `tool` at the controller, and looks whether every server is as it should be afterwards.
pub(crate) fn deploy(cage: &Cage, fleet: &Fleet, tool: Tool, step: Step) -> Result<Sample, String> {
    let live = |site: &e2e::Site| fs::read_link(site.join("current")).ok();
    let before: Vec<_> = fleet.sites(tool).map(|site| live(&site)).collect();
    let cpu = fleet.cpu();
    let command = cage.at_controller(&tool.command(fleet, step));
    let log = fleet.project.sandbox.join("output");
    let ran = run(command, &log);
    let orphans = fleet.settle()?;
    let mut sample = ran?;
    sample.servers_cpu = fleet.cpu() + orphans - cpu;
    for (site, before) in fleet.sites(tool).zip(before) {
        let page = fs::read_to_string(site.join("current/index.html")).unwrap_or_default();
        let is_right = page == fleet.page || step == Step::Rollback && !page.is_empty();
        if !is_right || before == live(&site) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("it succeeded, and `{}` is not what it should be:\n{said}", site.path().display()));
        }
    }
    Ok(sample)
}

/// Runs a command that must succeed, with its output in a file.
pub(crate) fn run(mut command: Command, log: &Path) -> Result<Sample, String> {
    let line = format!("{command:?}");
    let file = || File::options().create(true).append(true).open(log).map_err(|error| error.to_string());
    let _ = fs::remove_file(log);
    command.stdin(Stdio::null()).stdout(file()?).stderr(file()?).process_group(0);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("failed to start {line}: {error}"))?;
    let group = Pid::from_child(&child);
    let (over, waiting) = channel::<()>();
    let watchdog = thread::spawn(move || {
        let hangs = waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if hangs {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        hangs
    });
    let used = child.wait4().map_err(|error| format!("failed to wait for {line}: {error}"))?;
    let wall = start.elapsed();
    drop(over);
    if watchdog.join().expect("it does not panic") {
        return Err(format!("it did not end within {PATIENCE:?}"));
    }
    if !used.status.success() {
        return Err(format!("{}\n{}", used.status, fs::read_to_string(log).unwrap_or_default()));
    }
    let controller_cpu = used.rusage.utime + used.rusage.stime;
    Ok(Sample { wall, controller_cpu, servers_cpu: Duration::ZERO, peak: used.rusage.maxrss / 1024 })
}
