//! A stage's database, on the machine that reaches it.

use std::io;

use super::adapter::{Adapter, Survey};
use super::source::Source;
use super::wire::Packing;
use crate::config::{Database, Server, Stage, TransportKind};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::sh;
use crate::task::{Found, Job, Local, Machine, Servers};

/// A stage's database, and what is known of it.
pub(super) struct Site<'l> {
    pub(super) stage: &'l Stage,
    pub(super) config: &'l Database,
    pub(super) server: &'l Server,
    pub(super) machine: Box<dyn Machine + 'l>,
    pub(super) adapter: Box<dyn Adapter>,
    pub(super) survey: Survey,
    /// What dumps are packed by on their way to and from the machine.
    pub(super) packing: Packing,
    /// The commit that is live there.
    pub(super) revision: Option<String>,
}

impl<'l> Site<'l> {
    /// Connects to the database of `stage`, and looks at it.
    ///
    /// # Errors
    ///
    /// When the stage has none, or it can't be reached.
    pub(super) fn open(local: &Local<'l>, stage: &'l Stage) -> Result<Site<'l>> {
        let mut site = Site::connect(local, stage)?;
        site.look()?;
        Ok(site)
    }

    /// Finds out how to connect to the database of `stage`, and no more.
    ///
    /// # Errors
    ///
    /// When the stage has none, or its machine can't be reached.
    pub(super) fn connect(local: &Local<'l>, stage: &'l Stage) -> Result<Site<'l>> {
        let (config, server) = (database_of(stage)?, server_of(stage)?);
        let machine = local.reach.reach(stage, server)?;
        let source = Source { stage, server, machine: &*machine, root: local.config.root.display().to_string() };
        let adapter = source.adapter(config)?;
        let (survey, packing) = (Survey::default(), Packing::None);
        Ok(Site { stage, config, server, machine, adapter, survey, packing, revision: None })
    }

    /// Looks at the database.
    fn look(&mut self) -> Result<()> {
        let revision = sh!(
            "revision=''\nif [ -r {} ]; then read -r revision <{} || :; fi\ndeploy_fact live_revision \"$revision\"",
            format!("{}/REVISION", self.layout().current()),
            format!("{}/REVISION", self.layout().current())
        );
        let found = self.run(vec![self.adapter.survey().then(revision).into()], &mut |_, _| {})?;
        self.survey = self.adapter.understand(&found)?;
        self.adapter.remember(&self.survey);
        self.packing = if self.is_local() { Packing::None } else { Packing::of(&found) };
        self.revision = found.get("live_revision").filter(|revision| !revision.is_empty()).cloned();
        Ok(())
    }

    /// Makes sure that the database can be replaced at all.
    ///
    /// # Errors
    ///
    /// When its server follows another one.
    pub(super) fn must_take_writes(&self) -> Result<()> {
        if self.survey.identity.as_ref().is_some_and(|identity| identity.standby) {
            Err(Error::task(format!(
                "the server of the database {} follows another one, and is read-only",
                self.describe()
            ))
            .hint("name the one that it follows: `host` of `[database]`"))
        } else {
            Ok(())
        }
    }

    /// Makes sure that nothing holds the database that no session could be ended for.
    ///
    /// # Errors
    ///
    /// When transactions are prepared in it, or it subscribes to others.
    pub(super) fn must_be_free(&self) -> Result<()> {
        let name = self.describe();
        if let Some(first) = self.survey.prepared.first() {
            let all = quoted(&self.survey.prepared);
            return Err(Error::task(format!("transactions are prepared in the database {name}, which hold it: {all}"))
                .hint(format!("end each in it: COMMIT PREPARED '{first}', or ROLLBACK PREPARED '{first}'")));
        }
        if let Some(first) = self.survey.subscriptions.first() {
            let all = quoted(&self.survey.subscriptions);
            return Err(Error::task(format!(
                "the database {name} subscribes to others, and the copy that is replaced would go on: {all}"
            ))
            .hint(format!("end each in it: ALTER SUBSCRIPTION {first} DISABLE, or DROP SUBSCRIPTION {first}"))
            .hint("what was restored has to subscribe anew: CREATE SUBSCRIPTION"));
        }
        Ok(())
    }

    /// Whether the machine is this one.
    pub(super) fn is_local(&self) -> bool {
        self.stage.transport == TransportKind::Local
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::new(&self.server.deploy_to)
    }

    /// The database as people say it: "`shop` on `db1` as `shop`, from `deploy@app1`".
    pub(super) fn describe(&self) -> String {
        if self.is_local() {
            self.adapter.describe()
        } else {
            format!("{}, from `{}`", self.adapter.describe(), self.machine.label())
        }
    }

    /// Runs `jobs` on the machine.
    pub(super) fn run(&self, jobs: Vec<Job>, on_fact: &mut dyn FnMut(&str, &str)) -> Result<Found> {
        self.machine.run(jobs, on_fact).map_err(|error| self.explain(error))
    }

    /// `error`, with what it means and where it happened.
    pub(super) fn explain(&self, error: Error) -> Error {
        let error = self.adapter.explain(error);
        if self.is_local() { error } else { anyhow::Error::from(error).context(self.machine.label().to_owned()).into() }
    }
}

/// Names as they are listed.
pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The configuration of the stage's database.
pub(super) fn database_of(stage: &Stage) -> Result<&Database> {
    let (database, name) = (&stage.settings.database, &stage.name);
    if database.is_configured() {
        Ok(database)
    } else {
        Err(Error::config(format!("stage `{name}` has no database"))
            .hint(format!("in deploy.toml: [stages.{name}.database] name = \"…\", or rails = \"config/database.yml\""))
            .hint("docs/CONFIGURATION.md has every key of `[database]`"))
    }
}

/// The server that the commands run on: the primary one of the role `db`.
pub(super) fn server_of(stage: &Stage) -> Result<&Server> {
    let number = Servers::primary("db").of(stage, |_| true).first().copied();
    number.map(|number| &stage.servers[number]).ok_or_else(|| {
        Error::config(format!("stage `{}` has no server with the role `db`", stage.name))
            .hint("give the server that reaches the database that role, in deploy.toml: roles = [\"db\"]")
    })
}

/// An error of this machine's own files or memory.
pub(super) fn io_failed(what: &str, error: io::Error) -> Error {
    Error::task(what.to_owned()).because(error)
}
