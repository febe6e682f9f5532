//! Reads the servers of a stage.

use std::path::Path;

use super::address::Address;
use super::diagnostics::{Problem, Problems};
use super::expand::Names;
use super::reader::Reader;
use super::source::Span;
use super::value::{Node, Table, Value};
use super::{Server, TransportKind, keys, names, paths};

/// What servers are read with besides their own table. What is wrong is reported, and reads as a default.
pub(super) struct ServerReader<'a> {
    pub(super) transport: TransportKind,
    /// The project root, where the relative `deploy_to` of a local stage starts.
    pub(super) root: &'a Path,
    /// Where a local stage is deployed to when nothing says otherwise.
    pub(super) default_deploy_to: &'a Path,
    pub(super) names: Names<'a>,
    /// The place of the stage's name.
    pub(super) stage: Span,
    /// Top level and stage.
    pub(super) lower: &'a Table,
    /// Variables and flags.
    pub(super) upper: &'a Table,
    /// The roles of a server that is alone in its stage and names none.
    pub(super) all_roles: Vec<String>,
    pub(super) problems: &'a Problems,
}

/// A server and the place that checks of several servers point to.
struct Placed {
    server: Server,
    host: Span,
}

impl ServerReader<'_> {
    /// The servers of the stage whose table is `stage`.
    pub(super) fn read(&self, stage: &Reader<'_>) -> Vec<Server> {
        let tables = stage.array_of_tables("servers").unwrap_or_default();
        let servers: Vec<Placed> = match self.transport {
            TransportKind::Local => vec![self.read_local(&tables)],
            TransportKind::Ssh => {
                tables.iter().map(|(span, reader)| self.read_ssh(*span, reader, tables.len() == 1)).collect()
            }
        };
        if self.transport == TransportKind::Ssh && stage.node("servers").is_none_or(is_empty) {
            let name = self.names.stage;
            self.problems.add(
                Problem::new(format!("stage `{name}` has no servers"))
                    .at(self.stage, format!("expected `[[stages.{name}.servers]]` below it"))
                    .help("write `transport = \"local\"` for a stage that is this machine"),
            );
        }
        check_unique(&servers, self.problems);
        check_primaries(&servers, self.problems);
        servers.into_iter().map(|placed| placed.server).collect()
    }

    fn read_ssh(&self, span: Span, reader: &Reader<'_>, alone: bool) -> Placed {
        reader.check_keys(&[keys::SERVER]);
        let (host, address) = self.host(span, reader);
        let user = names::user(reader, "user").map(|user| user.text);
        let user = self.agree("user", reader, host, user, address.user);
        let port = self.agree("port", reader, host, reader.port("port"), address.port);
        let server = Server {
            user: self.layered_ssh(|ssh| names::user(ssh, "user").map(|user| user.text), user),
            port: self.layered_ssh(|ssh| ssh.port("port"), port),
            roles: self.roles(span, reader, alone),
            primary: reader.boolean("primary").unwrap_or(false),
            no_release: reader.boolean("no_release").unwrap_or(false),
            deploy_to: self.deploy_to(reader, &address.host),
            properties: self.properties(reader),
            host: address.host,
        };
        Placed { server, host }
    }

    /// The one server of a local stage. Its table is optional, and for roles and properties.
    fn read_local(&self, tables: &[(Span, Reader<'_>)]) -> Placed {
        if let Some((span, _)) = tables.get(1) {
            let title = format!("local stage `{}` has more than one server", self.names.stage);
            self.problems.add(Problem::new(title).at(*span, "a local stage is this machine alone"));
        }
        let empty = Table::default();
        let (span, reader) = tables.first().copied().unwrap_or((self.stage, Reader::new(&empty, self.problems)));
        reader.check_keys(&[keys::SERVER]);
        self.refuse_remote_keys(&reader);
        let server = Server {
            host: "localhost".to_owned(),
            user: None,
            port: None,
            roles: self.roles(span, &reader, true),
            primary: reader.boolean("primary").unwrap_or(false),
            no_release: reader.boolean("no_release").unwrap_or(false),
            deploy_to: self.deploy_to(&reader, "localhost"),
            properties: self.properties(&reader),
        };
        Placed { server, host: span }
    }

    fn refuse_remote_keys(&self, reader: &Reader<'_>) {
        let is_remote = |key: &str| matches!(key, "user" | "port");
        for entry in reader.table.0.iter().filter(|entry| is_remote(&entry.key)) {
            let title = format!("`{}` in a local stage", entry.key);
            self.problems.add(Problem::new(title).at(entry.key_span, "nobody logs in to this machine"));
        }
        if let Some(host) = reader.line("host").filter(|host| &**host != "localhost") {
            self.problems.add(
                Problem::new(format!("host `{}` in a local stage", host.text))
                    .at(host.span, "a local stage is this machine, `localhost`")
                    .help("leave `transport = \"local\"` out to deploy over SSH"),
            );
        }
    }

    /// The host's place and what it says. `span` is the place of the server's table.
    fn host(&self, span: Span, reader: &Reader<'_>) -> (Span, Address) {
        if reader.node("host").is_none() {
            self.problems.add(Problem::new("a server without `host`").at(span, "expected `host = \"…\"` below it"));
        }
        let Some(text) = reader.line("host") else { return (span, Address::unknown(span)) };
        let address = Address::parse(&text).unwrap_or_else(|| {
            self.problems.add(
                Problem::new(format!("`{}` is not a host", text.text))
                    .at(text.span, "expected `host`, `user@host`, `host:port` or `user@host:port`")
                    .help("an IPv6 address with a port is written `[2001:db8::1]:22`"),
            );
            Address::unknown(span)
        });
        (text.span, address)
    }

    fn roles(&self, span: Span, reader: &Reader<'_>, alone: bool) -> Vec<String> {
        if let Some(roles) = names::roles(reader, "roles") {
            return roles.into_iter().map(|role| role.text).collect();
        }
        if reader.node("roles").is_none() && !alone {
            self.problems.add(
                Problem::new("a server without `roles`")
                    .at(span, "one of several servers")
                    .help("write what it does, such as `roles = [\"app\", \"web\"]`, or `roles = []`"),
            );
        }
        if alone { self.all_roles.clone() } else { Vec::new() }
    }

    /// What a key and the host's text say of the same thing; they may not contradict each other.
    fn agree<T: PartialEq>(
        &self,
        key: &str,
        reader: &Reader<'_>,
        host: Span,
        own: Option<T>,
        in_host: Option<T>,
    ) -> Option<T> {
        if let (Some(entry), true) = (reader.table.entry(key), own.is_some() && in_host.is_some() && own != in_host) {
            self.problems.add(
                Problem::new(format!("two different values for `{key}`"))
                    .at(entry.node.span, "one here")
                    .and(host, "another one here"),
            );
        }
        own.or(in_host)
    }

    /// A setting of `[ssh]` that a server may have too: a variable or flag, else the server's, else the stage's.
    fn layered_ssh<T>(&self, read: impl Fn(&Reader<'_>) -> Option<T>, own: Option<T>) -> Option<T> {
        let from = |table: &Table| read(&Reader::new(table, self.problems).table("ssh")?);
        from(self.upper).or(own).or_else(|| from(self.lower))
    }

    fn properties(&self, reader: &Reader<'_>) -> toml::Table {
        reader.table("properties");
        let mut merged = Table::default();
        for layer in [self.lower, reader.table, self.upper] {
            merged.merge(&layer.only(&["properties"]));
        }
        merged.get("properties").and_then(|node| node.as_table()).map(Table::to_toml).unwrap_or_default()
    }

    fn deploy_to(&self, reader: &Reader<'_>, host: &str) -> String {
        let layers = [Reader::new(self.upper, self.problems), *reader, Reader::new(self.lower, self.problems)];
        match layers.iter().find(|layer| layer.node("deploy_to").is_some()) {
            Some(layer) => self.written_deploy_to(layer, host).unwrap_or_default(),
            None => self.default_deploy_to(),
        }
    }

    fn written_deploy_to(&self, layer: &Reader<'_>, host: &str) -> Option<String> {
        const KEY: &str = "deploy_to";
        let names = Names { host: Some(host), ..self.names };
        let mut path = names.expand(&layer.line(KEY)?, self.problems)?;
        if self.transport == TransportKind::Local && !path.starts_with(['/', '~']) {
            path = paths::relative(KEY, &path, self.problems)?;
            path.text = self.root.join(path.text).to_string_lossy().into_owned();
        }
        paths::absolute(KEY, &path, self.problems)
    }

    fn default_deploy_to(&self) -> String {
        if self.transport == TransportKind::Local {
            return self.default_deploy_to.to_string_lossy().into_owned();
        }
        self.problems.add(
            Problem::new(format!("stage `{}` has no `deploy_to`", self.names.stage))
                .at(self.stage, "its servers need a folder to deploy to")
                .help("write `deploy_to = \"/var/www/{application}\"` here or at the top level"),
        );
        String::new()
    }
}

fn is_empty(servers: &Node) -> bool {
    matches!(&servers.value, Value::Array(items) if items.is_empty())
}

/// Two servers can't be one machine, whoever logs in.
fn check_unique(servers: &[Placed], problems: &Problems) {
    let address = |placed: &Placed| (placed.server.host.to_lowercase(), placed.server.port.unwrap_or(22));
    for (number, placed) in servers.iter().enumerate() {
        if let Some(first) = servers[..number].iter().find(|other| address(other) == address(placed)) {
            let (host, port) = address(placed);
            problems.add(
                Problem::new(format!("two servers at `{host}`, port {port}"))
                    .at(placed.host, "the second one")
                    .and(first.host, "the first one")
                    .help("name all roles of a machine in one place"),
            );
        }
    }
}

/// A role has one primary server at most.
fn check_primaries(servers: &[Placed], problems: &Problems) {
    let primaries: Vec<&Placed> = servers.iter().filter(|placed| placed.server.primary).collect();
    for (number, placed) in primaries.iter().enumerate() {
        for first in &primaries[..number] {
            let shared = placed.server.roles.iter().find(|role| first.server.roles.contains(role));
            if let Some(role) = shared {
                problems.add(
                    Problem::new(format!("two primary servers of role `{role}`"))
                        .at(placed.host, "the second one")
                        .and(first.host, "the first one"),
                );
            }
        }
    }
}
