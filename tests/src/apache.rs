//! Web servers: Apache with mod_passenger.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::http::{self, Response};
use crate::process::{self, family};
use crate::sandbox::Sandbox;
use crate::site::Site;
use crate::sshd::free_port;
use crate::user::{self, User};

/// A real Apache on a loopback port of its own, whose mod_passenger runs the application that is live on a [`Site`].
///
/// Where the tests run as root it is made as on a server: Apache as `www-data`, and Passenger runs the application as the
/// user that owns it, who deploys it too. Otherwise all are the user that runs the tests. Its configuration is its own from
/// the first line, and its Passenger is not to be found but through [`registry`](Apache::registry).
pub struct Apache {
    sandbox: Arc<Sandbox>,
    folder: PathBuf,
    port: u16,
    site: PathBuf,
    environment: Vec<(String, String)>,
    /// Who runs the application, if that isn't its owner.
    user: Option<String>,
    child: Option<Child>,
}

impl Apache {
    /// A web server for `site`, called `name` in outputs, that hands `environment` on to the application.
    pub fn start(sandbox: &Arc<Sandbox>, name: &str, site: &Site, environment: &[(&str, String)]) -> Apache {
        Apache::start_as(sandbox, name, site, environment, None)
    }

    /// As [`start`](Apache::start), but `user` runs the application, which only root can arrange.
    pub fn start_as(
        sandbox: &Arc<Sandbox>,
        name: &str,
        site: &Site,
        environment: &[(&str, String)],
        user: Option<&User>,
    ) -> Apache {
        let folder = sandbox.join(format!("{FOLDER}/{name}"));
        fs::create_dir_all(folder.join("passenger")).expect("a folder can be made");
        // Apache has to get to the site, through the sandbox's folder.
        fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o711)).expect("modes can be set");
        let mut apache = Apache {
            sandbox: Arc::clone(sandbox),
            folder,
            port: 0,
            site: site.path().to_owned(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            user: user.map(|user| user.name().to_owned()),
            child: None,
        };
        apache.listen();
        sandbox.name(format!("127.0.0.1:{}", apache.port), format!("{name}.web"));
        apache
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its Passenger is to be found: `PASSENGER_INSTANCE_REGISTRY_DIR` for `passenger-config`.
    pub fn registry(&self) -> PathBuf {
        self.folder.join("passenger")
    }

    /// What it answers to a request for `path`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        http::get(self.port, path).unwrap_or_else(|error| panic!("no answer to `{path}`: {error}\n{}", self.log()))
    }

    /// What Apache, Passenger and the application's start logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Takes a free port. Somebody else may be faster, so it takes another one then.
    fn listen(&mut self) {
        for _ in 0..10 {
            self.port = free_port();
            fs::write(self.folder.join("apache.conf"), self.config()).expect("a file can be written");
            if self.comes_up() {
                return;
            }
        }
        panic!("Apache can't listen:\n{}", self.log());
    }

    /// Starts it; false when it ended instead of listening.
    fn comes_up(&mut self) -> bool {
        let ready = "resuming normal operations";
        let before = self.log().matches(ready).count();
        let mut child = self.spawn();
        let says_so = || self.log().matches(ready).count() > before;
        let is_up = process::comes_up(&mut child, Duration::from_secs(20), says_so);
        self.child = Some(child);
        is_up
    }

    fn spawn(&self) -> Child {
        let mut apache = self.sandbox.command(program());
        apache.arg("-DFOREGROUND").arg("-f").arg(self.folder.join("apache.conf"));
        // What is wrong with its configuration is said there only.
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_file());
        apache.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a file can be made"));
        apache.spawn().unwrap_or_else(|error| panic!("failed to start Apache: {error}"))
    }

    fn config(&self) -> String {
        let Apache { folder, port, site, .. } = self;
        let (folder, site) = (folder.display(), site.display());
        let modules = ["mpm_event", "authz_core", "dir", "env", "mime"];
        let modules = modules.map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n")).concat();
        let variables = self.environment.iter().map(|(name, value)| format!("SetEnv {name} \"{value}\"\n"));
        let variables: String = variables.collect();
        let runner = self.user.iter().map(|user| format!("PassengerUser {user}\nPassengerGroup {user}\n"));
        let runner: String = runner.collect();
        let users = if user::is_root() { "User www-data\nGroup www-data\n" } else { "" };
        format!(
            "ServerName localhost\nListen 127.0.0.1:{port}\nPidFile {folder}/pid\nErrorLog {folder}/log\n\
             Mutex file:{folder}\n{modules}TypesConfig /etc/mime.types\n\
             StartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16\n\
             {users}{PASSENGER}PassengerInstanceRegistryDir {folder}/passenger\nPassengerLogFile {folder}/log\n\
             <VirtualHost 127.0.0.1:{port}>\nDocumentRoot {site}/current/public\n{variables}{runner}</VirtualHost>\n\
             <Directory {site}>\nRequire all granted\nOptions FollowSymLinks\n</Directory>\n"
        )
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Ends it and everything that it started, and waits for that: processes of an application can't be told by their
    /// environment, since Ruby writes their titles over it.
    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = Pid::from_child(&child);
        let family = family(pid);
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && child.try_wait().is_ok_and(|status| status.is_none()) {
            thread::sleep(Duration::from_millis(5));
        }
        for pid in family {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        let _ = child.wait();
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.end();
    }
}

/// The folder of the sandbox that web servers have, which is root's as on a server.
pub(crate) const FOLDER: &str = "web";

/// Where Debian has Apache's modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// Debian's own two files say where Passenger is. Nothing of the machine's profile reaches the application, and nothing
/// leaves the machine.
const PASSENGER: &str = "\
Include /etc/apache2/mods-available/passenger.load
Include /etc/apache2/mods-available/passenger.conf
PassengerDisableSecurityUpdateCheck on
PassengerDisableAnonymousTelemetry on
PassengerLoadShellEnvvars off
PassengerFriendlyErrorPages off
PassengerMaxPoolSize 2
PassengerAppEnv staging
";

/// Administrators' programs are not on everybody's PATH.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("apache2")).find(|program| Path::is_file(program));
    found.expect("apache2 is installed (`cargo xtask test` installs what the tests need)")
}
