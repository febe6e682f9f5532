//! A machine with a real systemd.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::key::Key;
use crate::sandbox::run_quietly;
use crate::sshd::free_port;
use crate::user;

const BOOT: &str = include_str!("boot.sh");

/// A booted machine: systemd with a manager for each user, journald, logind and sshd, beside this machine and on its
/// network. It is made of namespaces, so it starts in seconds, and all tests share one. It ends with the process that runs
/// them.
///
/// Only root can make one. Where that isn't possible, the test that needs it fails.
pub struct Machine {
    folder: PathBuf,
    port: u16,
    host_key: String,
    /// Its first process, as this machine sees it.
    pid: String,
    /// How many accounts it has. Only one is made at a time: programs that make them lock the list.
    accounts: Mutex<usize>,
    /// The machine runs for as long as the input of this is open.
    _boot: Child,
}

/// Whether a user's units run without a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// They do.
    Yes,
    /// They end soon after the last one.
    No,
}

/// A user of the [`Machine`], who can log in.
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The home folder, which has the same path here.
    pub home: PathBuf,
}

impl Machine {
    /// The machine of all tests, which boots for the first one.
    #[track_caller]
    pub fn shared() -> &'static Machine {
        static MACHINE: OnceLock<Machine> = OnceLock::new();
        MACHINE.get_or_init(Machine::boot)
    }

    fn boot() -> Machine {
        assert!(user::is_root(), "this test needs a machine with systemd, which only root can make of namespaces");
        let name = format!("e2e-machine-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for part in ["root", "shown/home"] {
            fs::create_dir_all(folder.join(part)).expect("a folder can be made");
        }
        let host_key = Key::ed25519(folder.join("host_key")).public();
        let port = free_port();
        fs::write(folder.join("boot.sh"), BOOT).expect("a file can be written");
        let mut boot = Command::new("sh");
        boot.arg(folder.join("boot.sh")).arg(&folder).arg(port.to_string());
        let mut boot = boot.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a shell");
        let mut pid = String::new();
        let mut says = std::io::BufReader::new(boot.stdout.take().expect("it is piped"));
        std::io::BufRead::read_line(&mut says, &mut pid).expect("it says something");
        let pid = pid.trim().to_owned();
        let machine = Machine { folder, port, host_key, pid, accounts: Mutex::new(0), _boot: boot };
        machine.must_be_up();
        machine
    }

    fn must_be_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        let is_up = || {
            let state = self.command(&["systemctl", "is-system-running", "--wait"]).output().expect("nsenter is here");
            let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
            ["running", "degraded"].contains(&state.as_str())
                && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        };
        while self.pid != "none" && !is_up() {
            assert!(Instant::now() < deadline, "the machine with systemd isn't up in time:\n{}", self.console());
            thread::sleep(Duration::from_millis(50));
        }
        let can = "can't make a machine with systemd out of namespaces (cgroup2, overlayfs) here";
        assert!(self.pid != "none", "{can}:\n{}", self.console());
    }

    fn console(&self) -> String {
        fs::read_to_string(self.folder.join("console")).unwrap_or_default()
    }

    /// The port of its sshd on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its line of `known_hosts`.
    pub fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.host_key)
    }

    /// A program that root runs on it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--all", "--", "env", "-i", "HOME=/root", "LANG=C.UTF-8"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
        // A process that is in none of its groups is somebody else's to its systemd.
        let join = "echo 0 >/sys/fs/cgroup/init.scope/cgroup.procs; exec \"$@\"";
        command.args(["sh", "-c", join, "sh"]).args(words).stdin(Stdio::null());
        command
    }

    /// What a program says that root runs on it, which must succeed.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        run_quietly(self.command(words))
    }

    /// What `program` says that `account` runs on it, as after a login; it may fail.
    pub fn run_as(&self, account: &Account, program: &str) -> String {
        let runtime = format!("XDG_RUNTIME_DIR=/run/user/{}", account.uid());
        let words = ["runuser", "-u", &account.name, "--", "env", &runtime, "sh", "-c", program];
        let output = self.command(&words).output().expect("nsenter is here");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A new user, whom `key` lets in.
    #[track_caller]
    pub fn account(&self, key: &str, linger: Linger) -> Account {
        let mut count = self.accounts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *count += 1;
        let name = format!("user{count}");
        let home = self.folder.join("shown/home").join(&name);
        let place = home.display().to_string();
        self.run(&["useradd", "--create-home", "--home-dir", &place, "--shell", "/bin/bash", &name]);
        let account = Account { name, home };
        account.write(".ssh/authorized_keys", key);
        if linger == Linger::Yes {
            self.run(&["loginctl", "enable-linger", &account.name]);
        }
        account
    }
}

impl Account {
    /// The number of the user.
    pub fn uid(&self) -> u32 {
        fs::metadata(&self.home).expect("there is a home").uid()
    }

    /// Writes a file below the home folder, with the folders above it, which belong to the user.
    pub fn write(&self, path: &str, text: &str) {
        let mut folder = self.home.clone();
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        for part in Path::new(folders) {
            folder.push(part);
            fs::create_dir_all(&folder).expect("a folder can be made");
            self.own(&folder);
        }
        fs::write(folder.join(name), text).expect("a file can be written");
        self.own(&folder.join(name));
    }

    fn own(&self, path: &Path) {
        chown(path, Some(self.uid()), Some(self.uid())).expect("root gives files away");
    }
}
