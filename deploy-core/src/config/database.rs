//! `[database]` and `[stages.NAME.database]`: where a stage's database is, and what becomes of its backups.

use std::fmt;
use std::path::PathBuf;

use super::diagnostics::Problem;
use super::reader::{Reader, Text};
use super::settings_reader::SettingsReader;
use super::value::{Table, Value};
use super::{keys, names, paths};
use crate::secret;

/// The database of a stage.
#[derive(Clone, Debug)]
pub struct Database {
    /// Which database system it is.
    pub adapter: AdapterKind,
    /// Where it says how to connect; `None`: only the parts below say it.
    pub connection: Option<ConnectionSource>,
    /// What is known of the connection, over what the source says.
    pub parts: ConnectionParts,
    /// The role that owns what is restored; else the owner of the database that is replaced.
    pub owner: Option<String>,
    /// The database from which others are made and renamed.
    pub maintenance_database: String,
    /// Where the programs of the database system are; else on `PATH`, and where systems usually put them.
    pub bin_dir: Option<String>,
    /// How many jobs load a dump; else as many as the machine has processors, up to 8.
    pub jobs: Option<usize>,
    /// How far a kept dump is compressed, from 0 to 9. With 0 it is compressed on the way only.
    pub compress: u8,
    /// Where backups are kept on this machine.
    pub backup_dir: PathBuf,
    /// The stage whose data comes home.
    pub source: String,
    /// SQL files of this machine that run in what was restored, before it goes live.
    pub after_restore: Vec<PathBuf>,
    /// Whether data of another stage is refused where `after_restore` has nothing to make it harmless.
    pub require_sanitize: bool,
    /// How many replaced databases stay beside the live one.
    pub keep_replaced: usize,
    /// Which backups clean-up keeps.
    pub retention: Retention,
    /// Whether a deploy makes a backup before it migrates.
    pub backup_before_migrate: bool,
    /// What dumps leave out.
    pub exclude: Exclude,
    /// Whose settings sessions in a restored database begin with.
    pub settings: SettingsOf,
}

impl Database {
    /// Whether anything says which database it is.
    pub fn is_configured(&self) -> bool {
        self.connection.is_some() || self.parts.name.is_some()
    }
}

impl Database {
    /// Has what is secret in it shown nowhere.
    pub(super) fn keep_secrets(&self) {
        if let Some(ConnectionSource::Url(url)) = &self.connection {
            secret::keep_those_of(url.reveal());
        }
        if let Some(password) = &self.parts.password {
            secret::keep(password.reveal());
        }
    }
}

/// Which database system it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterKind {
    /// PostgreSQL 12 or newer.
    Postgresql,
}

/// Where it says how to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionSource {
    /// In `deploy.toml`: `postgresql://user:password@host:port/name`.
    Url(Secret),
    /// In a variable of the machine that has the database.
    UrlEnv(String),
    /// In a file of variables (`NAME=value`) below `shared/`, or in the project of a local stage: the file, and the
    /// variable that has the URL.
    EnvFile(String, String),
    /// In the `database.yml` of the live release, or of the project of a local stage: the file, and its section.
    Rails(String, String),
}

/// The parts of a connection. What is `None` is left to the database's own client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionParts {
    /// A host's name or address, or the folder of a socket.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The role to log in as.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database's name.
    pub name: Option<String>,
}

/// What dumps leave out, by names in which `pg_dump` knows `*` and `?`; extensions by their names alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclude {
    /// Schemas, with all that is in them.
    pub schemas: Vec<String>,
    /// Tables.
    pub tables: Vec<String>,
    /// Extensions, with the rows that they keep.
    pub extensions: Vec<String>,
    /// Tables whose rows stay out.
    pub data: Vec<String>,
}

