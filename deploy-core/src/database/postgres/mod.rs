//! PostgreSQL, by its own programs: `psql`, `pg_dump` and `pg_restore` on the machine that reaches the database.
//!
//! They are told by variables how to connect (`PGHOST`, `PGPASSWORD` and so on), which the script sets that the
//! controller sends over standard input: no command line has a password.

mod archive;
mod connection;
mod explain;
mod facts;
mod live;
mod load;
mod parameters;
mod rights;
mod settings;
mod spelling;
mod text;

use std::io::{self, Read};

use self::archive::{Archive, Entry, Layout, MAGIC, passes};
use self::connection::{Connection, conninfo_value};
use super::adapter::{Adapter, Form, Given, Inventory, Loading, Names, Part, Setting, Survey};
use super::wire::DATABASE;
use crate::config::{Database, Exclude};
use crate::error::{Error, Result};
use crate::script::{Arg, Cmd, Hold, Script};
use crate::sh;
use crate::task::Found;

/// The shell functions of this folder's scripts.
const POSTGRES: &str = include_str!("postgres.sh");

/// A file of SQL in this folder, which is shown by its name.
macro_rules! sql_file {
    ($name:literal) => {
        crate::script::Arg::brief(include_str!(concat!("sql/", $name)), $name)
    };
}
use sql_file;

/// How many bytes the name of a database may have.
const LONGEST_NAME: usize = 63;

/// PostgreSQL, for the database of one stage.
#[derive(Debug)]
pub(super) struct Postgres {
    connection: Connection,
    database: String,
    maintenance: String,
    owner: String,
    bin_dir: String,
    jobs: String,
    /// How the prompt of a console calls the stage.
    stage: String,
    /// What is known of the database, once somebody looked.
    seen: Survey,
}

impl Postgres {
    /// The database that `given` and `config` name together.
    ///
    /// # Errors
    ///
    /// When what is given is wrong, or nobody names the database.
    pub(super) fn new(given: &Given, config: &Database, stage: &str) -> Result<Postgres> {
        let connection = match given {
            Given::Nothing => Connection::default(),
            Given::Url(url) => Connection::parse(url.reveal())?,
            Given::Settings(file, settings) => Connection::of_settings(file, settings)?,
        };
        let connection = connection.with(&config.parts);
        let database = connection.parts.name.clone().ok_or_else(|| {
            Error::config(format!("nothing says which database stage `{stage}` has"))
                .hint(format!("in deploy.toml: [stages.{stage}.database] name = \"…\""))
        })?;
        if database == config.maintenance_database {
            return Err(Error::config(format!(
                "the database `{database}` of stage `{stage}` is the one from which others are made"
            ))
            .hint("name another one of the same server: [database] maintenance_database = \"template1\""));
        }
        Ok(Postgres {
            connection,
            database,
            maintenance: config.maintenance_database.clone(),
            owner: config.owner.clone().unwrap_or_default(),
            bin_dir: config.bin_dir.clone().unwrap_or_default(),
            jobs: config.jobs.map(|jobs| jobs.to_string()).unwrap_or_default(),
            stage: stage.to_owned(),
            seen: Survey::default(),
        })
    }

    /// How many sessions there may be besides those that are; empty where that isn't known.
    fn free(&self) -> String {
        self.seen.free.map(|free| free.max(1).to_string()).unwrap_or_default()
    }

    /// What every script begins with: how to connect, and psql.
    fn session(&self) -> Script {
        let identity = self.seen.identity.clone().unwrap_or_default();
        self.connection.exports().uses(POSTGRES).uses(DATABASE).then(sh!(
            "pg_session {} {} {}\nmaintenance={}\npg_beside={}\npg_proof_sql={}\npg_drop_sql={}\npg_client {}",
            self.seen.major.to_string(),
            identity.system,
            identity.database,
            &self.maintenance,
            self.connection.conninfo(),
            sql_file!("proof.sql"),
            sql_file!("drop.sql"),
            &self.bin_dir
        ))
    }
}

/// Shell text that runs the SQL `text` in a database, with variables.
fn sql(database: &str, text: impl Into<Arg>, variables: &[(&str, &str)]) -> Script {
    let mut shell = "pg_sql {} {}".to_owned();
    let mut args = vec![Arg::from(database), text.into()];
    for (name, value) in variables {
        shell.push_str(" -v {}");
        args.push(Arg::from(format!("{name}={value}")));
    }
    Script::shell(&shell, &args)
}

/// The SQL of a survey, which tells what the server calls itself.
fn with_system(name: &str, text: &str) -> Arg {
    Arg::brief([include_str!("sql/system.sql"), text].concat(), name)
}

