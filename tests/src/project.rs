//! Projects that are deployed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::apache;
use crate::binary::xtask;
use crate::key::Key;
use crate::machine::{Account, Linger, Machine};
use crate::output::Output;
use crate::process::Running;
use crate::repo::Repo;
use crate::sandbox::Sandbox;
use crate::server::Server;
use crate::site::Site;
use crate::user::{self, User};

/// A folder with a `deploy.toml`, a repository, and the servers of a stage called `staging`, and of others if need be.
///
/// `deploy.toml` is written anew before each command, so a test may change settings, servers and tasks at any time.
pub struct Project {
    /// Where everything of the project lives.
    pub sandbox: Arc<Sandbox>,
    /// What is deployed. It starts with one commit on `main`.
    pub repo: Repo,
    /// The servers, in the order of `deploy.toml`. None if the stage is local.
    pub servers: Vec<Server>,
    /// What the local stage deploys to.
    pub site: Site,
    key: Key,
    user: Option<Arc<User>>,
    /// What runs instead of the stock `xtask`.
    tool: Option<PathBuf>,
    top: String,
    ssh: String,
    stage: String,
    /// Settings of the stages besides `staging`.
    others: BTreeMap<String, String>,
    /// `[stages.X.database]` of each stage that has one.
    databases: BTreeMap<String, String>,
    tables: String,
}

impl Project {
    /// A project whose stage has these servers, as names and roles: `("db1", "db primary no_release")`.
    pub fn over_ssh(servers: &[(&str, &str)]) -> Project {
        let mut project = Project::empty(None);
        for (name, words) in servers {
            project.add_server(name, words, &[]);
        }
        project
    }

    /// A project whose stage is this machine.
    pub fn local() -> Project {
        let mut project = Project::empty(None);
        project.stage(&format!("transport = \"local\"\ndeploy_to = {:?}", project.site.path()));
        project
    }

    /// As [`over_ssh`](Project::over_ssh), but servers and commands run as a freshly made ordinary user where the tests
    /// run as root; else they do anyway.
    pub fn as_ordinary_user(servers: &[(&str, &str)]) -> Project {
        let user = user::is_root().then(|| Arc::new(User::fresh()));
        let mut project = Project::empty(user);
        for (name, words) in servers {
            project.add_server(name, words, &[]);
        }
        project
    }

    /// A project whose stage is a [`Machine`] with a real systemd, where a user of its own logs in. The site is in the user's
    /// home folder.
    pub fn on_machine(linger: Linger) -> (Project, Account) {
        let mut project = Project::empty(None);
        let machine = Machine::shared();
        let account = machine.account(&project.key.public(), linger);
        project.site = Site::new(account.home.join("www"));
        let known_hosts = project.sandbox.join("known_hosts_of_machine");
        fs::write(&known_hosts, machine.known_hosts_line()).expect("a file can be written");
        project.ssh(&format!("user = {:?}\nknown_hosts_files = [{known_hosts:?}]", account.name));
        let (port, path) = (machine.port(), project.site.path().to_owned());
        project.stage(&format!(
            "servers = [{{ host = \"127.0.0.1\", port = {port}, roles = [\"app\"], deploy_to = {path:?} }}]"
        ));
        (project, account)
    }

    fn empty(user: Option<Arc<User>>) -> Project {
        let sandbox = Sandbox::new();
        let key = Key::ed25519(sandbox.join("home/.ssh/id_ed25519"));
        fs::write(sandbox.join("authorized_keys"), key.public()).expect("a file can be written");
        fs::create_dir(sandbox.join("project")).expect("a folder can be made");
        let repo = Repo::new(&sandbox, "shop");
        repo.write("index.html", "one\n").write("bin/hello", "#!/bin/sh\necho hello\n");
        repo.write("config/routes", "/\n").commit("Open the shop");
        let site = Site::new(sandbox.join("servers/localhost/www"));
        let (servers, tool, top, ssh, stage, others, databases, tables) = Default::default();
        let mut project =
            Project { sandbox, repo, servers, site, key, user, tool, top, ssh, stage, others, databases, tables };
        project.set_defaults();
        project
    }

