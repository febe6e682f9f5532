//! A stage's database, on the machine that reaches it.

use std::io;

use serde::Deserialize;

use super::adapter::{Adapter, Survey, read_fact};
use super::dotenv;
use super::postgres::Postgres;
use super::wire::Packing;
use crate::config::{AdapterKind, ConnectionParts, ConnectionSource, Database, Secret, Server, Stage, TransportKind};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::script::{Arg, Cmd, Script, WorkDir};
use crate::secret;
use crate::sh;
use crate::task::{Found, Job, Local, Machine, Servers};

/// Reads a section of `database.yml`.
const DATABASE_YML: &str = include_str!("database_yml.rb");

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
        let place = Place { stage, server, root: local.config.root.display().to_string() };
        let adapter = place.adapter(&*machine, config)?;
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

/// Where a connection is configured.
struct Place<'l> {
    stage: &'l Stage,
    server: &'l Server,
    root: String,
}

/// What a section of `database.yml` says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Section {
    adapter: String,
    url: Option<String>,
    host: Option<String>,
    socket: Option<String>,
    port: Option<u16>,
    username: Option<String>,
    password: Option<String>,
    database: Option<String>,
}

impl Place<'_> {
    /// The adapter, connected as the stage's configuration says.
    fn adapter(&self, machine: &dyn Machine, config: &Database) -> Result<Box<dyn Adapter>> {
        let (url, parts) = self.source(machine, config)?;
        url.iter().for_each(|url| secret::keep_those_of(url.reveal()));
        parts.password.iter().for_each(|password| secret::keep(password.reveal()));
        let config = Database { parts: over(config.parts.clone(), parts), ..config.clone() };
        let url = url.as_ref().map(Secret::reveal);
        match config.adapter {
            AdapterKind::Postgresql => Ok(Box::new(Postgres::new(url, &config, &self.stage.name)?)),
        }
    }

    fn source(&self, machine: &dyn Machine, config: &Database) -> Result<(Option<Secret>, ConnectionParts)> {
        match &config.connection {
            None => Ok((None, ConnectionParts::default())),
            Some(ConnectionSource::Url(url)) => Ok((Some(url.clone()), ConnectionParts::default())),
            Some(ConnectionSource::UrlEnv(name)) => {
                let found = machine.run(vec![read_variable(name).into()], &mut |_, _| {})?;
                Ok((found.get("url").map(Secret::new), ConnectionParts::default()))
            }
            Some(ConnectionSource::EnvFile(file, key)) => {
                let found = machine.run(vec![self.read_env_file(file).into()], &mut |_, _| {})?;
                let read = |name: &str| found.get(name).map(String::as_str).unwrap_or_default();
                let url = dotenv::value(read("env"), key)?.filter(|url| !url.is_empty()).ok_or_else(|| {
                    Error::task(format!("the file {} has no line for the database's URL", read("env_file")))
                        .hint(format!("add one: {key}=postgresql://user:password@host/name"))
                })?;
                Ok((Some(Secret::new(url)), ConnectionParts::default()))
            }
            Some(ConnectionSource::Rails(file, section)) => self.rails(machine, file, section),
        }
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

    fn rails(&self, machine: &dyn Machine, file: &str, section: &str) -> Result<(Option<Secret>, ConnectionParts)> {
        let current = Layout::new(&self.server.deploy_to).current();
        let dir = match self.stage.transport {
            TransportKind::Local => WorkDir::FirstOf(vec![current, self.root.clone()]),
            TransportKind::Ssh => WorkDir::FirstOf(vec![current]),
        };
        let ruby = Cmd::new("ruby").arg("-e").arg(Arg::brief(DATABASE_YML, "database_yml.rb")).args([file, section]);
        let script = sh!(
            "command -v ruby >/dev/null 2>&1 || deploy_note 'there is no ruby on the PATH of this machine to read database.yml by'"
        )
        .fact("section", ruby.env("RAILS_ENV", section));
        let found = machine.run(vec![Job { script, dir }], &mut |_, _| {}).map_err(|error| {
            error.hint("or say the connection in another way: url_env, env_file, or host, user and name of [database]")
        })?;
        // What is wrong with it isn't quoted: it may be the password.
        let read: Section = match read_fact(&found, "section") {
            Ok(section) => section.unwrap_or_default(),
            Err(_) => {
                return Err(Error::config(format!("the section `{section}` of `{file}` is not understood"))
                    .hint("its values have to be texts, and `port` a number; quote a password of digits: \"1234\""));
            }
        };
        if read.url.is_none() && !["postgresql", "postgis"].contains(&&*read.adapter) {
            let adapter = &read.adapter;
            return Err(Error::config(format!("`{file}` says that the database is of the kind `{adapter}`"))
                .hint("only `postgresql` is supported so far"));
        }
        let parts = ConnectionParts {
            host: read.host.or(read.socket),
            port: read.port,
            user: read.username,
            password: read.password.map(Secret::new),
            name: read.database,
        };
        Ok((read.url.map(Secret::new), parts))
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

/// `upper`, and from `lower` what it leaves open.
fn over(upper: ConnectionParts, lower: ConnectionParts) -> ConnectionParts {
    ConnectionParts {
        host: upper.host.or(lower.host),
        port: upper.port.or(lower.port),
        user: upper.user.or(lower.user),
        password: upper.password.or(lower.password),
        name: upper.name.or(lower.name),
    }
}

/// An error of this machine's own files or memory.
pub(super) fn io_failed(what: &str, error: io::Error) -> Error {
    Error::task(what.to_owned()).because(error)
}
