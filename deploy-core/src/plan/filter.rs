//! Which servers a run is for: `--hosts` and `--roles`.

use std::collections::BTreeSet;

use crate::config::{Server, Stage};
use crate::error::{Error, Result, nearest};

/// Which of a stage's servers take part.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Host names; empty: every host.
    pub hosts: Vec<String>,
    /// Roles; empty: every role.
    pub roles: Vec<String>,
}

impl Filter {
    /// Whether `server` takes part: it is one of the hosts and has one of the roles.
    pub fn keeps(&self, server: &Server) -> bool {
        let host =
            self.hosts.is_empty() || self.hosts.iter().any(|host| *host == server.host || *host == server.label());
        host && (self.roles.is_empty() || self.roles.iter().any(|role| server.roles.contains(role)))
    }

    /// Whether every server takes part.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.roles.is_empty()
    }

    /// Fails unless every name is known and at least one server takes part.
    ///
    /// # Errors
    ///
    /// Of kind usage: a host or role that the stage doesn't have, or no server left.
    pub fn check(&self, stage: &Stage) -> Result<()> {
        let hosts = stage.servers.iter().flat_map(|server| [server.host.clone(), server.label()]);
        let roles = stage.servers.iter().flat_map(|server| server.roles.clone());
        known_names("host", &self.hosts, hosts.collect(), stage)?;
        known_names("role", &self.roles, roles.collect(), stage)?;
        if stage.servers.iter().any(|server| self.keeps(server)) {
            return Ok(());
        }
        Err(Error::usage(format!("no server of stage `{}` is one of the hosts and has one of the roles", stage.name))
            .hint(format!("hosts: {}; roles: {}", self.hosts.join(", "), self.roles.join(", "))))
    }
}

fn known_names(kind: &str, wanted: &[String], known: BTreeSet<String>, stage: &Stage) -> Result<()> {
    let Some(unknown) = wanted.iter().find(|name| !known.contains(*name)) else {
        return Ok(());
    };
    let error = Error::usage(format!("stage `{}` has no {kind} `{unknown}`", stage.name));
    let error = match nearest(unknown, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    Err(error.hint(format!("it has {}", known.into_iter().collect::<Vec<_>>().join(", "))))
}
