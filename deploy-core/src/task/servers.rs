//! Which servers a task runs on.

use crate::config::{Server, Stage};

/// Which servers of a stage a task runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers {
    roles: Option<Vec<String>>,
    primary: bool,
    with_releases: bool,
}

impl Servers {
    /// Every server, also those that get no release.
    pub fn all() -> Servers {
        Servers { roles: None, primary: false, with_releases: false }
    }

    /// Every server that gets releases.
    pub fn releases() -> Servers {
        Servers { with_releases: true, ..Servers::all() }
    }

    /// The servers of a role.
    pub fn role(role: impl Into<String>) -> Servers {
        Servers::roles([role])
    }

    /// The servers that have any of `roles`.
    pub fn roles<R: Into<String>>(roles: impl IntoIterator<Item = R>) -> Servers {
        Servers { roles: Some(roles.into_iter().map(Into::into).collect()), ..Servers::all() }
    }

    /// One server of a role: the one flagged `primary`, else the first. Filters such as `--hosts` don't change which
    /// one it is: where they leave it out, the task runs nowhere.
    pub fn primary(role: impl Into<String>) -> Servers {
        Servers { primary: true, ..Servers::role(role) }
    }

    /// Only those of them that get releases.
    #[must_use]
    pub fn with_releases(self) -> Servers {
        Servers { with_releases: true, ..self }
    }

    /// The numbers, in the stage, of the servers that are meant, among those that `kept` keeps.
    pub fn of(&self, stage: &Stage, kept: impl Fn(&Server) -> bool) -> Vec<usize> {
        let has_role = |server: &Server| match &self.roles {
            None => true,
            Some(roles) => roles.iter().any(|role| server.roles.contains(role)),
        };
        let mut chosen: Vec<_> = stage.servers.iter().enumerate().filter(|(_, server)| has_role(server)).collect();
        if self.primary {
            let primary = chosen.iter().position(|(_, server)| server.primary).unwrap_or(0);
            chosen = chosen.get(primary).copied().into_iter().collect();
        }
        let runs = |server: &Server| kept(server) && !(self.with_releases && server.no_release);
        chosen.into_iter().filter(|(_, server)| runs(server)).map(|(number, _)| number).collect()
    }

    /// The primary server that would be meant, if it gets no release though only servers with releases are.
    pub(crate) fn primary_without_releases<'s>(&self, stage: &'s Stage) -> Option<&'s Server> {
        let anywhere = Servers { with_releases: false, ..self.clone() };
        let chosen = anywhere.of(stage, |_| true).first().map(|number| &stage.servers[*number]);
        chosen.filter(|server| self.primary && self.with_releases && server.no_release)
    }

    /// The roles that are named.
    pub fn named_roles(&self) -> &[String] {
        self.roles.as_deref().unwrap_or_default()
    }
}