    fn set_defaults(&mut self) {
        let user = self.user.as_ref().map_or(user::current(), |user| user.name());
        let ssh = format!(
            "user = {user:?}\nconfig_file = \"none\"\nidentity_files = [{:?}]\nidentities_only = true\n\
             known_hosts_files = [{:?}]",
            self.key.path(),
            self.known_hosts(),
        );
        let repo_url = self.repo.path().to_owned();
        self.ssh(&ssh);
        self.top("application = \"shop\"\nbranch = \"main\"\nlocal_user = \"ada\"");
        self.top(&format!("repo_url = {repo_url:?}"));
    }

    /// Adds a server, with lines of `sshd_config` that go before ours.
    pub fn add_server(&mut self, name: &str, words: &str, sshd_options: &[&str]) {
        self.add_server_at("127.0.0.1", name, words, sshd_options);
    }

    /// As [`add_server`](Project::add_server), on another address of this machine.
    pub fn add_server_at(&mut self, address: &str, name: &str, words: &str, sshd_options: &[&str]) {
        if let Some(user) = &self.user {
            user.own(self.sandbox.path());
        }
        let server = Server::start(&self.sandbox, name, words, address, sshd_options, self.user.clone());
        self.servers.push(server);
    }

    /// Adds a server to another stage than `staging`.
    pub fn add_server_of(&mut self, stage: &str, name: &str, words: &str) {
        self.add_server(name, words, &[]);
        self.server_mut(name).stage = stage.to_owned();
        self.other_stage(stage, "");
    }

    /// Adds settings at the top level of `deploy.toml`. A key that was set before is set anew.
    pub fn top(&mut self, toml: &str) -> &mut Project {
        self.top = merged(&self.top, toml);
        self
    }

    /// Adds settings of `[ssh]`. A key that was set before is set anew.
    pub fn ssh(&mut self, toml: &str) -> &mut Project {
        self.ssh = merged(&self.ssh, toml);
        self
    }

    /// Adds settings of the stage. A key that was set before is set anew.
    pub fn stage(&mut self, toml: &str) -> &mut Project {
        self.stage = merged(&self.stage, toml);
        self
    }

    /// Adds settings of another stage than `staging`. A key that was set before is set anew.
    pub fn other_stage(&mut self, stage: &str, toml: &str) -> &mut Project {
        let settings = self.others.entry(stage.to_owned()).or_default();
        *settings = merged(settings, toml);
        self
    }

    /// Adds settings of a stage's database. A key that was set before is set anew.
    pub fn database(&mut self, stage: &str, toml: &str) -> &mut Project {
        let settings = self.databases.entry(stage.to_owned()).or_default();
        *settings = merged(settings, toml);
        self
    }

    /// Forgets the settings of a stage's database.
    pub fn no_database(&mut self, stage: &str) -> &mut Project {
        self.databases.remove(stage);
        self
    }

    /// Adds whole tables, such as `[tasks.x]`.
    pub fn tables(&mut self, toml: &str) -> &mut Project {
        self.tables.push_str(toml);
        self.tables.push('\n');
        self
    }

    /// Forgets the tables that were added.
    pub fn no_tables(&mut self) -> &mut Project {
        self.tables.clear();
        self
    }

    /// Runs `program` from now on instead of the stock `xtask`.
    pub fn tool(&mut self, program: &Path) -> &mut Project {
        self.tool = Some(program.to_owned());
        self
    }

    fn program(&self) -> &Path {
        self.tool.as_deref().unwrap_or_else(|| xtask())
    }

    /// The server called `name`.
    #[track_caller]
    pub fn server(&self, name: &str) -> &Server {
        self.servers.iter().find(|server| server.name == name).expect("the project has the server")
    }

    /// The server called `name`, to change it.
    #[track_caller]
    pub fn server_mut(&mut self, name: &str) -> &mut Server {
        self.servers.iter_mut().find(|server| server.name == name).expect("the project has the server")
    }

    /// What stands on each server, or on this machine.
    pub fn sites(&self) -> Vec<&Site> {
        if self.servers.is_empty() {
            vec![&self.site]
        } else {
            self.servers.iter().map(|server| &server.site).collect()
        }
    }

