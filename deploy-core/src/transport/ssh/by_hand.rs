//! OpenSSH's own programs as a person would type them to get where we get: with all that `[ssh]` in `deploy.toml` says.

use super::config::host::Query;
use super::route::jump::Jump;
use crate::config::{Server, Ssh, SshConfigFile};
use crate::script::quote;

/// The way to a server, for OpenSSH's programs.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// What `ssh` and `scp` are told alike, each word after a blank.
    options: String,
    /// What only `ssh` is told.
    forwarding: &'static str,
    port: Option<u16>,
    user: Option<String>,
    host: String,
}

impl Way {
    /// To `server`, by the `[ssh]` settings of its stage.
    pub(crate) fn to(ssh: &Ssh, server: &Server) -> Way {
        let forwarding = match ssh.forward_agent {
            Some(true) => " -A",
            Some(false) => " -a",
            None => "",
        };
        Way { forwarding, ..Way::through(ssh, &query(ssh, server), ssh.proxy_jump.as_deref()) }
    }

    /// To the host of `query`, through `jumps`.
    pub(super) fn through(ssh: &Ssh, query: &Query, jumps: Option<&str>) -> Way {
        Way::with(options(ssh) + &jumps.map(|list| jump(ssh, list)).unwrap_or_default(), query)
    }

    fn with(options: String, query: &Query) -> Way {
        let Query { host, user, port, .. } = query.clone();
        Way { options, forwarding: "", port, user, host }
    }

    /// `ssh`, with more `flags`, which begin with a blank; a command may follow.
    pub(crate) fn ssh(&self, flags: &str) -> String {
        let port = self.port.map(|port| format!(" -p {port}")).unwrap_or_default();
        let place = word(&format!("{}{}", self.at(), self.host));
        format!("ssh{flags}{}{}{port} {place}", self.options, self.forwarding)
    }

    /// `scp` of the file `from` here to `to` there.
    pub(crate) fn scp(&self, from: &str, to: &str) -> String {
        let port = self.port.map(|port| format!(" -P {port}")).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        // What has a colon before its first slash would be a host.
        let is_odd = from.starts_with('-') || from.split('/').next().is_some_and(|first| first.contains(':'));
        let from = if is_odd { format!("./{from}") } else { from.to_owned() };
        format!("scp{}{port} {} {}", self.options, word(&from), word(&format!("{}{host}:{to}", self.at())))
    }

    fn at(&self) -> String {
        self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default()
    }
}

/// What is asked about `server`.
pub(super) fn query(ssh: &Ssh, server: &Server) -> Query {
    Query {
        host: server.host.clone(),
        user: server.user.clone().or_else(|| ssh.user.clone()),
        port: server.port.or(ssh.port),
        file: ssh.config_file.clone(),
    }
}

/// Files, each word after a blank.
fn options(ssh: &Ssh) -> String {
    let mut words: Vec<String> = Vec::new();
    match &ssh.config_file {
        SshConfigFile::Default => {}
        SshConfigFile::None => words.extend(["-F".to_owned(), "none".to_owned()]),
        SshConfigFile::File(file) => words.extend(["-F".to_owned(), file.display().to_string()]),
    }
    words.extend(ssh.identity_files.iter().flat_map(|file| ["-i".to_owned(), file.display().to_string()]));
    let mut set = |option: String| words.extend(["-o".to_owned(), option]);
    if let Some(only) = ssh.identities_only {
        set(format!("IdentitiesOnly={}", if only { "yes" } else { "no" }));
    }
    if !ssh.known_hosts_files.is_empty() {
        let files = ssh.known_hosts_files.iter().map(|file| file.display().to_string());
        let quoted = files.map(|file| if file.contains(' ') { format!("\"{file}\"") } else { file });
        set(format!("UserKnownHostsFile={}", quoted.collect::<Vec<_>>().join(" ")));
        set("GlobalKnownHostsFile=/dev/null".to_owned());
    }
    words.iter().map(|text| format!(" {}", word(text))).collect()
}

