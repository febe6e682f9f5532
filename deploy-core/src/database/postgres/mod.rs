//! PostgreSQL, by its own programs: `psql`, `pg_dump` and `pg_restore` on the machine that reaches the database.
//!
//! They are told by variables how to connect (`PGHOST`, `PGPASSWORD` and so on), which the script sets that the
//! controller sends over standard input: no command line has a password.

mod archive;
mod connection;
mod explain;
mod facts;
mod load;
mod parameters;
mod rights;
mod settings;
mod spelling;
mod text;

use std::io::{self, Read};

use self::archive::{Archive, Layout, MAGIC};
use self::connection::{Connection, conninfo_value};
use super::adapter::{Adapter, Form, Given, Identity, Inventory, Loading, Names, Part, Setting, Survey};
use super::wire::DATABASE;
use crate::config::Database;
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
    /// The server's major version; 0 as long as nobody looked.
    major: u32,
    /// Which database that is, once somebody looked.
    identity: Option<Identity>,
    /// Whether its machine's psql can be told to take no commands from a dump.
    restricts: bool,
    /// How many sessions there may be besides those that are; empty where that isn't known.
    free: String,
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
            major: 0,
            identity: None,
            restricts: false,
            free: String::new(),
        })
    }

    /// What every script begins with: how to connect, and psql.
    fn session(&self) -> Script {
        let identity = self.identity.clone().unwrap_or_default();
        self.connection.exports().uses(POSTGRES).uses(DATABASE).then(sh!(
            "pg_session {} {} {}\nmaintenance={}\npg_beside={}\npg_proof_sql={}\npg_drop_sql={}\npg_client {}",
            self.major.to_string(),
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
        self.session().then(sh!(
            r#"database={}
about=$(pg_sql "$maintenance" {} -v db="$database" -v owner={}) || about=''
[ -z "$about" ] || deploy_fact maintenance "$about"
case $about in
  *'"exists" : false'*) major=$(printf '%s' "$about" | sed 's/.*"version" : \([0-9]*\).*/\1/') ;;
  *)
    live=$(pg_sql "$database" {} -v owner={})
    deploy_fact live "$live"
    schema=$(pg_sql "$database" {}) || schema=''
    deploy_fact schema "$schema"
    major=$(printf '%s' "$live" | tr '\n' ' ' | sed 's/.*"version" : \([0-9]*\).*/\1/')
    ;;
esac
major=$((major / 10000))
pg_find pg_dump "$major" {}
dump=$found_major
pg_find pg_restore 999 {}
deploy_fact tools "$dump $found_major"
deploy_fact psql "$("$psql" --version)"
database_packers"#,
            &self.database,
            with_system("survey_maintenance.sql", include_str!("sql/survey_maintenance.sql")),
            &self.owner,
            with_system("survey_live.sql", include_str!("sql/survey_live.sql")),
            &self.owner,
            sql_file!("schema.sql"),
            &self.bin_dir,
            &self.bin_dir
        ))
    }

    fn understand(&self, found: &Found) -> Result<Survey> {
        facts::survey(found)
    }

    fn remember(&mut self, survey: &Survey) {
        self.major = survey.major;
        self.restricts = survey.restricts;
        self.free = survey.free.map(|free| free.max(1).to_string()).unwrap_or_default();
        self.identity.clone_from(&survey.identity);
    }

    fn dump(&self, survey: &Survey, compress: u8) -> (Script, Cmd) {
        // A survey that was not made is that of a dry run.
        let major = if survey.major == 0 { "<version>".to_owned() } else { survey.major.to_string() };
        let setup = self.session().then(sh!(
            "pg_need pg_dump {} {}\npg_dumper=$found\npg_dump() { \"$pg_dumper\" \"--dbname=$(pg_named \"$PGDATABASE\")\" \"$@\"; }",
            major,
            &self.bin_dir
        ));
        let level = format!("--compress={compress}");
        (setup, Cmd::new("pg_dump").args(["--format=custom", &level, "--no-password"]))
    }

    fn schema(&self) -> Script {
        sh!(
            "schema=$(pg_sql {} {}) || schema=''\ndeploy_fact schema \"$schema\"\n\
             invalid=$(pg_sql {} {})\ndeploy_fact invalid \"$invalid\"",
            &self.database,
            sql_file!("schema.sql"),
            &self.database,
            sql_file!("invalid.sql")
        )
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
                Ok(Inventory { doubt: text.doubt().map(str::to_owned), ..Inventory::default() })
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
        let bases_shell = vec!["{}"; bases.len()].join(" ");
        let mut args = vec![Arg::from(folder)];
        args.extend(bases.iter().map(Arg::from));
        let start = self
            .session()
            .then(sh!("pg_holder_sql={}\npg_half_made_sql={}", sql_file!("holder.sql"), sql_file!("half_made.sql")))
            .then(Script::shell(&format!("database_folder {{}} {bases_shell}"), &args));
        let start = start.then(sh!(
            "pg_lock {} {}\npg_sweep {}\nprintf 'SET ROLE :\"role\";\\n' >\"$folder/role.sql\"",
            &self.database,
            about,
            &self.database
        ));
        let on_end = bases.iter().fold(self.session(), |script, base| {
            script.then(sh!("pg_give_up {} {}", format!("{base}/{folder}"), &names.next))
        });
        (start, Hold { on_beat: Script::new(), on_end })
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
        let script = self.session().then(sh!(
            "pg_terminate_sql={}\npg_swap_sql={}\npg_replaced_sql={}\npg_sessions_sql={}\nlive={}",
            sql_file!("terminate.sql"),
            of_the_same("swap.sql", concat!(include_str!("sql/locked.sql"), include_str!("sql/swap.sql"))),
            sql_file!("replaced.sql"),
            sql_file!("sessions.sql"),
            &self.database
        ));
        // Two restores in one second, or a clock that was put back, must not meet in one name.
        let script = script.then(sh!(
            "previous=$(pg_sql \"$maintenance\" {} -v db=\"$live\" -v previous={})\n\
             pg_swap \"$live\" {} \"$previous\" {} || pg_in_use \"$live\"\ndeploy_fact previous \"$previous\"",
            sql_file!("previous.sql"),
            previous,
            next,
            holder
        ));
        match keep {
            Some(keep) => script.then(sh!("pg_prune \"$live\" {}", keep)),
            None => script,
        }
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
        let database = spelling::identifier(&self.database);
        let (name, value) = setting.setting.split_once('=').unwrap_or((&setting.setting, ""));
        // These are lists of names, quoted one by one where they have to be.
        let lists = ["search_path", "local_preload_libraries", "session_preload_libraries", "temp_tablespaces"];
        let value = if lists.contains(&&*name.to_lowercase()) {
            value.to_owned()
        } else {
            ["'", &value.replace('\'', "''"), "'"].concat()
        };
        match &*setting.role {
            "" => format!("ALTER DATABASE {database} SET {name} TO {value};"),
            role => format!("ALTER ROLE {} IN DATABASE {database} SET {name} TO {value};", spelling::identifier(role)),
        }
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
            written_by: self
                .dump_version
                .split(|c: char| !c.is_ascii_digit())
                .next()
                .and_then(|major| major.parse().ok()),
            format: Some(self.version),
            doubt: None,
            compressed: self.compressed,
            rights: rights::of(&self.entries),
            parts: self
                .entries
                .into_iter()
                .map(|entry| Part { id: entry.id, kind: entry.kind, name: entry.name, needs: entry.needs })
                .collect(),
            marks: Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
