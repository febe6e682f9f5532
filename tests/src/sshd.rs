//! SSH servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::key::Key;
use crate::process::{command_line, family};
use crate::sandbox::Sandbox;
use crate::user::{self, User};

/// A real `sshd` on a port of its own, as a rule on loopback, with fresh host keys.
///
/// It serves the user that runs the tests (or a [`User`] made for it), who may log in with the sandbox's key. Sessions see
/// a home folder and an environment of the sandbox, never the machine's own.
pub struct Sshd {
    sandbox: Arc<Sandbox>,
    name: String,
    folder: PathBuf,
    address: String,
    port: u16,
    host_key: Key,
    user: Option<Arc<User>>,
    /// Lines of `sshd_config` besides our own; in sshd the first line for a keyword wins, and these come first.
    options: Vec<String>,
    /// Variables of its sessions besides our own, as `NAME=value`.
    variables: Vec<String>,
    child: Option<Child>,
}

impl Sshd {
    /// A server that listens on 127.0.0.1, called `name` in outputs.
    pub fn start(sandbox: &Arc<Sandbox>, name: &str, options: &[&str], user: Option<Arc<User>>) -> Sshd {
        Sshd::start_at("127.0.0.1", sandbox, name, options, user)
    }

    /// As [`start`](Sshd::start), on another address of this machine.
    pub fn start_at(
        address: &str,
        sandbox: &Arc<Sandbox>,
        name: &str,
        options: &[&str],
        user: Option<Arc<User>>,
    ) -> Sshd {
        let folder = sandbox.join(format!("servers/{name}/sshd"));
        fs::create_dir_all(folder.join("home")).expect("a folder can be made");
        let mut sshd = Sshd {
            sandbox: Arc::clone(sandbox),
            name: name.to_owned(),
            host_key: Key::ed25519(folder.join("host_key")),
            folder,
            address: address.to_owned(),
            port: 0,
            user,
            options: options.iter().map(ToString::to_string).collect(),
            variables: Vec::new(),
            child: None,
        };
        sshd.listen();
        sshd.name_in_outputs();
        sshd
    }

    /// The address that it listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its port on that address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that listens; `None` after [`kill`](Sshd::kill).
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The user who can log in.
    pub fn user(&self) -> String {
        self.user.as_ref().map_or(user::current(), |user| user.name()).to_owned()
    }

