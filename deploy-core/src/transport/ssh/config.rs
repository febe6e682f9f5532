//! What `~/.ssh/config` says about a host, as `ssh` itself reads it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::config::{Ssh, SshConfigFile};

/// The settings of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostConfig {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) identity_files: Vec<PathBuf>,
    pub(super) certificate_files: Vec<PathBuf>,
    pub(super) identities_only: bool,
    /// Where the agent listens; `None`: there is none, or none is wanted.
    pub(super) agent: Option<PathBuf>,
    pub(super) known_hosts_files: Vec<PathBuf>,
    pub(super) host_key_alias: Option<String>,
    pub(super) hash_known_hosts: bool,
    pub(super) proxy_jump: Option<String>,
    pub(super) proxy_command: Option<String>,
    pub(super) forward_agent: bool,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalive_interval: Option<Duration>,
    /// How the settings were read, for the record.
    pub(super) source: String,
}

/// What is asked for: a host as `deploy.toml` writes it, and what was set there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) host: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) file: SshConfigFile,
}

impl HostConfig {
    /// Asks `ssh -G`, which contacts nobody.
    pub(super) fn read(query: &Query) -> Result<HostConfig, String> {
        let mut command = Command::new("ssh");
        command.arg("-G").args(file_arguments(&query.file));
        command.args(query.user.iter().flat_map(|user| ["-l", user]));
        command.args(query.port.iter().flat_map(|port| ["-p".into(), port.to_string()]));
        command.args(["--", &query.host]).stdin(Stdio::null());
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(HostConfig::parse(query, &String::from_utf8_lossy(&output.stdout)))
    }

    /// Lets `deploy.toml` have its way where it says something.
    pub(super) fn override_with(&mut self, ssh: &Ssh) {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let named = ssh.identity_files.iter().map(|file| match file.strip_prefix("~") {
            Ok(rest) => home.join(rest),
            Err(_) => file.clone(),
        });
        self.identity_files.splice(0..0, named);
        self.identities_only = ssh.identities_only.unwrap_or(self.identities_only);
        self.forward_agent = ssh.forward_agent.unwrap_or(self.forward_agent);
        if !ssh.known_hosts_files.is_empty() {
            self.known_hosts_files.clone_from(&ssh.known_hosts_files);
        }
    }

    /// Understands the lines of `ssh -G`.
    fn parse(query: &Query, text: &str) -> HostConfig {
        let mut config = HostConfig { source: "ssh -G".into(), agent: agent_of_environment(), ..Default::default() };
        for line in text.lines() {
            if let Some((key, value)) = line.split_once(' ') {
                config.set(key, value);
            }
        }
        config.expand(&query.host);
        config
    }

    fn set(&mut self, key: &str, value: &str) {
        let text = || Some(value.to_owned()).filter(|value| value != "none");
        let seconds = || value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
        match key {
            "hostname" => self.host = value.into(),
            "port" => self.port = value.parse().unwrap_or(22),
            "user" => self.user = value.into(),
            "identityfile" => self.identity_files.extend(text().map(PathBuf::from)),
            "certificatefile" => self.certificate_files.extend(text().map(PathBuf::from)),
            "identitiesonly" => self.identities_only = value == "yes",
            "identityagent" => self.set_agent(value),
            "userknownhostsfile" | "globalknownhostsfile" => {
                let files = value.split_whitespace().filter(|file| *file != "none").map(PathBuf::from);
                self.known_hosts_files.extend(files);
            }
            "hostkeyalias" => self.host_key_alias = text(),
            "hashknownhosts" => self.hash_known_hosts = value == "yes",
            "proxyjump" => self.proxy_jump = text(),
            "proxycommand" => self.proxy_command = text(),
            "forwardagent" => self.forward_agent = value != "no",
            "connecttimeout" => self.connect_timeout = seconds(),
            "serveraliveinterval" => self.keepalive_interval = seconds(),
            _ => {}
        }
    }

    fn set_agent(&mut self, value: &str) {
        self.agent = match value {
            "none" => None,
            "SSH_AUTH_SOCK" => agent_of_environment(),
            variable if variable.starts_with('$') => std::env::var_os(&variable[1..]).map(PathBuf::from),
            path => Some(PathBuf::from(path)),
        };
    }

    /// Expands `~` and `%` tokens in paths.
    fn expand(&mut self, alias: &str) {
        let tokens = Tokens::of(self, alias);
        for file in self.identity_files.iter_mut().chain(&mut self.certificate_files).chain(&mut self.agent) {
            *file = tokens.expand_path(file);
        }
        if let Some(command) = &mut self.proxy_command {
            *command = tokens.expand(command);
        }
    }
}

fn file_arguments(file: &SshConfigFile) -> Vec<PathBuf> {
    match file {
        SshConfigFile::Default => Vec::new(),
        SshConfigFile::None => vec!["-F".into(), "none".into()],
        SshConfigFile::File(file) => vec!["-F".into(), file.clone()],
    }
}

fn agent_of_environment() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What the `%` tokens of ssh_config(5) stand for.
struct Tokens {
    home: String,
    pairs: Vec<(char, String)>,
}

impl Tokens {
    fn of(config: &HostConfig, alias: &str) -> Tokens {
        let home = std::env::var("HOME").unwrap_or_default();
        let local_user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
        let pairs = vec![
            ('%', "%".into()),
            ('d', home.clone()),
            ('h', config.host.clone()),
            ('i', rustix::process::getuid().as_raw().to_string()),
            ('n', alias.into()),
            ('p', config.port.to_string()),
            ('r', config.user.clone()),
            ('u', local_user),
        ];
        Tokens { home, pairs }
    }

    /// Expands the tokens of `text`; unknown ones stay.
    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let token = if character == '%' { rest.clone().next() } else { None };
            match self.pairs.iter().find(|(name, _)| Some(*name) == token) {
                Some((_, value)) => {
                    expanded.push_str(value);
                    rest.next();
                }
                None => expanded.push(character),
            }
        }
        expanded
    }

    fn expand_path(&self, path: &Path) -> PathBuf {
        let expanded = self.expand(&path.to_string_lossy());
        match expanded.strip_prefix("~/") {
            Some(rest) => Path::new(&self.home).join(rest),
            None => expanded.into(),
        }
    }
}
