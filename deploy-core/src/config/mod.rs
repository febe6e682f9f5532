//! `deploy.toml`: what to deploy, where, and how.
//!
//! A [`Config`] is always whole and valid: [`Config::load`] either reports every mistake of every stage at once, each
//! with its place in the file, or returns stages whose settings are resolved (defaults, then top level, then stage, then
//! server, then environment, then `--set`), with names expanded in paths.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result, nearest};

mod address;
mod database;
mod diagnostics;
mod expand;
mod find;
mod keys;
mod layers;
mod load;
mod mask;
mod names;
mod paths;
mod reader;
mod recipe;
mod request;
mod server;
mod settings;
mod settings_reader;
mod source;
mod stage;
mod task;
mod value;
mod value_de;

pub use database::{AdapterKind, ConnectionParts, ConnectionSource, Database, Exclude, Retention, Secret, SettingsOf};
pub use find::Project;
pub use layers::VARIABLE_PREFIX;
pub use reader::parse_duration;
pub use recipe::{RecipeTable, Time, at_least_one};
pub use request::LoadRequest;

/// Everything that `deploy.toml` says, resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The project root: the Cargo workspace's root, or the folder of the file that `--config` names.
    pub root: PathBuf,
    /// Where caches, logs and local deployments go: `<target directory>/deploy`.
    pub work_dir: PathBuf,
    /// The file that was read.
    pub file: PathBuf,
    /// The stages, in the order of the file.
    pub stages: Vec<Stage>,
    /// Commands of the project itself, which no stage knows of (`[commands.NAME]`).
    pub commands: Vec<Command>,
    /// The protected stages whose databases variables and flags lead elsewhere, as the file alone has them.
    pub(crate) led_elsewhere: Vec<Stage>,
}

impl Config {
    /// The stage `name`.
    ///
    /// # Errors
    ///
    /// A usage error that names the nearest stage, or all of them.
    pub fn stage(&self, name: &str) -> Result<&Stage> {
        self.stages.iter().find(|stage| stage.name == name).ok_or_else(|| self.unknown_stage(name))
    }

    /// The stage `name`, which is meant where none is named.
    ///
    /// # Errors
    ///
    /// A usage error that says how to name one, and which there are.
    pub fn default_stage(&self, name: &str) -> Result<&Stage> {
        self.stages.iter().find(|stage| stage.name == name).ok_or_else(|| match self.stages.as_slice() {
            [] => self.unknown_stage(name),
            _ => Error::usage(format!("no stage is named, and there is no stage `{name}`"))
                .hint(format!("name one by `--stage`: {}", self.known_stages())),
        })
    }

    /// The first stage of the file.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn first_stage(&self) -> Result<&Stage> {
        self.stages.first().ok_or_else(|| {
            let file = self.file.display();
            Error::config(format!("`{file}` has no stage")).hint(format!("add `[stages.NAME]` to `{file}`"))
        })
    }

    fn known_stages(&self) -> String {
        let names: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
        match names.as_slice() {
            [only] => format!("the only stage is `{only}`"),
            names => format!("the stages are {}", diagnostics::list(names, "and")),
        }
    }

    fn unknown_stage(&self, name: &str) -> Error {
        let error = Error::usage(format!("unknown stage `{name}`"));
        match nearest(name, self.stages.iter().map(|stage| stage.name.as_str())) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if self.stages.is_empty() => error.hint(format!("add `[stages.{name}]` to `{}`", self.file.display())),
            None => error.hint(self.known_stages()),
        }
    }
}

/// A named target of deployments.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The name under `[stages.NAME]`.
    pub name: String,
    /// How its servers are reached.
    pub transport: TransportKind,
    /// Whether what it holds is too precious to be overwritten without a word typed for it.
    pub protected: bool,
    /// The machines, in the order of the file; never empty.
    pub servers: Vec<Server>,
    /// What holds for the whole stage.
    pub settings: Settings,
    /// Tasks written in `deploy.toml` (`[tasks."NAME"]`), in the order of the file.
    pub tasks: Vec<TextTask>,
    /// `[recipes.NAME]` merged with `[stages.X.recipes.NAME]`, without those that say `enabled = false`.
    pub recipes: BTreeMap<String, RecipeTable>,
}

impl Stage {
    /// The table of the recipe `name`; `None` when the recipe is off in this stage.
    pub fn recipe(&self, name: &str) -> Option<&RecipeTable> {
        self.recipes.get(name)
    }
}

/// How servers are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// Over SSH.
    Ssh,
    /// The stage is this machine.
    Local,
}

/// One machine of a stage.
#[derive(Clone, Debug)]
pub struct Server {
    /// The host as it is written: a name, an address, or an alias of `~/.ssh/config`. `localhost` for a local stage.
    pub host: String,
    /// The user to log in as, where `deploy.toml` says so, here or in `[ssh]`; else SSH's own configuration decides.
    pub user: Option<String>,
    /// The port, where `deploy.toml` says so, here or in `[ssh]`; else SSH's own configuration decides.
    pub port: Option<u16>,
    /// What the server does: `app`, `web`, `db`, or names of the user's own.
    pub roles: Vec<String>,
    /// Whether it is the one that is picked where a task runs on one server of a role.
    pub primary: bool,
    /// Whether no release is put there (a database server, say).
    pub no_release: bool,
    /// The absolute path of the deployment on this server, names expanded.
    pub deploy_to: String,
    /// Free properties, for recipes and tasks of the user's own.
    pub properties: toml::Table,
}

impl Server {
    /// How the server is called in output: `user@host:port`, as far as they are written.
    pub fn label(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{user}{host}{port}")
    }
}