    /// The home folder that sessions see.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Its public host key.
    pub fn host_key(&self) -> String {
        self.host_key.public()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// How many connections it accepted.
    pub fn connections(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Connection from ")).count()
    }

    /// How many commands it was asked to run.
    pub fn execs(&self) -> usize {
        self.log().lines().filter(|line| line.contains("Starting session: ")).count()
    }

    /// Ends it and all its sessions at once, as when the machine dies. Commands that sessions started live on.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Listens again, on the same port, after [`kill`](Sshd::kill).
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "`{}` still listens", self.name);
        assert!(self.comes_up(), "`{}` can't listen again:\n{}", self.name, self.log());
    }

    /// Has sessions from now on see this variable too, as `/etc/environment` would. Those that are open are ended.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.variables.push(format!("{name}={value}"));
        self.configure();
    }

    /// Obeys from now on this line of `sshd_config` too. Sessions that are open are ended.
    pub fn set_option(&mut self, line: &str) {
        self.options.push(line.to_owned());
        self.configure();
    }

    fn configure(&mut self) {
        self.kill();
        fs::write(self.folder.join("sshd_config"), self.config()).expect("a file can be written");
        self.restart();
    }

    /// Stops the whole server where it stands: connections stay open, and nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Signals the listener and everything that it started; only its own kind for [`Signal::KILL`].
    fn signal(&self, signal: Signal) {
        let Some(child) = &self.child else { return };
        for pid in family(Pid::from_child(child)) {
            if signal != Signal::KILL || is_sshd(pid) {
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    }

    /// Shows its name instead of its port.
    fn name_in_outputs(&self) {
        let Sshd { sandbox, name, address, port, .. } = self;
        let user = self.user();
        sandbox.name(format!("{user}@{address}:{port}"), format!("deploy@{name}"));
        sandbox.name(format!("{address}:{port}"), name);
        sandbox.name(format!("[{address}]:{port}"), name);
        sandbox.name(format!("{user}@{address}"), format!("deploy@{address}"));
        sandbox.name(format!("`{user}`"), "`deploy`");
        for before in ["port", "-p", "-P"] {
            sandbox.name(format!("{before} {port}"), format!("{before} PORT"));
        }
    }

    /// Takes a free port. Somebody else may be faster, so it takes another one then.
    fn listen(&mut self) {
        for _ in 0..10 {
            self.port = free_port();
            fs::write(self.folder.join("sshd_config"), self.config()).expect("a file can be written");
            if self.comes_up() {
                return;
            }
        }
        panic!("`{}` can't listen:\n{}", self.name, self.log());
    }

    fn spawn(&self) -> Child {
        if user::is_root() {
            // Where sshd puts its unprivileged half; Debian makes it when the service starts.
            fs::create_dir_all("/run/sshd").expect("root can make a folder");
        }
        let mut sshd = Command::new(program());
        sshd.arg("-D").arg("-f").arg(self.folder.join("sshd_config")).arg("-E").arg(self.log_file());
        sshd.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(user) = &self.user {
            user.own(&self.folder);
            sshd = user.command(&sshd);
        }
        sshd.spawn().unwrap_or_else(|error| panic!("failed to start sshd: {error}"))
    }

    /// Starts it; false when it ended instead of listening.
    fn comes_up(&mut self) -> bool {
        let listening = format!("Server listening on {} port {}.", self.address, self.port);
        let before = self.log().matches(&listening).count();
        let mut child = self.spawn();
        let deadline = Instant::now() + Duration::from_secs(10);
        let is_up = loop {
            if self.log().matches(&listening).count() > before {
                break true;
            }
            if Instant::now() > deadline || child.try_wait().expect("a child can be waited for").is_some() {
                break false;
            }
            thread::sleep(Duration::from_millis(2));
        };
        self.child = Some(child);
        is_up
    }

    fn config(&self) -> String {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let own = [
            format!("HOME={}", path("home")),
            format!("TMPDIR={}", self.sandbox.join("tmp").display()),
            format!("GIT_CONFIG_GLOBAL={}", self.sandbox.join("gitconfig").display()),
            "GIT_CONFIG_NOSYSTEM=1".to_owned(),
            self.sandbox.mark(),
        ];
        let environment = [&own[..], &self.variables].concat();
        let own = [
            format!("ListenAddress {}:{}", self.address, self.port),
            format!("HostKey {}", self.host_key.path().display()),
            format!("AuthorizedKeysFile {}", self.sandbox.join("authorized_keys").display()),
            "AuthenticationMethods publickey".to_owned(),
            "PermitRootLogin yes".to_owned(),
            "UsePAM no".to_owned(),
            "StrictModes no".to_owned(),
            "PrintMotd no".to_owned(),
            "UseDNS no".to_owned(),
            "PidFile none".to_owned(),
            "LogLevel VERBOSE".to_owned(),
            "Subsystem sftp internal-sftp".to_owned(),
            format!("SetEnv {}", environment.join(" ")),
        ];
        [&self.options[..], &own].concat().join("\n") + "\n"
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.thaw();
        self.kill();
    }
}

fn is_sshd(pid: Pid) -> bool {
    let line = command_line(pid).unwrap_or_default();
    line.split(' ').next().is_some_and(|program| program.ends_with("sshd") || program == "sshd:")
}

/// sshd insists on being called by its absolute path.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    let found = folders.map(|folder| folder.join("sshd")).find(|program| Path::is_file(program));
    found.expect("sshd is installed (`cargo xtask test` installs what the tests need)")
}

/// A loopback port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    listener.local_addr().expect("a listener has an address").port()
}
