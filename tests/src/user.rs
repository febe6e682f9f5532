//! The users that servers run as.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sandbox::run_quietly;

/// An ordinary user. A freshly made one has no rights of its own, and is removed when it is dropped; only root can make one.
pub struct User {
    name: String,
    is_fresh: bool,
}

impl User {
    /// Makes a user with a POSIX login shell. Where its home would be, the sandbox's environment says.
    pub fn fresh() -> User {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut useradd = Command::new("useradd");
        useradd.args(["--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", &name]);
        run_quietly(useradd);
        User { name, is_fresh: true }
    }

    /// A user that the machine has.
    pub fn existing(name: &str) -> User {
        User { name: name.to_owned(), is_fresh: false }
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets the user run everything as anybody through sudo, without a password, with or without a terminal of its own.
    pub fn may_sudo(&self, use_pty: bool) {
        let (name, not) = (&self.name, if use_pty { "" } else { "!" });
        let rule = format!("Defaults:{name} {not}use_pty\n{name} ALL=(ALL) NOPASSWD: ALL\n");
        std::fs::write(self.sudo_rule(), rule).expect("root writes rules");
    }

    fn sudo_rule(&self) -> PathBuf {
        Path::new("/etc/sudoers.d").join(&self.name)
    }

    /// Lets the user log in by a server of root's. Without a password an account counts as locked there.
    pub fn may_log_in(&self) {
        let mut usermod = Command::new("usermod");
        usermod.args(["--password", "*", &self.name]);
        run_quietly(usermod);
    }

    /// Gives a file or a folder and all that is in it to the user.
    pub fn own(&self, path: &Path) {
        let mut chown = Command::new("chown");
        chown.args(["--recursive", "--no-dereference", &format!("{0}:{0}", self.name)]).arg(path);
        run_quietly(chown);
    }

    /// The same command, run as the user. Environment and working directory stay as they were set.
    pub fn command(&self, command: &Command) -> Command {
        let mut own = Command::new("setpriv");
        own.args(["--reuid", &self.name, "--regid", &self.name, "--init-groups", "--"]);
        own.arg(command.get_program()).args(command.get_args());
        own.env_clear();
        own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        own.env("USER", &self.name).env("LOGNAME", &self.name);
        if let Some(folder) = command.get_current_dir() {
            own.current_dir(folder);
        }
        own
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if !self.is_fresh {
            return;
        }
        let _ = std::fs::remove_file(self.sudo_rule());
        // It may be logged in for a moment longer than its servers run.
        let _ = Command::new("userdel").args(["--force", &self.name]).output();
    }
}

/// A group of users, which is removed when it is dropped.
pub struct Group {
    name: String,
}

impl Group {
    /// Makes a group of these users.
    pub fn of(users: &[&User]) -> Group {
        let name = format!("{}-group", users.first().expect("a group has members").name());
        let mut groupadd = Command::new("groupadd");
        groupadd.arg(&name);
        run_quietly(groupadd);
        for user in users {
            let mut usermod = Command::new("usermod");
            usermod.args(["--append", "--groups", &name, user.name()]);
            run_quietly(usermod);
        }
        Group { name }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives `folder` and what is in it to the group, as one that its users share.
    pub fn share(&self, folder: &Path) {
        let mut chgrp = Command::new("chgrp");
        chgrp.args(["--recursive", &self.name]).arg(folder);
        run_quietly(chgrp);
        let mut chmod = Command::new("chmod");
        chmod.arg("2775").arg(folder);
        run_quietly(chmod);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("groupdel").args(["--force", &self.name]).output();
    }
}

/// The name of the user that runs the tests.
pub fn current() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let mut id = Command::new("id");
        id.arg("-un");
        run_quietly(id)
    })
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