/// The settings of a stage.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The application's name.
    pub application: String,
    /// Where the code comes from: a URL, or a path (a relative one starts at the project root).
    pub repo_url: String,
    /// The folder of the repository that is deployed; the whole of it when absent.
    pub repo_tree: Option<String>,
    /// The branch, tag or commit to deploy. `HEAD` is what the repository has checked out.
    pub branch: String,
    /// How many releases stay on a server.
    pub keep_releases: usize,
    /// Files that stand in `shared/` and are linked into every release.
    pub linked_files: Vec<String>,
    /// Files that are linked into a release if they stand in `shared/`.
    pub optional_linked_files: Vec<String>,
    /// Folders that stand in `shared/` and are linked into every release.
    pub linked_dirs: Vec<String>,
    /// Paths of a release that recipes write, make or remove. No key of `deploy.toml`: recipes say so.
    pub made_paths: Vec<String>,
    /// The environment of every task.
    pub default_env: BTreeMap<String, String>,
    /// What is put before a program, such as `rake = "bundle exec"`, outermost first.
    pub command_prefix: BTreeMap<String, Vec<String>>,
    /// Where temporary files go on a server: the `TMPDIR` of every task, unless `default_env` sets one.
    pub tmp_dir: String,
    /// The umask of every task, where one is set.
    pub umask: Option<u32>,
    /// Who deploys, in records and in `revisions.log`.
    pub local_user: String,
    /// What becomes of a release that was never published because its deploy failed.
    pub failed_releases: Fate,
    /// What becomes of the release that a rollback leaves.
    pub rolled_back_releases: Fate,
    /// How the code travels.
    pub git: Git,
    /// How to log in.
    pub ssh: Ssh,
    /// The stage's database, and what becomes of its backups.
    pub database: Database,
}

/// What becomes of a release that is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays until clean-up.
    Keep,
    /// It is packed into `deploy_to` as `rolled-back-release-STAMP.tar.gz`, then removed.
    Archive,
    /// It is removed at once.
    Remove,
}

/// `[git]`
#[derive(Clone, Debug)]
pub struct Git {
    /// Who asks the repository for objects.
    pub strategy: GitStrategy,
    /// Whether servers get one commit without its history.
    pub shallow: bool,
    /// Whether the commit's signature is verified before anything changes.
    pub verify_commit: bool,
    /// How many servers fetch at a time.
    pub max_fetches: usize,
    /// Whether a repository with submodules is deployed with the submodules' folders empty, instead of refused.
    pub ignore_submodules: bool,
    /// Whether files kept in Git LFS are deployed as their pointers, instead of refused.
    pub ignore_lfs: bool,
}

/// Who asks the repository for objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitStrategy {
    /// The controller does, and sends each server what it lacks over the SSH connection.
    Push,
    /// Each server does.
    Fetch,
}

/// `[ssh]`. What is `None` or empty is left to `~/.ssh/config`, as `ssh` itself would do.
#[derive(Clone, Debug, Default)]
pub struct Ssh {
    /// The user, for servers that name none.
    pub user: Option<String>,
    /// The port, for servers that name none.
    pub port: Option<u16>,
    /// Private key files to try first; `~` is expanded.
    pub identity_files: Vec<PathBuf>,
    /// Whether only the named key files (or their twins in the agent) are tried.
    pub identities_only: Option<bool>,
    /// Which configuration of SSH to read.
    pub config_file: SshConfigFile,
    /// Files to look host keys up in; empty: as configured for `ssh`.
    pub known_hosts_files: Vec<PathBuf>,
    /// What to do with an unknown host key.
    pub host_key_policy: HostKeyPolicy,
    /// Hosts to jump through, as in `ssh -J`; `Some("none")` overrides SSH's configuration.
    pub proxy_jump: Option<String>,
    /// Whether the agent is forwarded to servers.
    pub forward_agent: Option<bool>,
    /// How long a connection may take until it is logged in.
    pub connect_timeout: Option<Duration>,
    /// How often a silent connection is probed; three missing answers are a lost connection. Zero: never.
    pub keepalive_interval: Option<Duration>,
    /// How many connections to one address may be logging in at a time.
    pub max_connections: Option<usize>,
}

/// Which configuration of SSH to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SshConfigFile {
    /// The user's and the system's, as `ssh` does.
    #[default]
    Default,
    /// None at all.
    None,
    /// This file only, as `ssh -F`.
    File(PathBuf),
}

/// What to do with a host key that no known_hosts file has. A changed or revoked key is refused under every policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// Refuse it.
    #[default]
    Strict,
    /// Write it down and go on.
    AcceptNew,
    /// Ask on the terminal; refuse without one.
    Ask,
}

/// A task written in `deploy.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTask {
    /// The id, `cache:clear`.
    pub id: String,
    /// One line for the task list.
    pub about: String,
    /// Shell text that runs in the release.
    pub run: String,
    /// The roles whose servers run it; empty: every server that has releases.
    pub roles: Vec<String>,
    /// Whether only the primary server of the first role runs it.
    pub primary: bool,
    /// The tasks before which it runs.
    pub before: Vec<String>,
    /// The tasks after which it runs.
    pub after: Vec<String>,
    /// The user to run as, through sudo.
    pub as_user: Option<String>,
    /// Variables besides the stage's `default_env`.
    pub env: BTreeMap<String, String>,
}

/// A command of the project itself: it runs on this machine, in the project root, with the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The word after `cargo xtask`.
    pub name: String,
    /// One line for the task list.
    pub about: String,
    /// The program and its arguments; what the user adds follows.
    pub run: Vec<String>,
}

#[cfg(test)]
mod tests;
