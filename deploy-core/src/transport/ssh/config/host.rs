//! What `~/.ssh/config` says about a host, as `ssh` itself reads it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::file::Reading;
use crate::config::{Ssh, SshConfigFile};

/// The settings of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// The key files that the user named.
    pub(crate) identity_files: Vec<PathBuf>,
    /// The key files that `ssh` looks for where the user named none.
    pub(crate) default_identity_files: Vec<PathBuf>,
    pub(crate) certificate_files: Vec<PathBuf>,
    pub(crate) identities_only: bool,
    /// Where the agent listens; `None`: there is none, or none is wanted.
    pub(crate) agent: Option<PathBuf>,
    /// The user's own files; the first gets new keys.
    pub(crate) known_hosts_files: Vec<PathBuf>,
    /// The machine's files.
    pub(crate) global_known_hosts_files: Vec<PathBuf>,
    pub(crate) host_key_alias: Option<String>,
    pub(crate) hash_known_hosts: bool,
    /// What `StrictHostKeyChecking` says. It isn't followed, and advice names it.
    pub(crate) host_key_checking: Option<String>,
    pub(crate) proxy: Option<Proxy>,
    /// The ways to log in that must not be used, as servers call them.
    pub(crate) unwanted_methods: Vec<&'static str>,
    /// The kind of address to connect to, where not any will do.
    pub(crate) address_family: AddressFamily,
    /// The agent that servers may use, if they may.
    pub(crate) forward_agent: Option<PathBuf>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keepalive_interval: Option<Duration>,
    /// How the settings were read, for the record.
    pub(crate) source: String,
    /// What could not be taken into account.
    pub(crate) warnings: Vec<String>,
}

/// What stands between us and the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Hosts to jump through, as in `ssh -J`: nearest first, separated by commas.
    Jump(String),
    /// A command that connects its standard streams to the server, and the shell that runs it.
    Command {
        /// The command.
        command: String,
        /// The user's own shell, as with OpenSSH.
        shell: PathBuf,
    },
}

/// Which addresses of a host are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AddressFamily {
    #[default]
    Any,
    Ipv4,
    Ipv6,
}

impl AddressFamily {
    /// Whether `address` is of this family.
    pub(crate) fn includes(self, address: &SocketAddr) -> bool {
        match self {
            AddressFamily::Any => true,
            AddressFamily::Ipv4 => address.is_ipv4(),
            AddressFamily::Ipv6 => address.is_ipv6(),
        }
    }
}

/// What is asked for: a host as `deploy.toml` writes it, and what was set there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) host: String,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) file: SshConfigFile,
}

impl Query {
    /// How the host is called in output.
    pub(crate) fn label(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{user}{}{port}", self.host)
    }
}

/// The names after `~/.ssh/id_` of the keys that `ssh` looks for where none is named, in its order.
const DEFAULT_IDENTITIES: [&str; 7] = ["rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa"];

impl HostConfig {
    /// Reads the configuration: by `ssh -G`, which contacts nobody, or by ourselves where there is no `ssh`, or where it
    /// refuses. Nobody is asked where no file is to be read.
    pub(crate) fn read(query: &Query) -> HostConfig {
        if query.file == SshConfigFile::None {
            return HostConfig::read_files(query, &home());
        }
        let refusal = match ask_ssh(query) {
            Ok(output) if output.status.success() => {
                return HostConfig::parse(query, &String::from_utf8_lossy(&output.stdout));
            }
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(error.to_string()),
        };
        let mut config = HostConfig::read_files(query, &home());
        config.warnings.extend(refusal.map(|said| {
            format!("`ssh -G` doesn't work here, so SSH's configuration was read without it; it says: {said}")
        }));
        config
    }