impl Exclude {
    /// The same, and what `other` says.
    pub fn and(&self, other: &Exclude) -> Exclude {
        let both = |one: &[String], two: &[String]| {
            let more = two.iter().filter(|name| !one.contains(name));
            one.iter().chain(more).cloned().collect::<Vec<_>>()
        };
        Exclude {
            schemas: both(&self.schemas, &other.schemas),
            tables: both(&self.tables, &other.tables),
            extensions: both(&self.extensions, &other.extensions),
            data: both(&self.data, &other.data),
        }
    }

    /// Each of them with its kind: `schema:audit`, `data:public.events`.
    pub fn words(&self) -> Vec<String> {
        let kinds =
            [("schema", &self.schemas), ("table", &self.tables), ("extension", &self.extensions), ("data", &self.data)];
        kinds.into_iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}:{name}"))).collect()
    }
}

/// Whose settings the sessions in a restored database begin with, where both databases have some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsOf {
    /// Those of the database that is replaced.
    Target,
    /// Those too of the database that was dumped, which win.
    Source,
}

/// Which backups of a stage clean-up keeps. One that any of these keeps stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest ones.
    pub last: usize,
    /// The newest one of each of so many days.
    pub daily: usize,
    /// The newest one of each of so many weeks.
    pub weekly: usize,
}

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The keys of which each says by itself where the connection comes from.
const SOURCES: [&str; 4] = ["url", "url_env", "env_file", "rails"];

/// What a source may stand beside.
const PARTS: [&str; 7] = ["host", "port", "user", "password", "name", "env_key", "rails_env"];

/// Takes from `lower` what it says of the connection, where `upper` says anew where that comes from.
pub(super) fn give_way(lower: &mut Table, upper: &Table) {
    let new = upper.get("database").and_then(|node| node.as_table());
    if new.is_some_and(|new| SOURCES.iter().any(|key| new.get(key).is_some())) {
        lower.forget("database", &[&SOURCES[..], &PARTS[..]].concat());
    }
}

/// The stage whose data comes home, where a table says so.
pub(super) fn source_of(table: &Table) -> Option<&str> {
    match &table.get("database")?.as_table()?.get("source")?.value {
        Value::String(name) => Some(name),
        _ => None,
    }
}

