//! `[recipes.systemd.services.NAME]`: a process that the recipe keeps a unit of.
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `command` | string | required | The program with its arguments, as a shell reads them; it runs in `current`, and is the unit's main process |
//! | `roles` | list of roles | those of the recipe | Where it runs |
//! | `port` | port, or address with one | none | systemd listens there and hands the socket over, so that requests wait while it restarts. A number alone is on 127.0.0.1. Example: `9292`, `"0.0.0.0:9292"` |
//! | `socket` | path | none | The same for a Unix socket: below `shared/`, or absolute. Example: `"tmp/sockets/web.sock"` |
//! | `type` | `"simple"`, `"notify"` | `"simple"` | When it counts as started: at once, or when it says so (`sd_notify`; one that doesn't is given up when systemd's time is over) |
//! | `environment` | table of strings | `{}` | Its variables, besides those of the user's manager; `default_env` is not among them |
//! | `environment_file` | path | none | A file with variables, one `NAME=value` a line: below `shared/`, or absolute. It has to be there. Secrets belong there: what is in the unit is shown |
//! | `stop_timeout` | time | systemd's, 90 seconds as a rule | How long it may take to stop before it is killed. A worker needs more than its longest job |
//! | `reload` | string | none | Shell text that has it take up the new release; `$MAINPID` is its main process. A deploy reloads it then, instead of restarting it |

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use deploy_core::config::Time;
use serde::Deserialize;

/// A process that the recipe keeps a unit of. The module's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above is their documentation, and a test holds it complete")]
pub struct Service {
    pub command: Line,
    #[serde(default)]
    pub roles: Vec<String>,
    pub port: Option<Port>,
    pub socket: Option<Line>,
    #[serde(default, rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub environment: BTreeMap<String, Line>,
    pub environment_file: Option<Line>,
    pub stop_timeout: Option<Time>,
    pub reload: Option<Line>,
}

/// Text that is one line of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Line(pub(crate) String);

impl TryFrom<String> for Line {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Line, &'static str> {
        if text.chars().any(char::is_control) { Err("expected one line") } else { Ok(Line(text)) }
    }
}

/// Where systemd listens for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a port such as 9292, or an address with one such as \"0.0.0.0:9292\"")]
pub enum Port {
    /// On 127.0.0.1.
    Local(u16),
    /// On an address of its own.
    On(SocketAddr),
}

impl Port {
    /// The address in full: for systemd a port alone is one of all addresses, by IPv6.
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Port::Local(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Port::On(address) => address,
        }
    }
}

impl Port {
    /// What stands in `/proc/net/tcp` for a socket that is in the way, as a pattern: one at the address, or at all of them.
    pub(crate) fn pattern(self) -> String {
        let address = self.address();
        let port = format!(":{:04X}", address.port());
        match address {
            SocketAddr::V4(v4) if !v4.ip().is_unspecified() => {
                let [a, b, c, d] = v4.ip().octets();
                format!("\\(\\({d:02X}{c:02X}{b:02X}{a:02X}\\)\\|\\(00*\\)\\){port}")
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => port,
        }
    }
}

/// When a service counts as started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// At once.
    #[default]
    Simple,
    /// When it says so.
    Notify,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Simple => "simple",
            Kind::Notify => "notify",
        }
    }
}

/// Where a service is deployed.
pub(crate) struct Place<'p> {
    pub(crate) root: &'p str,
    pub(crate) current: &'p str,
    pub(crate) shared: &'p str,
}

impl Service {
    /// What is wrong with it that no single key shows.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if self.command.0.trim().is_empty() {
            Some("`command` is empty")
        } else if self.port.is_some() && self.socket.is_some() {
            Some("it has a `port` and a `socket`: say one of them")
        } else if !self.environment.keys().all(is_name) {
            Some("a name in `environment` can't be that of a variable")
        } else {
            None
        }
    }

    /// The file that its variables come from, if it has one.
    pub(crate) fn file(&self, shared: &str) -> Option<String> {
        self.environment_file.as_ref().map(|file| below(&file.0, shared))
    }

    /// Whether systemd listens for it.
    pub(crate) fn has_socket(&self) -> bool {
        self.port.is_some() || self.socket.is_some()
    }

    /// The text of its unit, which is called `unit`.
    pub(crate) fn unit(&self, unit: &str, place: &Place<'_>) -> String {
        let mut lines = vec![first_line(place), "[Unit]".to_owned(), format!("Description={unit}")];
        if self.has_socket() {
            lines.extend([format!("Requires={unit}.socket"), format!("After={unit}.socket")]);
        }
        lines.extend([String::new(), "[Service]".to_owned(), format!("Type={}", self.kind.word())]);
        lines.push(format!("WorkingDirectory={}", plain(place.current)));
        lines.push(format!("ExecStart=/bin/sh -c {}", quoted(&format!("exec {}", self.command.0))));
        lines.extend(self.reload.iter().map(|reload| format!("ExecReload=/bin/sh -c {}", quoted(&reload.0))));
        let variables = self.environment.iter();
        lines.extend(variables.map(|(name, value)| format!("Environment={}", assigned(name, &value.0))));
        let file = self.file(place.shared).into_iter();
        lines.extend(file.map(|file| format!("EnvironmentFile={}", plain(&file))));
        lines.extend(self.stop_timeout.iter().map(|time| format!("TimeoutStopSec={}s", time.0.as_secs_f64())));
        lines.extend(["Restart=always", "RestartSec=1", "", "[Install]", "WantedBy=default.target"].map(str::to_owned));
        lines.join("\n")
    }

    /// The text of the unit of its socket, if it has one.
    pub(crate) fn socket_unit(&self, unit: &str, place: &Place<'_>) -> Option<String> {
        let stream = match (self.port, &self.socket) {
            (Some(port), _) => port.address().to_string(),
            (None, Some(path)) => plain(&below(&path.0, place.shared)),
            (None, None) => return None,
        };
        let lines = [
            first_line(place),
            "[Unit]".to_owned(),
            format!("Description={unit}, where it listens"),
            String::new(),
            "[Socket]".to_owned(),
            format!("ListenStream={stream}"),
            String::new(),
            "[Install]".to_owned(),
            "WantedBy=sockets.target".to_owned(),
        ];
        Some(lines.join("\n"))
    }
}