/// SQL that first makes sure that the database `db` is the one that was asked about.
fn of_the_same(name: &str, text: &str) -> Arg {
    Arg::brief([include_str!("sql/same.sql"), text].concat(), name)
}

/// Where the file of SQL of this number stands in the private folder. Several may have the same name.
fn sql_path(folder: &str, number: usize, label: &str) -> String {
    format!("{folder}/sql/{number}/{label}")
}

/// Writes a file of SQL into the private folder. It keeps its name, which PostgreSQL's messages tell.
fn write_sql(folder: &str, number: usize, label: &str, sql: &str) -> Script {
    let write = "folder={}\nmkdir -p -- \"$folder/sql/\"{}\nprintf '%s' {} >{}";
    let (number, path) = (Arg::from(number.to_string()), Arg::from(sql_path(folder, number, label)));
    Script::shell(write, &[Arg::from(folder), number, Arg::brief(sql, label), path])
}

impl Adapter for Postgres {
    fn describe(&self) -> String {
        self.connection.describe()
    }

    fn database(&self) -> &str {
        &self.database
    }

    fn extension(&self) -> &'static str {
        "pgdump"
    }

    fn survey(&self) -> Script {
        self.survey_script()
    }

    fn understand(&self, found: &Found) -> Result<Survey> {
        facts::survey(found)
    }

    fn remember(&mut self, survey: &Survey) {
        self.seen = survey.clone();
    }

    fn dump(&self, survey: &Survey, compress: u8, exclude: &Exclude) -> (Script, Cmd) {
        self.dump_script(survey, compress, exclude)
    }

    fn schema(&self) -> Script {
        sh!(
            "schema=$(pg_sql {} {}) || schema=''\ndeploy_fact schema \"$schema\"\n\
             invalid=$(pg_sql {} {})\ndeploy_fact invalid \"$invalid\"\n\
             fragile=$(pg_sql {} {} 2>/dev/null) || fragile=''\ndeploy_fact fragile \"$fragile\"",
            &self.database,
            sql_file!("schema.sql"),
            &self.database,
            sql_file!("invalid.sql"),
            &self.database,
            sql_file!("fragile.sql")
        )
    }

    fn must_not_exclude(&self, survey: &Survey, exclude: &Exclude) -> Option<Error> {
        let is_asked = exclude.extensions.iter().any(|name| survey.installed.contains(name));
        (is_asked && survey.tools.0 < 14).then(|| {
            Error::task(format!("pg_dump {} can't leave extensions out", survey.tools.0))
                .hint("install a newer one there (postgresql-client-17), or name its folder: database.bin_dir")
        })
    }

    fn warnings(&self, inventory: &Inventory, survey: Option<&Survey>) -> Vec<String> {
        explain::warnings(inventory, survey)
    }

    fn leave_out(&self, inventory: &mut Inventory, extensions: &[String]) -> Vec<String> {
        passes::leave_out(inventory, extensions)
    }

    fn is_passing(&self, error: &Error) -> bool {
        let is_standby = self.seen.identity.as_ref().is_some_and(|identity| identity.standby);
        is_standby && error.to_string().contains(explain::CONFLICT)
    }

    fn pending(&self, folders: &[String]) -> Script {
        let known = format!("pg_migrations {}", vec!["{}"; folders.len()].join(" "));
        self.session().then(Script::shell(&known, &folders.iter().map(Arg::from).collect::<Vec<_>>())).then(sh!(
            "if [ -n \"$migrations\" ]; then\n\
             pending=$(pg_sql {} {} -v known=\"$migrations\" 2>/dev/null) || pending=''\n\
             deploy_fact pending \"$pending\"\nfi",
            &self.database,
            sql_file!("pending.sql")
        ))
    }

    fn recognize(&self, head: &[u8]) -> Option<Form> {
        let text = String::from_utf8_lossy(head);
        let is_sql = !head.contains(&0) && text.lines().any(|line| line.starts_with("-- PostgreSQL database dump"));
        match head {
            _ if head.starts_with(MAGIC) => Some(Form::Archive),
            _ if head.get(257..262) == Some(b"ustar") => Some(Form::Tar),
            _ if is_sql => Some(Form::Text),
            _ => None,
        }
    }

    fn inspect(&self, form: Form, source: &mut dyn Read, whole: bool) -> io::Result<Inventory> {
        match form {
            Form::Archive => {
                let (archive, contents) = Archive::open(source)?;
                if contents.layout != Layout::Custom {
                    return Err(io::Error::other("it is the table of contents of a dump, without the data"));
                }
                let marks = if whole { archive.read_all(&contents)? } else { Vec::new() };
                Ok(Inventory { marks, ..contents.into_inventory() })
            }
            Form::Text => {
                let mut text = text::WithoutRoles::new(source);
                if whole {
                    text::must_be_complete(&mut text)?;
                }
                let doubt = text.doubt().map(str::to_owned);
                Ok(Inventory { doubt, rights: rights::sorted(text.rights), ..Inventory::default() })
            }
            // What is in it is checked where it is unpacked.
            Form::Tar => Ok(Inventory::default()),
        }
    }

    fn filtered<'r>(&self, source: Box<dyn Read + Send + 'r>) -> Box<dyn Read + Send + 'r> {
        Box::new(text::WithoutRoles::new(source))
    }

    fn names(&self, stamp: &str) -> Result<Names> {
        let database = &self.database;
        let names =
            Names { next: format!("{database}_restore_{stamp}"), previous: format!("{database}_before_{stamp}") };
        match names.next.len() {
            length if length <= LONGEST_NAME => Ok(names),
            length => Err(Error::config(format!(
                "the name of the database `{database}` is too long to have another one beside it: `{}` would have \
                 {length} bytes, and {LONGEST_NAME} are allowed",
                names.next
            ))
            .hint("give the database a shorter name: ALTER DATABASE … RENAME TO …")),
        }
    }

    fn misfit(&self, survey: &Survey, inventory: &Inventory) -> Option<Error> {
        if survey.whole { explain::misfit(survey, inventory) } else { Some(explain::no_maintenance(self)) }
    }

    fn hold(&self, names: &Names, folder: &str, bases: &[String], about: &str) -> (Script, Hold) {
        self.hold_script(names, folder, bases, about)
    }

    fn make(&self, names: &Names, loading: &Loading<'_>) -> Script {
        let variables = [
            ("db", &*self.database),
            ("scratch", &names.next),
            ("owner", loading.owner),
            ("encoding", loading.inventory.encoding.as_deref().unwrap_or_default()),
        ];
        self.session().then(sql(
            &self.maintenance,
            of_the_same("create.sql", include_str!("sql/create.sql")),
            &variables,
        ))
    }

    fn load(&self, names: &Names, loading: &Loading<'_>) -> Script {
        self.load_script(names, loading)
    }

    fn sanitise(&self, names: &Names, loading: &Loading<'_>, label: &str, sql: &str) -> Script {
        let stage = format!("stage={}", self.stage);
        self.session().then(write_sql(loading.folder, 0, label, sql)).then(sh!(
            "pg_watched {} pg_run_file {} {} {} -v {}",
            &names.next,
            sql_path(loading.folder, 0, label),
            &names.next,
            loading.role(),
            stage
        ))
    }

    fn settle(&self, names: &Names, loading: &Loading<'_>, changed: bool) -> Script {
        self.settle_script(names, loading, changed)
    }

    fn check(&self, names: &Names, loading: &Loading<'_>) -> Script {
        self.check_script(names, loading)
    }

    fn swap(&self, next: &str, previous: &str, holder: &str, keep: Option<usize>) -> Script {
        self.swap_script(next, previous, holder, keep)
    }

    fn overwrite(&self, loading: &Loading<'_>, sql: &[(String, String)]) -> Script {
        self.overwrite_script(loading, sql)
    }

    fn count(&self, names: &Names) -> Script {
        self.session().then(sh!("rows=$(pg_sql {} {})\ndeploy_fact rows \"$rows\"", &names.next, sql_file!("rows.sql")))
    }

    fn client(&self) -> Script {
        self.session().then(sh!("deploy_fact client \"$psql\""))
    }

    fn console(&self, client: &str) -> Script {
        let prompt = format!("{} %/%R%x%# ", self.stage);
        let named = format!("dbname='{}'{}", conninfo_value(&self.database), self.connection.conninfo());
        let exports = self.connection.exports();
        exports.then(sh!("exec {} -d {} -v PROMPT1={} -v PROMPT2={}", client, &named, &prompt, &prompt))
    }

    fn statement(&self, setting: &Setting) -> String {
        spelling::setting(&self.database, setting)
    }

    fn explain(&self, error: Error) -> Error {
        explain::explain(error, self)
    }
}

impl archive::Contents {
    fn into_inventory(self) -> Inventory {
        let pair = |(schema, name): (&str, &str)| (schema.to_owned(), name.to_owned());
        Inventory {
            tables: self.tables().map(pair).collect(),
            extensions: self.extensions().map(str::to_owned).collect(),
            encoding: self.encoding().map(str::to_owned),
            written_by: self.writer(),
            format: Some(self.version),
            doubt: None,
            compressed: self.compressed,
            rights: rights::of(&self.entries, self.server()),
            parts: self
                .entries
                .into_iter()
                .map(|entry| {
                    let Entry { id, kind, schema, name, needs, .. } = entry;
                    Part { id, kind, schema, name, needs }
                })
                .collect(),
            marks: Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
