//! Where it is said how a stage's database is reached.

mod dotenv;
mod rails;

use super::adapter::{Adapter, Given};
use super::postgres::Postgres;
use crate::config::{AdapterKind, ConnectionSource, Database, Secret, Server, Stage, TransportKind};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::script::{Arg, Script, WorkDir};
use crate::secret;
use crate::sh;
use crate::task::Machine;

/// The machine that knows it.
pub(super) struct Source<'l> {
    pub(super) stage: &'l Stage,
    pub(super) server: &'l Server,
    pub(super) machine: &'l dyn Machine,
    /// The project's folder, where the machine is this one.
    pub(super) root: String,
}

impl Source<'_> {
    /// The adapter, connected as the stage's configuration says.
    ///
    /// # Errors
    ///
    /// When nothing is found where the configuration says that it is, or what is found is wrong.
    pub(super) fn adapter(&self, config: &Database) -> Result<Box<dyn Adapter>> {
        let given = self.given(config)?;
        mask(&given);
        match config.adapter {
            AdapterKind::Postgresql => Ok(Box::new(Postgres::new(&given, config, &self.stage.name)?)),
        }
    }

    fn given(&self, config: &Database) -> Result<Given> {
        Ok(match &config.connection {
            None => Given::Nothing,
            Some(ConnectionSource::Url(url)) => Given::Url(url.clone()),
            Some(ConnectionSource::UrlEnv(name)) => {
                let found = self.machine.run(vec![read_variable(name).into()], &mut |_, _| {})?;
                found.get("url").map_or(Given::Nothing, |url| Given::Url(Secret::new(url)))
            }
            Some(ConnectionSource::EnvFile(file, key)) => self.env_file(file, key)?,
            Some(ConnectionSource::Rails(file, section)) => rails::ask(self, file, section)?,
        })
    }

    fn env_file(&self, file: &str, key: &str) -> Result<Given> {
        let found = self.machine.run(vec![self.read_env_file(file).into()], &mut |_, _| {})?;
        let read = |name: &str| found.get(name).map(String::as_str).unwrap_or_default();
        let url = dotenv::value(read("env"), key)?.filter(|url| !url.is_empty()).ok_or_else(|| {
            Error::task(format!("the file {} has no line for the database's URL", read("env_file")))
                .hint(format!("add one: {key}=postgresql://user:password@host/name"))
        })?;
        Ok(Given::Url(Secret::new(url)))
    }

    /// Looks below `shared/`; in a local stage, in the project too.
    fn read_env_file(&self, file: &str) -> Script {
        let shared = format!("{}/{file}", Layout::new(&self.server.deploy_to).shared());
        let own = format!("{}/{file}", self.root);
        let files = if self.stage.transport == TransportKind::Local { [&*shared, &*own] } else { [&*shared, &*shared] };
        sh!(
            "for file in {} {}; do [ ! -r \"$file\" ] || break; done\n\
             [ -r \"$file\" ] || deploy_fail \"the file $file, which should say how to reach the database, can't be read\" \
             \"upload it, or say where it is: database.env_file\"\n\
             deploy_fact env_file \"$file\"\ndeploy_fact env \"$(cat \"$file\")\"",
            files[0],
            files[1]
        )
    }

    /// The live release; in a local stage the project, where nothing is live.
    fn application(&self) -> WorkDir {
        let current = Layout::new(&self.server.deploy_to).current();
        WorkDir::FirstOf(match self.stage.transport {
            TransportKind::Local => vec![current, self.root.clone()],
            TransportKind::Ssh => vec![current],
        })
    }
}

/// Has the secrets of what was found masked wherever text leaves.
fn mask(given: &Given) {
    match given {
        Given::Nothing => {}
        Given::Url(url) => secret::keep_those_of(url.reveal()),
        Given::Settings(_, settings) => settings.iter().for_each(|(name, value)| secret::keep_named(name, value)),
    }
}

fn read_variable(name: &str) -> Script {
    Script::shell(
        &format!("[ -n \"${{{name}-}}\" ] || deploy_fail {{}} {{}}\ndeploy_fact url \"${name}\"",),
        &[
            Arg::from(format!("the variable `{name}`, which should say how to reach the database, is not set")),
            Arg::from(
                "commands over SSH run no login shell: set it in ~/.bashrc above the test for interactive shells, in /etc/environment, or use database.env_file",
            ),
        ],
    )
}
