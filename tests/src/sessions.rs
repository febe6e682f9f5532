//! The processes behind a server's connections.

use std::fs;

use rustix::process::{Pid, Signal};

use crate::process::{command_line, family};
use crate::server::Server;

impl Server {
    /// Ends the processes of sshd that serve the server's connections. The listener, and what sessions started, live on.
    pub fn kill_sessions(&self) {
        self.signal_sessions(Signal::KILL);
    }

    /// Signals the processes of sshd that serve the server's connections.
    pub fn signal_sessions(&self, signal: Signal) {
        let Some(listener) = self.listener() else { return };
        for pid in family(listener).into_iter().filter(|pid| *pid != listener && is_sshd(*pid)) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// The process that listens: the one whose command line names the server's configuration.
    fn listener(&self) -> Option<Pid> {
        let mark = format!("servers/{}/sshd/sshd_config", self.name);
        let sandbox = self.sshd.home();
        let folder = sandbox.parent()?.parent()?.parent()?.parent()?.display().to_string();
        let entries = fs::read_dir("/proc").expect("/proc can be read").flatten();
        let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        let is_ours = |pid: &Pid| {
            let line = command_line(*pid).unwrap_or_default();
            line.starts_with("sshd:") && line.contains(&format!("{folder}/{mark}"))
        };
        pids.into_iter().find(is_ours)
    }
}

fn is_sshd(pid: Pid) -> bool {
    command_line(pid).is_some_and(|line| line.starts_with("sshd"))
}