    /// Understands the lines of `ssh -G`.
    fn parse(query: &Query, text: &str) -> HostConfig {
        let mut config = HostConfig { source: "ssh -G".into(), agent: agent_of_environment(), ..Default::default() };
        for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            config.set(key, value, &value.split_whitespace().collect::<Vec<_>>());
        }
        if config.identity_files.iter().all(|file| is_default_identity(file)) {
            config.default_identity_files = std::mem::take(&mut config.identity_files);
        }
        config.expand(&query.host, &home());
        config
    }

    /// Reads the files ourselves, on top of the defaults of `ssh`.
    fn read_files(query: &Query, home: &Path) -> HostConfig {
        let (own, system) = (home.join(".ssh"), Path::new("/etc/ssh"));
        let mut reading = Reading::new(&query.host, home);
        match &query.file {
            SshConfigFile::None => {}
            SshConfigFile::File(file) => reading.read(file, &own),
            SshConfigFile::Default => {
                reading.read(&own.join("config"), &own);
                reading.read(&system.join("ssh_config"), system);
            }
        }
        let mut config = HostConfig {
            host: query.host.clone(),
            port: 22,
            user: local_user(),
            agent: agent_of_environment(),
            known_hosts_files: vec![own.join("known_hosts"), own.join("known_hosts2")],
            global_known_hosts_files: vec![system.join("ssh_known_hosts"), system.join("ssh_known_hosts2")],
            source: "ssh_config, read without `ssh`".into(),
            ..Default::default()
        };
        for (key, words) in &reading.values {
            config.set(key, &words.join(" "), &words.iter().map(String::as_str).collect::<Vec<_>>());
        }
        config.user = query.user.clone().unwrap_or(config.user);
        config.port = query.port.unwrap_or(config.port);
        config.warnings = reading.warnings;
        if config.identity_files.is_empty() {
            config.default_identity_files =
                DEFAULT_IDENTITIES.map(|name| own.join(format!("id_{name}"))).into_iter().collect();
        }
        config.expand(&query.host, home);
        config
    }

    /// Lets `deploy.toml` have its way where it says something.
    pub(crate) fn override_with(&mut self, ssh: &Ssh) {
        self.identity_files.splice(0..0, ssh.identity_files.iter().cloned());
        if !ssh.identity_files.is_empty() {
            self.default_identity_files.clear();
        }
        self.identities_only = ssh.identities_only.unwrap_or(self.identities_only);
        match ssh.forward_agent {
            Some(true) if self.forward_agent.is_none() => self.forward_agent.clone_from(&self.agent),
            Some(false) => self.forward_agent = None,
            _ => {}
        }
        if !ssh.known_hosts_files.is_empty() {
            self.known_hosts_files.clone_from(&ssh.known_hosts_files);
            self.global_known_hosts_files.clear();
        }
        match ssh.proxy_jump.as_deref() {
            Some("none") => self.proxy = None,
            Some(jump) => self.proxy = Some(Proxy::Jump(jump.into())),
            None => {}
        }
    }

    /// What tells one sshd from another, as far as we can.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host.to_lowercase(), self.port)
    }

    /// Takes a setting: its value as a text, and as the words that it consists of.
    fn set(&mut self, key: &str, value: &str, words: &[&str]) {
        let text = || Some(value.to_owned()).filter(|value| value != "none");
        let seconds = || value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let files = || words.iter().filter(|file| **file != "none").map(PathBuf::from).collect();
        match key {
            "hostname" => self.host = value.into(),
            "port" => self.port = value.parse().unwrap_or(22),
            "user" => self.user = value.into(),
            "identityfile" => self.identity_files.extend(text().map(PathBuf::from)),
            "certificatefile" => self.certificate_files.extend(text().map(PathBuf::from)),
            "identitiesonly" => self.identities_only = value == "yes",
            "identityagent" => self.agent = agent_named(value),
            "userknownhostsfile" => self.known_hosts_files = files(),
            "globalknownhostsfile" => self.global_known_hosts_files = files(),
            "hostkeyalias" => self.host_key_alias = text(),
            "stricthostkeychecking" => self.host_key_checking = Some(value.into()),
            "hashknownhosts" => self.hash_known_hosts = value == "yes",
            // Whichever of the two comes first counts; `ssh -G` prints only that one.
            "proxyjump" if self.proxy.is_none() => self.proxy = text().map(Proxy::Jump),
            "proxycommand" if self.proxy.is_none() => {
                self.proxy = text().map(|command| Proxy::Command { command, shell: shell() });
            }
            "forwardagent" => self.forward_agent = forwarded_agent(value, self.agent.as_ref()),
            "pubkeyauthentication" if value == "no" => self.unwanted_methods.push("publickey"),
            "kbdinteractiveauthentication" if value == "no" => self.unwanted_methods.push("keyboard-interactive"),
            "passwordauthentication" if value == "no" => self.unwanted_methods.push("password"),
            "batchmode" if value == "yes" => self.unwanted_methods.extend(["keyboard-interactive", "password"]),
            "addressfamily" => self.address_family = address_family(value),
            "connecttimeout" => self.connect_timeout = seconds(),
            "serveraliveinterval" => self.keepalive_interval = seconds(),
            _ => {}
        }
    }

    /// Expands `~` and `%` tokens.
    fn expand(&mut self, alias: &str, home: &Path) {
        self.host = self.host.replace("%h", alias).replace("%%", "%");
        let tokens = Tokens::of(self, alias, home);
        let keys = self.identity_files.iter_mut().chain(&mut self.default_identity_files);
        let known = self.known_hosts_files.iter_mut().chain(&mut self.global_known_hosts_files);
        let agents = self.agent.iter_mut().chain(&mut self.forward_agent);
        for file in keys.chain(&mut self.certificate_files).chain(known).chain(agents) {
            *file = tokens.expand_path(file);
        }
        if let Some(Proxy::Command { command, .. }) = &mut self.proxy {
            *command = tokens.expand(command);
        }
    }
}

