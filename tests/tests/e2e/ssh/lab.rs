//! What the tests of the transport share: servers, settings, and commands with their whole output.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deploy_core::config::{Server, Ssh as Settings, SshConfigFile};
use deploy_core::error::Error;
use deploy_core::event::Events;
use deploy_core::transport::ssh::{Connection, Login, Ssh};
use deploy_core::transport::{Output, Process, Transport};
use deploy_core::ui::Ask;
use e2e::{Key, Sandbox, Sshd};

/// No command of these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sandbox with a key that servers accept, and the settings to log in with it.
pub(crate) struct Lab {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) key: Key,
    pub(crate) settings: Settings,
    pub(crate) ssh: Ssh,
    pub(crate) ask: Arc<Answers>,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let sandbox = Sandbox::new();
        let key = Key::ed25519(sandbox.join("home/.ssh/id_ed25519"));
        fs::write(sandbox.join("authorized_keys"), key.public() + "\n").unwrap();
        fs::write(sandbox.join("known_hosts"), "").unwrap();
        let settings = Settings {
            identity_files: vec![key.path().to_owned()],
            identities_only: Some(true),
            known_hosts_files: vec![sandbox.join("known_hosts")],
            config_file: SshConfigFile::None,
            ..Settings::default()
        };
        let ask = Arc::new(Answers::default());
        let ssh = Ssh::new(ask.clone(), Events::nowhere());
        Lab { sandbox, key, settings, ssh, ask }
    }

    /// A server whose host key is known, with lines of `sshd_config` that go before the usual ones.
    pub(crate) fn sshd(&self, name: &str, options: &[&str]) -> Sshd {
        let sshd = Sshd::start(&self.sandbox, name, options, None);
        self.know(sshd.port(), &sshd.host_key());
        sshd
    }

    /// Makes `key` known as the one of what listens on `port`.
    pub(crate) fn know(&self, port: u16, key: &str) {
        self.append("known_hosts", &format!("[127.0.0.1]:{port} {key}\n"));
    }

    /// Lets whoever has the private half of `public` log in everywhere.
    pub(crate) fn authorize(&self, public: &str) {
        self.append("authorized_keys", &format!("{public}\n"));
    }

    pub(crate) fn append(&self, file: &str, text: &str) {
        let file = self.sandbox.join(file);
        fs::write(&file, fs::read_to_string(&file).unwrap_or_default() + text).unwrap();
    }

    /// Forgets all that a run remembers, as a new run would.
    pub(crate) fn start_over(&mut self) {
        self.ask = Arc::new(Answers::default());
        self.ssh = Ssh::new(self.ask.clone(), Events::nowhere());
    }

    /// Reads its settings from an ssh_config with these lines, and no key from elsewhere.
    pub(crate) fn configure(&mut self, lines: &str) -> PathBuf {
        let file = self.sandbox.join("ssh_config");
        fs::write(&file, lines).unwrap();
        self.settings = Settings { config_file: SshConfigFile::File(file.clone()), ..Settings::default() };
        file
    }

    /// Logs in to what listens on `port`, which must work.
    #[track_caller]
    pub(crate) fn log_in(&self, port: u16) -> Connection {
        match self.try_to_log_in("127.0.0.1", Some(port)).1 {
            Ok(connection) => connection,
            Err(error) => panic!("{error}"),
        }
    }

    /// The error of a login that must not work.
    #[track_caller]
    pub(crate) fn refused(&self, port: u16) -> Error {
        self.try_to_log_in("127.0.0.1", Some(port)).1.err().expect("the login is refused")
    }

    pub(crate) fn try_to_log_in(&self, host: &str, port: Option<u16>) -> (Login, Result<Connection, Error>) {
        self.try_to_log_in_as(None, host, port)
    }

    pub(crate) fn try_to_log_in_as(
        &self,
        user: Option<&str>,
        host: &str,
        port: Option<u16>,
    ) -> (Login, Result<Connection, Error>) {
        let server = Server {
            host: host.into(),
            user: user.map(str::to_owned),
            port,
            roles: Vec::new(),
            primary: false,
            no_release: false,
            deploy_to: "/nowhere".into(),
            properties: toml::Table::new(),
        };
        self.ssh.log_in(&self.settings, &server)
    }

    /// An agent of the sandbox that holds `keys`.
    pub(crate) fn agent(&self, name: &str, keys: &[&Key]) -> SshAgent {
        SshAgent::start(self, name, keys)
    }
}

/// Logs in, in the sandbox's environment, with OpenSSH's own client.
pub(crate) fn openssh(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = lab.sandbox.command("ssh");
    command.args(["-o", "BatchMode=yes"]).args(arguments).stdin(Stdio::null());
    command
}

/// A real agent. It ends with the test.
pub(crate) struct SshAgent {
    pub(crate) socket: PathBuf,
    child: Child,
}

impl SshAgent {
    fn start(lab: &Lab, name: &str, keys: &[&Key]) -> SshAgent {
        let socket = lab.sandbox.join(name);
        let mut command = lab.sandbox.command("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("ssh-agent is installed");
        wait_until("the agent listens", || UnixStream::connect(&socket).is_ok());
        for key in keys {
            let mut add = lab.sandbox.command("ssh-add");
            add.arg("-q").arg(key.path()).env("SSH_AUTH_SOCK", &socket);
            lab.sandbox.run(add).success();
        }
        SshAgent { socket, child }
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers questions from a list, and remembers them. Without a list there is no terminal.
#[derive(Default)]
pub(crate) struct Answers {
    answers: Mutex<Vec<String>>,
    asked: Mutex<Vec<String>>,
}

impl Answers {
    /// Gives these answers to the next questions.
    pub(crate) fn expect(&self, answers: &[&str]) {
        self.answers.lock().unwrap().extend(answers.iter().map(ToString::to_string));
    }

    /// The questions so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, question: &str) -> Option<String> {
        self.asked.lock().unwrap().push(question.into());
        let mut answers = self.answers.lock().unwrap();
        (!answers.is_empty()).then(|| answers.remove(0))
    }
}

impl Ask for Answers {
    fn text(&self, question: &str) -> Option<String> {
        self.answer(question)
    }

    fn secret(&self, question: &str) -> Option<String> {
        self.answer(question)
    }

    fn confirm(&self, question: &str) -> Option<bool> {
        self.answer(question).map(|answer| answer == "yes")
    }
}

/// All that came out of a command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// `Exit(…)` or `Lost(…)`.
    pub(crate) end: Output,
}

impl Done {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs `command` with nothing on its standard input.
pub(crate) fn run(connection: &Connection, command: &str) -> Done {
    let mut process = connection.exec(command);
    process.stdin.close();
    finish(process)
}

/// Waits for the end of `process`.
pub(crate) fn finish(mut process: Process) -> Done {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    loop {
        match process.next(deadline).expect("the command ends in time") {
            Output::Stdout(data) => stdout.extend(data),
            Output::Stderr(data) => stderr.extend(data),
            end => return Done { stdout, stderr, end },
        }
    }
}

/// Waits until `condition` holds, which must not take long.
#[track_caller]
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
