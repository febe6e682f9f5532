//! `cargo xtask doctor`: what stands between a stage and its next deployment, found out before it is in the way.
//!
//! Every server is logged in to and asked one command's worth of questions, side by side; what the controller needs is
//! looked at meanwhile. A server that can't be reached is a finding like any other. Whatever is not as it should be comes with
//! the command that mends it. Nothing is changed: what a probe writes, it removes at once, and where `deploy_to` doesn't
//! exist, nothing is made.
//!
//! The steps: `probe` composes the questions (`probe.sh`), `visit` asks them, `login`, `machine`, `place` and
//! `controller` judge what was found, and `render` shows it.

mod by_hand;
mod controller;
mod facts;
mod finding;
mod login;
mod looks;
mod machine;
mod place;
mod probe;
mod render;
#[cfg(test)]
mod testing;
mod visit;

use std::sync::Arc;

pub use finding::{Diagnosis, Examined, Finding, Severity};

use crate::config::{Config, Server, Stage, TransportKind};
use crate::conversation::Place;
use crate::error::Result;
use crate::event::Events;
use crate::plan::Filter;
use crate::run::{Stop, patience_of, shell_of};
use crate::script::{Program, compile};
use crate::task::Look;
use crate::transport::local::Local;
use crate::transport::ssh::{AgentRecord, Connection, Ssh};
use crate::transport::{Connect, Transport};
use crate::ui::{Ask, Line, Verbosity};

use by_hand::ByHand;
use visit::{Visit, visit};

/// An examination of a stage.
pub struct Doctor<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The stage, with the settings that recipes added.
    pub stage: &'a Stage,
    /// What recipes want to be looked at.
    pub looks: &'a [Look],
    /// Which of its servers are asked.
    pub filter: &'a Filter,
    /// Questions to the user, such as for a passphrase.
    pub ask: Arc<dyn Ask>,
    /// Whether to go on.
    pub stop: Stop,
}

/// What the visit to one server brought, besides findings.
struct Seen {
    examined: Examined,
    agent: Option<AgentRecord>,
}

impl Doctor<'_> {
    /// Asks every server, and looks at this machine meanwhile.
    ///
    /// # Errors
    ///
    /// When the examination was interrupted, or a setting can't be put into a script.
    pub fn examine(&self) -> Result<Diagnosis> {
        let ssh = Ssh::new(Arc::clone(&self.ask), Events::nowhere());
        let servers = self.stage.servers.iter().filter(|server| self.filter.keeps(server));
        let (here, seen) = std::thread::scope(|scope| {
            let ssh = &ssh;
            let visits: Vec<_> = servers.map(|server| scope.spawn(move || self.examine_server(ssh, server))).collect();
            let here = controller::findings(self.config, self.stage);
            let seen = visits.into_iter().map(|visit| visit.join().expect("a thread that doesn't panic"));
            (here, seen.collect::<Result<Vec<Seen>>>())
        });
        let mut seen = seen?;
        if let Some(error) = self.stop.requested() {
            return Err(error);
        }
        let agents = seen.iter_mut().filter_map(|seen| seen.agent.take()).collect();
        let here = Examined { server: None, reached: true, findings: [here, controller::agents(agents)].concat() };
        let machines = std::iter::once(here).chain(seen.into_iter().map(|seen| seen.examined)).collect();
        Ok(Diagnosis { stage: self.stage.name.clone(), machines })
    }

    fn examine_server(&self, ssh: &Ssh, server: &Server) -> Result<Seen> {
        let by_hand = ByHand { stage: self.stage, server };
        let (program, shell) = (self.program(server)?, shell_of(self.stage));
        let ask = |transport: &dyn Transport| {
            visit(
                &Place { transport, shell: &shell, patience: patience_of(self.stage), sessions: 1 },
                &program,
                &self.stop,
            )
        };
        let examined = |reached, findings: Vec<Vec<Finding>>| Examined {
            server: Some(server.label()),
            reached,
            findings: findings.concat(),
        };
        if self.stage.transport == TransportKind::Local {
            let visit = ask(&*Local::new(&self.config.root).connect(self.stage, server)?);
            return Ok(Seen { examined: examined(true, vec![self.server_findings(&visit, by_hand)]), agent: None });
        }
        let (login, connection) = ssh.log_in(&self.stage.settings.ssh, server);
        let story = login::findings(&login, connection.as_ref().err(), by_hand);
        let findings = match &connection {
            Ok(connection) => self.findings_behind(connection, &ask(connection), by_hand),
            Err(_) => Vec::new(),
        };
        Ok(Seen { examined: examined(connection.is_ok(), vec![story, findings]), agent: login.agent })
    }

    fn findings_behind(&self, connection: &Connection, visit: &Visit, by_hand: ByHand<'_>) -> Vec<Finding> {
        let mut findings = self.server_findings(visit, by_hand);
        if visit.trouble.is_none() {
            let wanted = self.stage.settings.ssh.forward_agent == Some(true);
            findings.insert(0, login::forwarding(wanted, connection.forwards_agent(), &visit.facts, by_hand));
        }
        findings
    }

    /// The questions to `server`.
    fn program(&self, server: &Server) -> Result<Program> {
        let task = probe::script(self.stage, server, probe::repository_of(self.config, self.stage));
        let looks = looks::scripts(self.looks, self.config, self.stage, server);
        let tasks: Vec<_> = std::iter::once(task).chain(looks).collect();
        compile(&tasks, &shell_of(self.stage))
    }

    fn server_findings(&self, visit: &Visit, by_hand: ByHand<'_>) -> Vec<Finding> {
        [server_findings(visit, by_hand), looks::findings(self.looks, &visit.facts, by_hand)].concat()
    }
}

impl Diagnosis {
    /// The lines that show it to people. Quietly, they are only about what is not as it should be; verbosely, what is fine has
    /// lines of its own.
    pub(crate) fn lines(&self, verbosity: Verbosity) -> Vec<Line> {
        render::lines(self, verbosity)
    }
}

fn server_findings(visit: &Visit, by_hand: ByHand<'_>) -> Vec<Finding> {
    let trouble = visit.trouble.as_ref().map(|error| {
        let value: Vec<String> = std::iter::once(error.message().to_owned()).chain(error.causes()).collect();
        let check = by_hand.on_server("command -v sh dd; echo \"it works: $?\"");
        let finding = Finding::problem("scripts", value.join("\n"), check);
        error.hint_texts().iter().fold(finding, |finding, hint| finding.or(hint))
    });
    let mut findings: Vec<Finding> = trouble.into_iter().collect();
    findings.extend(machine::findings(visit, by_hand));
    findings.extend(machine::git(&visit.facts, by_hand));
    findings.extend(place::findings(&visit.facts, by_hand));
    findings
}