/// What leads through the jump hosts of `list`. `ssh -J` would tell them nothing of our options.
fn jump(ssh: &Ssh, list: &str) -> String {
    if list == "none" {
        " -o ProxyJump=none".to_owned()
    } else if options(ssh).is_empty() {
        format!(" -J {}", word(list))
    } else {
        let Jump { query, before } = Jump::last_of(list, &ssh.config_file);
        // What leads to it is a command of its own, whose tokens the one around it must leave alone.
        let before = before.map(|list| jump(ssh, &list).replace('%', "%%")).unwrap_or_default();
        let command = Way::with(options(ssh) + &before, &query).ssh(" -W '[%h]:%p'");
        format!(" -o {}", word(&format!("ProxyCommand={command}")))
    }
}

/// `text` as one word of a shell.
pub(crate) fn word(text: &str) -> String {
    let quoted = |text: &str| String::from_utf8_lossy(&quote(text.as_bytes())).into_owned();
    match text.split_once('=') {
        // An option with a plain value is easier to read without quotes, and needs none.
        Some((name, value)) if !value.is_empty() && quoted(name) == name && quoted(value) == value => text.to_owned(),
        _ => quoted(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str) -> Server {
        Server {
            host: host.into(),
            user: None,
            port: None,
            roles: Vec::new(),
            primary: false,
            no_release: false,
            deploy_to: "/srv/app".into(),
            properties: toml::Table::new(),
        }
    }

    #[test]
    fn where_nothing_is_set_the_line_is_short() {
        let way = Way::to(&Ssh::default(), &server("app1"));
        assert_eq!(way.ssh(" -v"), "ssh -v app1");
        assert_eq!(way.scp("config/database.yml", "/srv/app/x"), "scp config/database.yml app1:/srv/app/x");
        assert_eq!(way.scp("a:b", "/srv/app/x"), "scp ./a:b app1:/srv/app/x");
    }

    #[test]
    fn keys_and_files_of_deploy_toml_are_in_the_line() {
        let ssh = Ssh {
            user: Some("deploy".into()),
            port: Some(2222),
            identity_files: vec!["/keys/my key".into()],
            identities_only: Some(true),
            known_hosts_files: vec!["/known".into(), "/my hosts".into()],
            config_file: SshConfigFile::None,
            forward_agent: Some(true),
            ..Ssh::default()
        };
        let options = "-F none -i '/keys/my key' -o IdentitiesOnly=yes -o 'UserKnownHostsFile=/known \"/my hosts\"' \
                       -o GlobalKnownHostsFile=/dev/null";
        let way = Way::to(&ssh, &server("app1"));
        assert_eq!(way.ssh(""), format!("ssh {options} -A -p 2222 deploy@app1"));
        assert_eq!(way.scp("/a", "/b"), format!("scp {options} -P 2222 /a deploy@app1:/b"));
    }

    #[test]
    fn an_address_of_ipv6_stands_in_brackets_where_a_colon_follows() {
        let way = Way::to(&Ssh { port: Some(22), ..Ssh::default() }, &server("fe80::1"));
        assert_eq!(way.ssh(""), "ssh -p 22 fe80::1");
        assert_eq!(way.scp("/a", "/b"), "scp -P 22 /a '[fe80::1]:/b'");
    }

    #[test]
    fn jump_hosts_hear_of_our_options_too() {
        let plain = Ssh { proxy_jump: Some("me@a:2222,b".into()), ..Ssh::default() };
        assert_eq!(Way::to(&plain, &server("app1")).ssh(""), "ssh -J me@a:2222,b app1");
        let ssh = Ssh { config_file: SshConfigFile::None, ..plain };
        let inner = "ssh -W '[%%h]:%%p' -F none -p 2222 me@a";
        let outer = format!("ssh -W '[%h]:%p' -F none -o {} b", word(&format!("ProxyCommand={inner}")));
        let line = Way::to(&ssh, &server("app1")).ssh("");
        assert_eq!(line, format!("ssh -F none -o {} app1", word(&format!("ProxyCommand={outer}"))));
        let none = Ssh { proxy_jump: Some("none".into()), ..Ssh::default() };
        assert_eq!(Way::to(&none, &server("app1")).ssh(""), "ssh -o ProxyJump=none app1");
    }
}