impl SettingsReader<'_> {
    /// The stage's database; `rails_env` is the application's environment, where that is configured.
    pub(super) fn database(&self, rails_env: Option<&str>) -> Database {
        let empty = Table::default();
        let reader = self.reader.table("database").unwrap_or(Reader::new(&empty, self.reader.problems));
        reader.check_keys(&[keys::DATABASE]);
        let count = |key: &str, default: usize| match reader.integer(key, 0..=i64::from(u32::MAX)) {
            Some(number) => usize::try_from(number).unwrap_or(default),
            None => default,
        };
        let file = |text: &Text| self.local_file(text);
        Database {
            adapter: reader
                .choice("adapter", &[("postgresql", AdapterKind::Postgresql)])
                .unwrap_or(AdapterKind::Postgresql),
            connection: self.connection(&reader, rails_env),
            parts: parts(&reader),
            owner: reader.line("owner").map(|owner| owner.text),
            maintenance_database: reader.line("maintenance_database").map_or("postgres".into(), |name| name.text),
            bin_dir: reader.line("bin_dir").and_then(|dir| paths::absolute("bin_dir", &dir, reader.problems)),
            jobs: reader.count("jobs"),
            compress: reader.integer("compress", 0..=9).and_then(|level| u8::try_from(level).ok()).unwrap_or(0),
            backup_dir: self.backup_dir(&reader),
            source: reader.line("source").map_or("production".into(), |source| source.text),
            after_restore: reader.one_or_more("after_restore").unwrap_or_default().iter().filter_map(file).collect(),
            require_sanitize: reader.boolean("require_sanitize").unwrap_or(false),
            keep_replaced: count("keep_replaced", 1),
            retention: Retention {
                last: reader.count("keep_last").unwrap_or(5),
                daily: count("keep_daily", 7),
                weekly: count("keep_weekly", 4),
            },
            backup_before_migrate: reader.boolean("backup_before_migrate").unwrap_or(false),
            exclude: exclude(&reader),
            settings: reader
                .choice("settings", &[("target", SettingsOf::Target), ("source", SettingsOf::Source)])
                .unwrap_or(SettingsOf::Target),
        }
    }

    fn backup_dir(&self, reader: &Reader<'_>) -> PathBuf {
        let configured = reader.line("backup_dir").and_then(|dir| self.local_file(&dir));
        configured.unwrap_or_else(|| self.root.join("backups"))
    }

    fn connection(&self, reader: &Reader<'_>, rails_env: Option<&str>) -> Option<ConnectionSource> {
        let given: Vec<_> = SOURCES.iter().filter(|key| reader.node(key).is_some()).collect();
        if let [first, second, ..] = given[..] {
            let span = reader.table.entry(second).map_or(reader.table.0[0].key_span, |entry| entry.key_span);
            reader.problems.add(
                Problem::new(format!("both `{first}` and `{second}` say where the connection comes from"))
                    .at(span, "expected one of them"),
            );
            return None;
        }
        let line = |key: &str| reader.line(key).map(|text| text.text);
        match **given.first()? {
            "url" => reader.string("url").map(|url| ConnectionSource::Url(Secret::new(url.text))),
            "url_env" => variable(reader, "url_env").map(ConnectionSource::UrlEnv),
            "env_file" => {
                let key = variable(reader, "env_key").unwrap_or_else(|| "DATABASE_URL".to_owned());
                Some(ConnectionSource::EnvFile(below_shared(reader, "env_file")?, key))
            }
            _ => {
                let section = line("rails_env").unwrap_or_else(|| self.rails_env(rails_env));
                Some(ConnectionSource::Rails(below_shared(reader, "rails")?, section))
            }
        }
    }

    /// The section of `database.yml`: what the application is told to be, else the stage's own name.
    fn rails_env(&self, configured: Option<&str>) -> String {
        match (configured, self.names.stage) {
            (Some(name), _) => name.to_owned(),
            (None, "dev") => "development".to_owned(),
            (None, stage) => stage.to_owned(),
        }
    }
}

/// What dumps leave out: parts of the database by kind and name, and rows by the names of their tables.
fn exclude(reader: &Reader<'_>) -> Exclude {
    let data = reader.one_or_more("exclude_data").unwrap_or_default();
    let mut exclude = Exclude { data: data.into_iter().map(|name| name.text).collect(), ..Exclude::default() };
    for text in reader.one_or_more("exclude").unwrap_or_default() {
        let (kind, name) = text.split_once(':').unwrap_or_default();
        match kind {
            "schema" if !name.is_empty() => exclude.schemas.push(name.to_owned()),
            "table" if !name.is_empty() => exclude.tables.push(name.to_owned()),
            "extension" if !name.is_empty() => exclude.extensions.push(name.to_owned()),
            _ => {
                let title = format!("`{}` doesn't say what is left out", text.text);
                let expected = "expected `schema:NAME`, `table:NAME` or `extension:NAME`";
                reader.problems.add(Problem::new(title).at(text.span, expected));
            }
        }
    }
    exclude
}

fn parts(reader: &Reader<'_>) -> ConnectionParts {
    let line = |key: &str| reader.line(key).map(|text| text.text);
    ConnectionParts {
        host: line("host"),
        port: reader.port("port"),
        user: line("user"),
        password: reader.string("password").map(|password| Secret::new(password.text)),
        name: line("name"),
    }
}

/// A path below `shared/`, or below the live release.
fn below_shared(reader: &Reader<'_>, key: &str) -> Option<String> {
    paths::relative(key, &reader.line(key)?, reader.problems).map(|path| path.text)
}

/// The name of an environment variable.
fn variable(reader: &Reader<'_>, key: &str) -> Option<String> {
    let name = reader.line(key)?;
    if !names::is_variable(&name) {
        let title = format!("`{}` can't be the name of an environment variable", name.text);
        reader.problems.add(Problem::new(title).at(name.span, "expected letters, digits and `_`"));
        return None;
    }
    Some(name.text)
}