/// By this line a file is known for the deployment's own.
fn first_line(place: &Place<'_>) -> String {
    format!("# Kept by cargo xtask for {}: what is changed here is overwritten.", place.root)
}

fn below(path: &str, shared: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{shared}/{path}") }
}

/// A value that is the rest of its line.
fn plain(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a command line; systemd puts variables into it, too.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('$', "$$"))
}

/// A variable, in which systemd leaves the dollar alone.
fn assigned(name: &str, value: &str) -> String {
    format!("\"{name}={}\"", escaped(value))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { root: "/srv/50%", current: "/srv/50%/current", shared: "/srv/50%/shared" };

    fn service(toml: &str) -> Service {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn every_key_has_its_line() {
        let service = service(
            "command = 'bin/puma -e \"x y\"'\nport = 9292\ntype = 'notify'\nenvironment = { A = '1 $x' }\n\
             environment_file = '.env'\nstop_timeout = '500ms'\nreload = 'kill -USR1 $MAINPID'",
        );
        assert_eq!(
            service.unit("shop-web", &PLACE),
            "# Kept by cargo xtask for /srv/50%: what is changed here is overwritten.\n\
             [Unit]\nDescription=shop-web\nRequires=shop-web.socket\nAfter=shop-web.socket\n\n\
             [Service]\nType=notify\nWorkingDirectory=/srv/50%%/current\n\
             ExecStart=/bin/sh -c \"exec bin/puma -e \\\"x y\\\"\"\n\
             ExecReload=/bin/sh -c \"kill -USR1 $$MAINPID\"\nEnvironment=\"A=1 $x\"\n\
             EnvironmentFile=/srv/50%%/shared/.env\nTimeoutStopSec=0.5s\nRestart=always\nRestartSec=1\n\n\
             [Install]\nWantedBy=default.target"
        );
        let socket = service.socket_unit("shop-web", &PLACE).unwrap();
        assert!(socket.contains("\nListenStream=127.0.0.1:9292\n"), "{socket}");
    }

    #[test]
    fn sockets_are_on_addresses_or_paths() {
        let stream = |toml: &str| {
            let socket = service(&format!("command = 'x'\n{toml}")).socket_unit("web", &PLACE);
            socket.map(|text| text.lines().find_map(|line| line.strip_prefix("ListenStream=")).unwrap().to_owned())
        };
        assert_eq!(stream("port = '0.0.0.0:80'").as_deref(), Some("0.0.0.0:80"));
        assert_eq!(stream("port = '[::]:80'").as_deref(), Some("[::]:80"));
        assert_eq!(stream("socket = 'tmp/web.sock'").as_deref(), Some("/srv/50%%/shared/tmp/web.sock"));
        assert_eq!(stream("socket = '/run/web.sock'").as_deref(), Some("/run/web.sock"));
        assert_eq!(stream(""), None);
    }

    #[test]
    fn a_place_that_is_taken_is_known_by_its_line() {
        let pattern = |port: Port| port.pattern();
        assert_eq!(pattern(Port::Local(9292)), "\\(\\(0100007F\\)\\|\\(00*\\)\\):244C");
        assert_eq!(pattern(Port::On("0.0.0.0:80".parse().unwrap())), ":0050");
        assert_eq!(pattern(Port::On("[::1]:80".parse().unwrap())), ":0050");
    }

    #[test]
    fn what_does_not_go_together_is_a_problem() {
        for (toml, said) in [
            ("command = ' '", "is empty"),
            ("command = 'x'\nport = 1\nsocket = 'x'", "say one of them"),
            ("command = 'x'\nenvironment = { 'A B' = '1' }", "that of a variable"),
        ] {
            assert!(service(toml).problem().unwrap().contains(said), "{toml}");
        }
        assert_eq!(service("command = 'x'").problem(), None);
        assert!(toml::from_str::<Service>("command = \"a\\nb\"").is_err());
        assert!(toml::from_str::<Service>("command = 'x'\nport = 70000").is_err());
    }
}
