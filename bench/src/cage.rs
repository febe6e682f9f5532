//! Where servers may be started: namespaces of their own, for processes, mounts and network.
//!
//! The program starts itself anew as the first process of such namespaces. When that process ends, however it does, the
//! kernel ends all others in them, and the networks go with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The variable that tells the second start from the first one, and where the `xtask` to be measured is.
const XTASK: &str = "BENCH_XTASK";

/// The `xtask` to be measured, if this is the second start.
pub(crate) fn xtask() -> Option<PathBuf> {
    std::env::var_os(XTASK).map(PathBuf::from)
}

/// Starts this program anew in a cage, and waits for its end. Its temporary files are removed afterwards.
pub(crate) fn enter(xtask: &Path) -> Result<ExitCode, String> {
    remove_leftovers();
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir().map_err(|error| error.to_string())?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(|error| error.to_string())?;
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut cage = Command::new("setpriv");
    // Each of the three ends when the one before it does.
    cage.args(["--pdeathsig", "KILL", "--", "unshare", "--kill-child=KILL", "--fork"]);
    cage.args(["--pid", "--mount", "--mount-proc", "--net", "--"]).arg(own).args(std::env::args_os().skip(1));
    cage.env(XTASK, xtask).env("TMPDIR", folder.path());
    let mut cage = cage.spawn().map_err(|error| format!("failed to start setpriv: {error}"))?;
    loop {
        if let Some(status) = cage.try_wait().map_err(|error| error.to_string())? {
            return Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
        }
        if interrupted.load(Ordering::SeqCst) {
            let _ = cage.kill();
            let _ = cage.wait();
            return Ok(ExitCode::from(130));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// What the names of our temporary folders begin with; the id of the process that made them follows.
const PREFIX: &str = "xtask-bench-";

/// Removes the folders of earlier starts that were ended by `kill -9` and could remove nothing themselves.
fn remove_leftovers() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The furnished cage: this process is in the servers' network, and the controller's is another one.
pub(crate) struct Cage {
    /// Holds the controller's network.
    holder: Child,
}

impl Cage {
    /// Makes the two networks, without a link between them yet.
    pub(crate) fn furnish() -> Result<Cage, String> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--", "sleep", "infinity"]).stdin(Stdio::null());
        let holder = unshare.spawn().map_err(|error| format!("failed to start unshare: {error}"))?;
        let cage = Cage { holder };
        cage.wait_for_network()?;
        for sh in ["ip link set lo up", "echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save"] {
            // What TCP learned about a server in one run must not help the next one.
            run(Command::new("sh").args(["-c", sh]))?;
            run(&mut cage.at_controller(Command::new("sh").args(["-c", sh])))?;
        }
        Ok(cage)
    }

    fn wait_for_network(&self) -> Result<(), String> {
        let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let theirs = network(&self.process()).map_err(|error| error.to_string())?;
            if theirs != network("self").map_err(|error| error.to_string())? {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("failed to make a network namespace within 10 seconds".to_owned());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A process in the controller's network, as `ip link set … netns` wants it.
    pub(crate) fn process(&self) -> String {
        self.holder.id().to_string()
    }

    /// The same command, run in the controller's network.
    pub(crate) fn at_controller(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/proc/{}/ns/net", self.process())).arg("--");
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}{}", String::from_utf8_lossy(&output.stderr), output.status))
    }
}
