//! Counting the processes that a server starts.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal};

use crate::process::{family, wait_until};
use crate::sandbox::Sandbox;
use crate::sshd::Sshd;

/// Watches an SSH server by strace, which slows it down: what is counted isn't timed.
pub struct Census {
    strace: Child,
    listener: Pid,
    file: PathBuf,
}

/// What a server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// How many processes, threads apart.
    pub forks: usize,
    /// The programs, by name, and how often each was started. sshd starts itself anew for each connection.
    pub programs: BTreeMap<String, usize>,
}

impl Started {
    /// How many programs.
    pub fn programs(&self) -> usize {
        self.programs.values().sum()
    }

    /// How many of the programs belong to git.
    pub fn git(&self) -> usize {
        self.programs
            .iter()
            .filter(|(name, _)| *name == "git" || name.starts_with("git-"))
            .map(|(_, count)| count)
            .sum()
    }
}

impl Census {
    /// Counts what `sshd` starts from now on.
    pub fn of(sandbox: &Arc<Sandbox>, sshd: &Sshd) -> Census {
        let pid = sshd.pid().expect("a server that is counted listens");
        let listener = Pid::from_raw(pid.cast_signed()).expect("a process id");
        let file = sandbox.join(format!("census-{pid}"));
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", CALLS, "-e", "signal=none", "-p", &pid.to_string(), "-o"]).arg(&file);
        strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let strace = strace.spawn().expect("strace is installed (`cargo xtask test` installs what the tests need)");
        let census = Census { strace, listener, file };
        wait_until("strace is attached", || is_traced(listener));
        census
    }

    /// What was started up to now, once all sessions have ended.
    pub fn finish(mut self) -> Started {
        wait_until("the sessions have ended", || family(self.listener).len() == 1);
        let _ = rustix::process::kill_process(Pid::from_child(&self.strace), Signal::INT);
        let _ = self.strace.wait();
        count(&fs::read_to_string(&self.file).expect("strace wrote its file"))
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        if let Ok(None) = self.strace.try_wait() {
            let _ = rustix::process::kill_process(Pid::from_child(&self.strace), Signal::INT);
            let _ = self.strace.wait();
        }
    }
}

/// A call that a machine doesn't have is no mistake.
const CALLS: &str = "trace=?fork,?vfork,?clone,?clone3,execve,?execveat";

fn is_traced(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
}

/// Counts in what strace wrote: one call a line, after the process that made it. A call that others came in between of
/// stands in two pieces.
fn count(trace: &str) -> Started {
    let mut started = Started::default();
    let mut begun: HashMap<&str, &str> = HashMap::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, beginning);
        } else if call.starts_with("<... ") {
            add(&mut started, begun.remove(pid).unwrap_or_default(), call);
        } else {
            add(&mut started, call, call);
        }
    }
    started
}

/// Adds a call that `beginning` begins and `end` ends, perhaps the same text, if it succeeded.
fn add(started: &mut Started, beginning: &str, end: &str) {
    let Some((_, result)) = end.rsplit_once(" = ") else { return };
    let result: i64 = result.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(-1);
    if beginning.starts_with("execve") && result == 0 {
        let path = beginning.split('"').nth(1).unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        *started.programs.entry(name.to_owned()).or_default() += 1;
    } else if !beginning.starts_with("execve") && result > 0 && !beginning.contains("CLONE_THREAD") {
        started.forks += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_and_programs_are_counted_and_threads_and_failures_are_not() {
        let started = count(
            "7  clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 8\n\
             8  execve(\"/usr/local/bin/git\", [\"git\"], 0x7f /* 9 vars */) = -1 ENOENT (No such file or directory)\n\
             8  execve(\"/usr/bin/git\", [\"git\", \"a = 1\"], 0x7f /* 9 vars */) = 0\n\
             8  clone3({flags=CLONE_VM|CLONE_THREAD, child_tid=0x7f}, 88) = 9\n\
             8  vfork( <unfinished ...>\n\
             10 execve(\"/usr/lib/git-core/git-upload-pack\", [\"x\"], 0x7f /* 9 vars */ <unfinished ...>\n\
             8  <... vfork resumed>) = 10\n\
             10 <... execve resumed>) = 0\n",
        );
        assert_eq!(started.forks, 2);
        assert_eq!(started.programs(), 2);
        assert_eq!(started.git(), 2);
    }
}
