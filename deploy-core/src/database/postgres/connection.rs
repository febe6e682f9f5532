//! How a database is reached, as PostgreSQL's own programs are told it: by variables, never on a command line.

use std::collections::BTreeMap;

use super::parameters::{BESIDE, OF_APPLICATIONS, PARTS, REFUSED, VARIABLES};
use crate::config::{ConnectionParts, Secret};
use crate::error::{Error, Result, nearest};
use crate::script::{Arg, Script};

/// Takes the `PG*` variables away that the machine has: none of them may lead a session elsewhere.
const FORGET: &str =
    "for pg_variable in $(env | LC_ALL=C sed -n 's/^\\(PG[A-Z0-9_]*\\)=.*/\\1/p'); do unset \"$pg_variable\"; done";

/// How to write a password that has what parts a URL.
const ENCODE: &str = "in its password, write `/` as %2F, `?` as %3F, `#` as %23 and `@` as %40";

/// How a database is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) parts: ConnectionParts,
    /// Variables for what is no part.
    pub(super) variables: BTreeMap<&'static str, String>,
    /// What has to stand beside the database's name.
    pub(super) beside: BTreeMap<&'static str, String>,
}

impl Connection {
    /// Reads a URL: `postgresql://user:password@host:port/name?sslmode=require`. The error doesn't repeat the URL.
    pub(super) fn parse(url: &str) -> Result<Connection> {
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(|| wrong("has no `://`"))?;
        if !["postgres", "postgresql", "postgis"].contains(&scheme) {
            // What is no scheme may be anything that stood before: a password.
            let begins =
                if is_scheme(scheme) { format!("begins with `{scheme}://`") } else { "begins otherwise".into() };
            let hint = "it should begin with `postgresql://`";
            return Err(wrong(&format!("{begins}, which is no PostgreSQL")).hint(hint));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // The rest of a password with a `/` or a `?` in it would be taken for names, and shown.
        if path.contains('@') || query.split('&').any(is_cut_off) {
            return Err(wrong("has an `@` behind a `/` or a `?`").hint(ENCODE));
        }
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        let some = |text: &str| Some(decode(text)).filter(|text| !text.is_empty());
        let parts = ConnectionParts {
            user: some(user),
            password: password.and_then(some).map(Secret::new),
            name: some(path.split('/').next().unwrap_or_default()),
            ..ConnectionParts::default()
        };
        let mut connection = Connection { parts, ..Connection::default() };
        connection.places(place)?;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| wrong("has a parameter without a value"))?;
            connection.parameter(&decode(name), decode(value))?;
        }
        Ok(connection)
    }

    /// Takes the servers of a URL: `host`, `host:port`, `[::1]:port`, several of them parted by commas.
    fn places(&mut self, places: &str) -> Result<()> {
        let mut hosts = Vec::new();
        let mut ports = Vec::new();
        for place in places.split(',') {
            let (host, port) = host_and_port(place).ok_or_else(|| wrong("has a port that is no number"))?;
            hosts.push(decode(host));
            ports.push(port.map(|port: u16| port.to_string()).unwrap_or_default());
        }
        self.parts.host = Some(hosts.join(",")).filter(|host| !host.is_empty());
        self.ports(&ports.join(","))
    }

    /// Takes a port, or several of them parted by commas.
    pub(super) fn ports(&mut self, ports: &str) -> Result<()> {
        let is_number = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
        if !ports.split(',').all(is_number) {
            return Err(wrong("has a port that is no number"));
        }
        self.variables.remove("PGPORT");
        self.parts.port = ports.parse().ok();
        if ports.contains(',') {
            self.variables.insert("PGPORT", ports.to_owned());
        }
        Ok(())
    }

    /// Takes a parameter of a URL. What nobody knows may be a slip for one that says whom to trust.
    fn parameter(&mut self, name: &str, value: String) -> Result<()> {
        let parts = &mut self.parts;
        match name {
            "host" => parts.host = Some(value),
            "port" => return self.ports(&value),
            "user" => parts.user = Some(value),
            "password" => parts.password = Some(Secret::new(value)),
            "dbname" => parts.name = Some(value),
            "application_name" | "fallback_application_name" => {}
            "ssl" if value == "true" => drop(self.variables.insert("PGSSLMODE", "require".to_owned())),
            _ if OF_APPLICATIONS.contains(&name) => {}
            _ => return self.other(name, value),
        }
        Ok(())
    }

    fn other(&mut self, name: &str, value: String) -> Result<()> {
        if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            self.variables.insert(variable, value);
        } else if let Some(known) = BESIDE.iter().find(|known| **known == name) {
            self.beside.insert(known, value);
        } else if REFUSED.contains(&name) {
            return Err(wrong(&format!(
                "has the parameter `{name}`, which can't be handed on to PostgreSQL's programs"
            ))
            .hint("give the commands a URL of their own, without it: database.url_env or database.env_file"));
        } else {
            return Err(unknown(name));
        }
        Ok(())
    }

    /// The same connection, with `over` instead of what it says.
    pub(super) fn with(mut self, over: &ConnectionParts) -> Connection {
        let parts = &mut self.parts;
        let over = over.clone();
        if over.host.is_some() || over.port.is_some() {
            // What is configured is one place; the addresses and ports of several are others'.
            self.variables.remove("PGPORT");
            self.variables.remove("PGHOSTADDR");
        }
        parts.host = over.host.or(parts.host.take());
        parts.port = over.port.or(parts.port);
        parts.user = over.user.or(parts.user.take());
        parts.password = over.password.or(parts.password.take());
        parts.name = over.name.or(parts.name.take());
        self
    }

    /// The variables that PostgreSQL's programs read, and no others. A shell holds them; no command line does.
    pub(super) fn exports(&self) -> Script {
        let parts = &self.parts;
        let plain = [
            ("PGHOST", parts.host.clone()),
            ("PGPORT", parts.port.map(|port| port.to_string())),
            ("PGUSER", parts.user.clone()),
            ("PGDATABASE", parts.name.clone()),
        ];
        let plain = plain.into_iter().filter_map(|(name, value)| Some((name, Arg::from(value?))));
        let others = self.variables.iter().map(|(name, value)| (*name, Arg::from(value)));
        let password = parts.password.iter().map(|secret| ("PGPASSWORD", Arg::secret(secret.reveal())));
        let all = [("PGCONNECT_TIMEOUT", Arg::from("15"))].into_iter().chain(plain).chain(others).chain(password);
        let start = Script::shell(FORGET, &[]);
        all.fold(start, |script, (name, value)| script.then(Script::shell(&format!("export {name}={{}}"), &[value])))
    }

    /// What stands beside the database's name where a program takes it as an argument. A service's file would win over
    /// variables, and so the parts stand there too where one is named.
    pub(super) fn conninfo(&self) -> String {
        let parts = &self.parts;
        let named = [
            ("host", parts.host.clone()),
            ("port", self.variables.get("PGPORT").cloned().or(parts.port.map(|port| port.to_string()))),
            ("user", parts.user.clone()),
        ];
        let has_service = self.variables.contains_key("PGSERVICE");
        let named = named.into_iter().filter(|_| has_service).filter_map(|(key, value)| Some((key, value?)));
        let beside = self.beside.iter().map(|(key, value)| (*key, value.clone()));
        named.chain(beside).map(|(key, value)| format!(" {key}='{}'", conninfo_value(&value))).collect()
    }

    /// The connection as people say it.
    pub(super) fn describe(&self) -> String {
        let parts = &self.parts;
        let name = parts.name.as_deref().unwrap_or_default();
        let user = parts.user.as_ref().map(|user| format!(" as `{user}`")).unwrap_or_default();
        let place = match (&parts.host, parts.port) {
            (Some(hosts), _) if hosts.contains(',') => format!(" on one of the hosts `{hosts}`"),
            (Some(host), Some(port)) => format!(" on `{host}:{port}`"),
            (Some(host), None) => format!(" on `{host}`"),
            (None, Some(port)) => format!(" on port {port}"),
            (None, None) => String::new(),
        };
        format!("`{name}`{place}{user}")
    }
}