    /// The key that logs in to the servers.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The ordinary user that servers and commands run as, if one was made for that.
    pub fn user(&self) -> Option<&Arc<User>> {
        self.user.as_ref()
    }

    /// The project's folder.
    pub fn folder(&self) -> PathBuf {
        self.sandbox.join("project")
    }

    /// OpenSSH's own client, which runs `command` on a server.
    pub fn openssh(&self, server: &Server, command: &str) -> Command {
        self.write_config();
        let mut ssh = self.sandbox.command("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"]);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", self.known_hosts().display()));
        ssh.arg("-i").arg(self.key().path()).args(["-p", &server.port.to_string(), "-l", &server.sshd.user()]);
        ssh.args([server.sshd.address(), command]);
        ssh
    }

    /// Runs `cargo xtask LINE` in the project; words are separated by spaces.
    #[must_use = "either snapshot the output or assert the exit status"]
    #[track_caller]
    pub fn xtask(&self, line: &str) -> Output {
        self.start(line).wait()
    }

    /// Runs `cargo xtask` with arguments that may contain spaces.
    #[must_use = "either snapshot the output or assert the exit status"]
    #[track_caller]
    pub fn xtask_with(&self, arguments: &[&str]) -> Output {
        Running::start(self.command(arguments), &self.sandbox).wait()
    }

    /// Starts `cargo xtask LINE`, to be watched or interrupted.
    pub fn start(&self, line: &str) -> Running {
        Running::start(self.command(&line.split_whitespace().collect::<Vec<_>>()), &self.sandbox)
    }

    /// `xtask ARGUMENTS --config …/deploy.toml`, in the project's folder, ready to be changed and run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let config = self.write_config();
        let mut command = self.sandbox.command(self.program());
        command.current_dir(self.folder()).args(arguments).arg("--config").arg(config);
        match &self.user {
            Some(user) => self.command_as(user, command),
            None => command,
        }
    }

    /// The ordinary user may not be able to reach the target directory, so it gets a copy of the binary.
    fn command_as(&self, user: &User, command: Command) -> Command {
        let copy = self.sandbox.join("xtask");
        fs::copy(self.program(), &copy).expect("the binary can be copied");
        let mut own = self.sandbox.command(copy);
        own.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            own.current_dir(folder);
        }
        self.hand_over(user);
        user.command(&own)
    }

    /// What the test wrote belongs to the user too; what web servers have doesn't.
    fn hand_over(&self, user: &User) {
        let entries = fs::read_dir(self.sandbox.path()).expect("the sandbox has a folder");
        for entry in entries.flatten().filter(|entry| entry.file_name() != apache::FOLDER) {
            user.own(&entry.path());
        }
    }

    /// Writes `deploy.toml` and the servers' `known_hosts`.
    pub fn write_config(&self) -> PathBuf {
        let hosts: String = self.servers.iter().map(Server::known_hosts_line).collect();
        fs::write(self.known_hosts(), hosts).expect("a file can be written");
        let file = self.folder().join("deploy.toml");
        fs::write(&file, self.config_text()).expect("a file can be written");
        file
    }

    /// The known_hosts file that the project names.
    pub fn known_hosts(&self) -> PathBuf {
        self.sandbox.join("known_hosts")
    }

    fn config_text(&self) -> String {
        let Project { top, ssh, stage, tables, .. } = self;
        let others: String = self.others.iter().map(|(name, toml)| format!("[stages.{name}]\n{toml}\n")).collect();
        let servers: String = self.servers.iter().map(Server::table).collect();
        let database = |(name, toml)| format!("[stages.{name}.database]\n{toml}\n");
        let databases: String = self.databases.iter().map(database).collect();
        format!("{top}\n[ssh]\n{ssh}\n[stages.staging]\n{stage}\n{others}{servers}{databases}{tables}")
    }
}

/// `new` lines of TOML, each a whole setting, after those of `old` that set other keys.
fn merged(old: &str, new: &str) -> String {
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let replaced: Vec<String> = new.lines().map(key).collect();
    let kept = old.lines().filter(|line| !replaced.contains(&key(line)));
    kept.chain(new.lines()).map(|line| format!("{line}\n")).collect()
}
