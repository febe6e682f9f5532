//! A connection by the settings that applications' files have: Active Record's names, and those of libpq.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::parameters::{BESIDE, REFUSED, VARIABLES};
use crate::config::Secret;
use crate::error::{Error, Result};

impl Connection {
    /// Takes the `settings` that `file` has. Of what libpq knows nothing is left out; what it doesn't know is the
    /// application's own. No value is repeated in an error.
    pub(super) fn of_settings(file: &str, settings: &BTreeMap<String, String>) -> Result<Connection> {
        let said = |names: &[&str]| {
            let values = names.iter().filter_map(|name| settings.get(*name));
            values.filter(|value| !value.is_empty()).map(String::to_owned).next()
        };
        let mut connection = Connection::default();
        let parts = &mut connection.parts;
        parts.host = said(&["host"]);
        parts.user = said(&["username", "user"]);
        parts.password = said(&["password"]).map(Secret::new);
        parts.name = said(&["database", "dbname"]);
        if let Some(ports) = said(&["port"]) {
            connection.ports(&ports).map_err(|_| Error::config(format!("`port` in `{file}` is no number")))?;
        }
        for (name, value) in settings.iter().filter(|(_, value)| !value.is_empty()) {
            if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| known == name) {
                connection.variables.insert(variable, value.clone());
            } else if let Some(known) = BESIDE.iter().find(|known| *known == name) {
                connection.beside.insert(known, value.clone());
            } else if REFUSED.contains(&name.as_str()) {
                return Err(Error::config(format!(
                    "`{file}` has the setting `{name}`, which can't be handed on to PostgreSQL's programs"
                ))
                .hint(
                    "give the commands a connection of their own, without it: database.url_env or database.env_file",
                ));
            }
        }
        Ok(connection)
    }
}

#[cfg(test)]
impl super::Postgres {
    /// What PostgreSQL's programs are told by `settings`, under the names that libpq has.
    pub(in crate::database) fn told(settings: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
        let connection = Connection::of_settings("database.yml", settings)?;
        let parts = &connection.parts;
        let named = [
            ("host", parts.host.clone()),
            ("port", parts.port.map(|port| port.to_string()).or(connection.variables.get("PGPORT").cloned())),
            ("user", parts.user.clone()),
            ("password", parts.password.as_ref().map(|secret| secret.reveal().to_owned())),
            ("dbname", parts.name.clone()),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let name_of = |variable: &str| VARIABLES.iter().find(|(_, known)| *known == variable).map(|(name, _)| *name);
        let variables = connection.variables.iter().filter_map(|(name, value)| Some((name_of(name)?, value.clone())));
        let beside = connection.beside.iter().map(|(name, value)| (*name, value.clone()));
        Ok(named.chain(variables).chain(beside).map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn active_records_names_and_libpqs_are_handed_on_and_the_applications_left_out() {
        let connection = Connection::of_settings(
            "database.yml",
            &settings(&[
                ("adapter", "postgresql"),
                ("host", "a,b"),
                ("port", "1,2"),
                ("username", "shop"),
                ("user", "other"),
                ("dbname", "shop"),
                ("pool", "5"),
                ("sslmode", "verify-full"),
                ("sslrootcert", ""),
                ("keepalives_idle", "5"),
            ]),
        )
        .unwrap();
        assert_eq!(connection.parts.host.as_deref(), Some("a,b"));
        assert_eq!(connection.parts.user.as_deref(), Some("shop"));
        assert_eq!(connection.parts.name.as_deref(), Some("shop"));
        let variables: Vec<_> = connection.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(variables, [("PGPORT", "1,2"), ("PGSSLMODE", "verify-full")]);
        assert_eq!(connection.conninfo(), " keepalives_idle='5'");
    }

    #[test]
    fn what_can_not_be_handed_on_is_refused_by_name() {
        for (name, value) in [("sslpassword", "hunter2"), ("port", "hunter2")] {
            let error = Connection::of_settings("database.yml", &settings(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("database.yml") && !error.contains("hunter2"), "{error}");
        }
    }
}
