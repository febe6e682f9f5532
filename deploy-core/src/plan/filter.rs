//! Which servers a run is for: `--hosts` and `--roles`.

use std::collections::BTreeSet;

use crate::config::{Server, Stage};
use crate::error::{Error, Result, nearest};

/// What stands before a host that is left out.
const LEFT_OUT: char = '!';

/// Which of a stage's servers take part.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Host names; `!` before one leaves it out. Without any that are not left out: every other host.
    pub hosts: Vec<String>,
    /// Roles; empty: every role.
    pub roles: Vec<String>,
}

impl Filter {
    /// Whether `server` takes part: it is one of the hosts, not left out, and has one of the roles.
    pub fn keeps(&self, server: &Server) -> bool {
        let is_it = |host: &str| host == server.host || host == server.label();
        let (left_out, hosts): (Vec<_>, Vec<_>) = self.hosts.iter().partition(|host| host.starts_with(LEFT_OUT));
        let host = hosts.is_empty() || hosts.iter().any(|host| is_it(host));
        host && !left_out.iter().any(|host| is_it(name_of(host)))
            && (self.roles.is_empty() || self.roles.iter().any(|role| server.roles.contains(role)))
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
        let wanted: Vec<_> = self.hosts.iter().map(|host| name_of(host).to_owned()).collect();
        known_names("host", &wanted, hosts.collect(), stage)?;
        known_names("role", &self.roles, roles.collect(), stage)?;
        if stage.servers.iter().any(|server| self.keeps(server)) {
            return Ok(());
        }
        Err(Error::usage(format!("no server of stage `{}` is one of the hosts and has one of the roles", stage.name))
            .hint(format!("hosts: {}; roles: {}", self.hosts.join(", "), self.roles.join(", "))))
    }
}

/// The host that `text` names, which may be left out.
fn name_of(text: &str) -> &str {
    text.strip_prefix(LEFT_OUT).unwrap_or(text)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::stage;

    fn kept(hosts: &[&str]) -> Vec<String> {
        let stage = stage(&["app1 app", "app2 app", "app3 web"]);
        let filter = Filter { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..Filter::default() };
        filter.check(&stage).unwrap_or_else(|error| panic!("{hosts:?}: {error}"));
        stage.servers.iter().filter(|server| filter.keeps(server)).map(|server| server.host.clone()).collect()
    }

    #[test]
    fn a_host_can_be_left_out() {
        assert_eq!(kept(&["!app2"]), ["app1", "app3"]);
        assert_eq!(kept(&["!app2", "!app3"]), ["app1"]);
        assert_eq!(kept(&["app1", "app2", "!app2"]), ["app1"]);
    }

    #[test]
    fn an_unknown_host_can_not_be_left_out() {
        let filter = Filter { hosts: vec!["!ap2".to_owned()], ..Filter::default() };
        insta::assert_snapshot!(filter.check(&stage(&["app1 app", "app2 app"])).unwrap_err(), @r"
        stage `production` has no host `ap2`
          hint: did you mean `app2`?
          hint: it has app1, app2
        ");
    }
}