/// Whether this is the scheme of a URL by its grammar, and of a length that schemes have.
fn is_scheme(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || matches!(c, '+' | '-' | '.');
    (1..=16).contains(&text.len()) && text.chars().all(fits)
}

/// Whether this is no parameter, and may be the end of what stood before the server.
fn is_cut_off(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    name.contains('@') || value.contains('@') && !names().chain(REFUSED).any(|known| known == name)
}

/// The parameters that are handed on, or belong to others.
fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, _)| *name).chain(BESIDE).chain(PARTS).chain(OF_APPLICATIONS)
}

/// `value` as it stands between single quotes in a connection string.
pub(super) fn conninfo_value(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}

fn wrong(what: &str) -> Error {
    Error::config(format!("the database's URL {what}"))
}

fn unknown(name: &str) -> Error {
    let error = wrong(&format!("has the parameter `{name}`, which PostgreSQL doesn't know"));
    match nearest(name, names()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
    .hint("leave it out, or give the commands a URL of their own: database.url_env or database.env_file")
}

/// `host`, `host:port`, `[::1]:port`.
fn host_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    if let Some((address, rest)) = place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        let port = rest.strip_prefix(':').filter(|port| !port.is_empty());
        return Some((address, port.map(str::parse).transpose().ok()?));
    }
    match place.split_once(':') {
        Some((host, "")) => Some((host, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((place, None)),
    }
}

/// Replaces `%XX`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> ConnectionParts {
        Connection::parse(url).unwrap().parts
    }

    #[test]
    fn every_part_of_a_url_is_read_and_decoded() {
        let parts = parts("postgres://shop%40eu:p%3Aw%2F%25@db1.example.com:5433/shop%20one?sslmode=require&pool=5");
        assert_eq!(parts.user.as_deref(), Some("shop@eu"));
        assert_eq!(parts.password.as_ref().map(Secret::reveal), Some("p:w/%"));
        assert_eq!((parts.host.as_deref(), parts.port), (Some("db1.example.com"), Some(5433)));
        assert_eq!(parts.name.as_deref(), Some("shop one"));
    }

    #[test]
    fn a_socket_may_stand_in_place_of_the_host_or_as_a_parameter() {
        assert_eq!(parts("postgresql://%2Frun%2Fpg/shop").host.as_deref(), Some("/run/pg"));
        assert_eq!(parts("postgresql:///shop?host=/run/pg&port=5433").host.as_deref(), Some("/run/pg"));
        assert_eq!(parts("postgresql:///shop").host, None);
        assert_eq!(parts("postgresql://[::1]:5433/shop").host.as_deref(), Some("::1"));
    }

    #[test]
    fn parameters_of_the_client_become_variables_and_those_of_applications_are_left_out() {
        let connection = Connection::parse("postgresql://h/n?sslmode=verify-full&pool=5&application_name=x").unwrap();
        assert_eq!(connection.variables.into_iter().collect::<Vec<_>>(), [("PGSSLMODE", "verify-full".to_owned())]);
        let connection = Connection::parse("postgresql://h/n?requirepeer=postgres&sslcrl=/x").unwrap();
        assert_eq!(connection.variables.into_keys().collect::<Vec<_>>(), ["PGREQUIREPEER", "PGSSLCRL"]);
    }

    #[test]
    fn what_has_no_variable_stands_beside_the_name() {
        let connection = Connection::parse("postgresql://h/n?keepalives_idle=5&require_auth=scram-sha-256").unwrap();
        assert_eq!(connection.conninfo(), " keepalives_idle='5' require_auth='scram-sha-256'");
        let connection = Connection::parse("postgresql://u@h:1/n?service=it's").unwrap();
        assert_eq!(connection.conninfo(), " host='h' port='1' user='u'", "a service's own would win");
    }

    #[test]
    fn an_unknown_parameter_is_an_error_with_the_nearest_name() {
        for (slip, near) in [("sslmod", "sslmode"), ("ssl-mode", "sslmode"), ("requirpeer", "requirepeer")] {
            let error = Connection::parse(&format!("postgresql://h/n?{slip}=verify-full")).unwrap_err().to_string();
            assert!(error.contains(slip) && error.contains(&format!("did you mean `{near}`?")), "{error}");
        }
        for refused in ["sslpassword=hunter2", "oauth_client_secret=hunter2", "hunter2"] {
            let error = Connection::parse(&format!("postgresql://h/n?{refused}")).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn several_hosts_are_handed_on_as_lists() {
        let connection = Connection::parse("postgresql://u@a:1,b,[::1]:3/n").unwrap();
        assert_eq!(connection.parts.host.as_deref(), Some("a,b,::1"));
        assert_eq!(connection.variables.get("PGPORT").map(String::as_str), Some("1,,3"));
        assert_eq!(connection.describe(), "`n` on one of the hosts `a,b,::1` as `u`");
        let over = ConnectionParts { host: Some("c".into()), ..ConnectionParts::default() };
        assert_eq!(connection.with(&over).variables.get("PGPORT"), None);
    }

    #[test]
    fn a_wrong_url_is_not_repeated_in_the_error() {
        for url in [
            "mysql://root:hunter2@h/n",
            "root:hunter2@h/n",
            "postgresql://root:hunter2@h:x/n",
            r#"{"password":"hunter2","url":"postgresql://h/n"}"#,
            "hunter2",
            "hunter2://h/n",
            "PASSWORD=hunter2 postgresql://h/n",
            "postgresql://root:hunter2/x@h/n",
            "postgresql://root:1/hunter2@h/n",
            "postgresql://root:1?hunter2@h/n",
            "postgresql://root:1/x?hunter2@h/n",
            "postgresql://root:1?hunter2=x@h/n",
            "postgresql://root:hunter2@h1:1,h2:x/n",
            "postgresql://h/n?user=root&password=hunter2&port=hunter2",
        ] {
            let error = Connection::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("PASSWORD"), "{error}");
        }
        assert!(Connection::parse("mysql2://h/n").unwrap_err().to_string().contains("no PostgreSQL"));
        assert!(Connection::parse("mysql://h/n").unwrap_err().to_string().contains("`mysql://`"));
    }

    #[test]
    fn what_is_configured_stands_over_the_url() {
        let over = ConnectionParts { user: Some("admin".into()), ..ConnectionParts::default() };
        let connection = Connection::parse("postgresql://shop:x@h/n").unwrap().with(&over);
        assert_eq!(connection.parts.user.as_deref(), Some("admin"));
        assert_eq!(connection.parts.name.as_deref(), Some("n"));
    }

    #[test]
    fn the_password_stands_in_no_label() {
        let script = Connection::parse("postgresql://shop:hunter2@h/n").unwrap().exports();
        let labels: Vec<_> = script.steps().iter().map(ToString::to_string).collect();
        assert!(labels.iter().any(|label| label == "export PGPASSWORD=[secret]"), "{labels:?}");
        assert!(!labels.concat().contains("hunter2"));
    }
}
