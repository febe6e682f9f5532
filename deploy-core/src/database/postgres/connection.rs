//! How a database is reached, as PostgreSQL's own programs are told it: by variables, never on a command line.

use std::collections::BTreeMap;

use crate::config::{ConnectionParts, Secret};
use crate::error::{Error, Result};
use crate::script::{Arg, Script};
use crate::sh;

/// The parameters of a URL that have a variable of their own.
const VARIABLES: [(&str, &str); 14] = [
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("gssencmode", "PGGSSENCMODE"),
    ("hostaddr", "PGHOSTADDR"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("options", "PGOPTIONS"),
    ("service", "PGSERVICE"),
    ("sslcert", "PGSSLCERT"),
    ("sslcrl", "PGSSLCRL"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
];

/// How to write a password that has what parts a URL.
const ENCODE: &str = "in its password, write `/` as %2F, `?` as %3F, `#` as %23 and `@` as %40";

/// How a database is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) parts: ConnectionParts,
    /// Variables for what is no part.
    pub(super) variables: BTreeMap<&'static str, String>,
}

impl Connection {
    /// Reads a URL: `postgresql://user:password@host:port/name?sslmode=require`. The error doesn't repeat the URL.
    pub(super) fn parse(url: &str) -> Result<Connection> {
        let wrong = |what: &str| Error::config(format!("the database's URL {what}"));
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
        let is_cut =
            path.contains('@') || query.split('&').any(|pair| pair.split('=').next().unwrap_or(pair).contains('@'));
        if is_cut {
            return Err(wrong("has an `@` behind a `/` or a `?`").hint(ENCODE));
        }
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        let (host, port) = host_and_port(place).ok_or_else(|| wrong("has a port that is no number"))?;
        let some = |text: &str| Some(decode(text)).filter(|text| !text.is_empty());
        let parts = ConnectionParts {
            host: some(host),
            port,
            user: some(user),
            password: password.and_then(some).map(Secret::new),
            name: some(path.split('/').next().unwrap_or_default()),
        };
        let mut connection = Connection { parts, variables: BTreeMap::new() };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            connection.parameter(&decode(name), decode(value)).ok_or_else(|| wrong("has a port that is no number"))?;
        }
        Ok(connection)
    }

    /// Takes a parameter of a URL. Those that only an application's library knows (`pool`) are left out.
    fn parameter(&mut self, name: &str, value: String) -> Option<()> {
        let parts = &mut self.parts;
        match name {
            "host" => parts.host = Some(value),
            "port" => parts.port = Some(value.parse().ok()?),
            "user" => parts.user = Some(value),
            "password" => parts.password = Some(Secret::new(value)),
            "dbname" => parts.name = Some(value),
            _ => {
                if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
                    self.variables.insert(variable, value);
                }
            }
        }
        Some(())
    }

    /// The same connection, with `over` instead of what it says.
    pub(super) fn with(mut self, over: &ConnectionParts) -> Connection {
        let parts = &mut self.parts;
        let over = over.clone();
        parts.host = over.host.or(parts.host.take());
        parts.port = over.port.or(parts.port);
        parts.user = over.user.or(parts.user.take());
        parts.password = over.password.or(parts.password.take());
        parts.name = over.name.or(parts.name.take());
        self
    }

    /// The variables that PostgreSQL's programs read. A shell holds them; no command line does.
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
        let all = plain.chain(others).chain(password);
        let start = sh!("export PGCONNECT_TIMEOUT=\"${PGCONNECT_TIMEOUT:-15}\"");
        all.fold(start, |script, (name, value)| script.then(Script::shell(&format!("export {name}={{}}"), &[value])))
    }

    /// The connection as people say it.
    pub(super) fn describe(&self) -> String {
        let parts = &self.parts;
        let name = parts.name.as_deref().unwrap_or_default();
        let user = parts.user.as_ref().map(|user| format!(" as `{user}`")).unwrap_or_default();
        let place = match (&parts.host, parts.port) {
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

/// `host`, `host:port`, `[::1]:port`. Of several hosts libpq takes lists, and so they are left as they are.
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
    fn parameters_of_the_client_become_variables_and_others_are_left_out() {
        let connection = Connection::parse("postgresql://h/n?sslmode=verify-full&pool=5&application_name=x").unwrap();
        assert_eq!(connection.variables.into_iter().collect::<Vec<_>>(), [("PGSSLMODE", "verify-full".to_owned())]);
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
            "postgresql://root:hunter2@h1:1,h2:2/n",
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
