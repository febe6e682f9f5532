//! A terminal that somebody sits at.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Instant;

use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::process::{Collector, PATIENCE, family};
use crate::sandbox::Sandbox;

/// A terminal of 80 columns and 24 rows on which a shell runs one command, as if a user had typed it.
///
/// When the command has ended the shell stays, so that the terminal can be looked at. Dropping it ends both.
pub struct Terminal {
    device: File,
    shell: Child,
    shown: Collector,
    /// Its settings before the command.
    before: String,
    sandbox: Arc<Sandbox>,
}

/// Ctrl-C is for the command alone. What is read at the end comes when the terminal goes.
const SHELL: &str = "trap : INT\n\"$@\"\necho \"[ended with $?]\"\necho '[the end]'\nread -r _";

/// What the shell shows last.
const END: &str = "[the end]";

impl Terminal {
    /// Runs `command` on a new terminal.
    pub fn start(command: &Command, sandbox: &Arc<Sandbox>) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let device = openpt(flags).expect("the system has terminals");
        grantpt(&device).and_then(|()| unlockpt(&device)).expect("a new terminal is ours");
        set_size(&device, 80, 24);
        let name = ptsname(&device, Vec::new()).expect("a terminal has a name").into_string().expect("UTF-8");
        let user_end = File::options().read(true).write(true).open(name).expect("a terminal can be opened");
        let before = settings(&device);
        let mut shell = sandbox.command("setsid");
        shell.args(["--ctty", "sh", "-c", SHELL, "sh"]).arg(command.get_program()).args(command.get_args());
        shell.env("TERM", "xterm-256color").envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(command.get_current_dir().unwrap_or(sandbox.path()));
        let streams = [&user_end; 3].map(|end| end.try_clone().expect("a terminal can be shared"));
        let [stdin, stdout, stderr] = streams;
        let shell = shell.stdin(stdin).stdout(stdout).stderr(stderr).spawn().expect("setsid is installed");
        let device = File::from(device);
        let shown = Collector::of(device.try_clone().expect("a terminal can be shared"));
        Terminal { device, shell, shown, before, sandbox: Arc::clone(sandbox) }
    }

    /// Types `keys`: a line ends in `\r`, Ctrl-C is `\x03`.
    pub fn type_in(&self, keys: &str) {
        (&self.device).write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, columns: u16, rows: u16) {
        set_size(&self.device, columns, rows);
    }

    /// Everything that was shown so far.
    pub fn shown(&self) -> String {
        self.shown.text()
    }

    /// Waits until `text` is shown.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown();
            if shown.contains(text) {
                return;
            }
            let hopeless = shown.contains(END) || Instant::now() > deadline;
            assert!(!hopeless, "`{text}` was never shown:\n{shown}");
            self.shown.wait_a_little();
        }
    }

    /// Sends `signal` to the command.
    pub fn signal(&self, signal: Signal) {
        let family = family(Pid::from_child(&self.shell));
        rustix::process::kill_process(family[1], signal).expect("a running process can be signalled");
    }

    /// Waits until the command ends with `status`, which must leave the terminal as it was. Returns what was shown.
    #[track_caller]
    pub fn ends_with(self, status: i32) -> String {
        self.wait_for(END);
        self.wait_for(&format!("[ended with {status}]"));
        assert_eq!(settings(&self.device), self.before, "the terminal is as it was");
        self.sandbox.redact(&self.shown())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn set_size(device: impl AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(device, size).expect("a terminal has a size");
}

fn settings(device: &impl AsFd) -> String {
    format!("{:?}", tcgetattr(device).expect("a terminal has settings"))
}