/// How OpenSSH's own client calls itself, `OpenSSH_9.2p1 …`; `None` where there is none.
pub fn client_version() -> Option<String> {
    let output = Command::new("ssh").arg("-V").stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()).filter(|version| !version.is_empty())
}

fn ask_ssh(query: &Query) -> io::Result<std::process::Output> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-G");
    match &query.file {
        SshConfigFile::Default => {}
        SshConfigFile::None => drop(ssh.args(["-F", "none"])),
        SshConfigFile::File(file) => drop(ssh.arg("-F").arg(file)),
    }
    ssh.args(query.user.iter().flat_map(|user| ["-l", user]));
    ssh.args(query.port.iter().flat_map(|port| ["-p".into(), port.to_string()]));
    ssh.args(["--", &query.host]).stdin(Stdio::null()).output()
}

/// Whether `file` is one of those that `ssh -G` lists where no key file is named. It lists all of them then.
fn is_default_identity(file: &Path) -> bool {
    let name = file.to_str().and_then(|file| file.strip_prefix("~/.ssh/id_"));
    name.is_some_and(|name| DEFAULT_IDENTITIES.contains(&name))
}

fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_default()
}

/// The shell that runs a `ProxyCommand`, as OpenSSH chooses it.
fn shell() -> PathBuf {
    std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).map_or_else(|| "/bin/sh".into(), PathBuf::from)
}

/// The user's name: as the machine knows it, or else as the environment says, or else a number.
fn local_user() -> String {
    let number = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(number, &users).unwrap_or_else(|| user_of_environment(number))
}

/// The name of the user with this number, in the format of passwd(5).
fn name_of(number: u32, users: &str) -> Option<String> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let (name, _password, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(number) && !name.is_empty()).then(|| name.to_owned())
    };
    users.lines().find_map(user)
}

fn user_of_environment(number: u32) -> String {
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| number.to_string())
}

fn agent_of_environment() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What `IdentityAgent` says.
fn agent_named(value: &str) -> Option<PathBuf> {
    match value {
        "none" => None,
        "SSH_AUTH_SOCK" => agent_of_environment(),
        path => Some(path_or_variable(path)),
    }
}

/// What `ForwardAgent` says: yes, no, or which agent.
fn forwarded_agent(value: &str, agent: Option<&PathBuf>) -> Option<PathBuf> {
    match value {
        "no" => None,
        "yes" => agent.cloned().or_else(agent_of_environment),
        path => Some(path_or_variable(path)),
    }
}

fn address_family(value: &str) -> AddressFamily {
    match value {
        "inet" => AddressFamily::Ipv4,
        "inet6" => AddressFamily::Ipv6,
        _ => AddressFamily::Any,
    }
}

fn path_or_variable(text: &str) -> PathBuf {
    match text.strip_prefix('$') {
        Some(name) => std::env::var_os(name.trim_matches(['{', '}'])).unwrap_or_default().into(),
        None => text.into(),
    }
}

/// `text` with the values of variables that stand in it as `${NAME}`; what isn't set stays as it is.
fn with_variables(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        expanded.push_str(before);
        expanded.push_str(&value(name).unwrap_or_else(|| format!("${{{name}}}")));
        rest = tail;
    }
    expanded + rest
}

/// What the `%` tokens of ssh_config(5) stand for.
struct Tokens<'a> {
    home: &'a Path,
    pairs: Vec<(char, String)>,
}

impl<'a> Tokens<'a> {
    fn of(config: &HostConfig, alias: &str, home: &'a Path) -> Tokens<'a> {
        let pairs = vec![
            ('%', "%".into()),
            ('d', home.display().to_string()),
            ('h', config.host.clone()),
            ('i', rustix::process::getuid().as_raw().to_string()),
            ('k', config.host_key_alias.clone().unwrap_or_else(|| alias.into())),
            ('n', alias.into()),
            ('p', config.port.to_string()),
            ('r', config.user.clone()),
            ('u', local_user()),
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
        let expanded = with_variables(&self.expand(&path.to_string_lossy()), |name| std::env::var(name).ok());
        match expanded.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => expanded.into(),
        }
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
