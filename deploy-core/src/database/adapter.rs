//! What a database system has to be able to do.
//!
//! Everything that happens on a server is a script, composed here and run by the commands, which know nothing of any
//! system: how a dump travels, where it is kept, what is shown and asked, what is given up after a failure.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use crate::config::{Exclude, Secret};
use crate::error::{Error, Result};
use crate::script::{Cmd, Hold, Script};
use crate::task::Found;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A database system, connected to the database of one stage.
pub(super) trait Adapter: Sync {
    /// The database and how it is reached, without a password: "`shop` on `db1` as `shop`".
    fn describe(&self) -> String;

    /// The database's name.
    fn database(&self) -> &str;

    /// What the names of dumps end with.
    fn extension(&self) -> &'static str;

    /// Reports what is known of the database.
    fn survey(&self) -> Script;

    /// Reads what [`survey`](Adapter::survey) reported.
    fn understand(&self, found: &Found) -> Result<Survey>;

    /// Has everything that follows be meant for the database that `survey` knows, and for no other.
    fn remember(&mut self, survey: &Survey);

    /// What has to run before the command that writes a dump to its standard output, and the command.
    fn dump(&self, survey: &Survey, compress: u8, exclude: &Exclude) -> (Script, Cmd);

    /// Reports again, after the dump, what could have changed during it: the fact `schema`; what is not as it should be in the
    /// database, and so won't be where it is restored: the fact `invalid`, a list of indexes; and what can't be restored: the
    /// fact `fragile`, a list of sentences.
    fn schema(&self) -> Script;

    /// Why a dump can't leave `exclude` out with the programs that `survey` found, if it can't.
    fn must_not_exclude(&self, survey: &Survey, exclude: &Exclude) -> Option<Error>;

    /// What of `inventory` can't be restored everywhere, in words.
    fn warnings(&self, inventory: &Inventory, survey: Option<&Survey>) -> Vec<String>;

    /// Takes these extensions out of what is loaded, with the rows that they keep. Returns those that were there.
    fn leave_out(&self, inventory: &mut Inventory, extensions: &[String]) -> Vec<String>;

    /// Whether what failed with `error` may go well when it is done once more.
    fn is_passing(&self, error: &Error) -> bool;

    /// Reports how many of the migrations in the first of `folders` that has any the database lacks: the fact `pending`.
    fn pending(&self, folders: &[String]) -> Script;

    /// What a file is that begins with `head`; `None` for what can't be restored.
    fn recognize(&self, head: &[u8]) -> Option<Form>;

    /// Reads a dump: its head, and where `whole` all of it.
    ///
    /// # Errors
    ///
    /// When it is damaged, or cut off.
    fn inspect(&self, form: Form, source: &mut dyn Read, whole: bool) -> io::Result<Inventory>;

    /// What of a dump in shell text is loaded: without what names roles of the machine that it comes from.
    fn filtered<'r>(&self, source: Box<dyn Read + Send + 'r>) -> Box<dyn Read + Send + 'r>;

    /// The names that a restore at the time `stamp` (14 digits) gives.
    ///
    /// # Errors
    ///
    /// When the database's name leaves no room.
    fn names(&self, stamp: &str) -> Result<Names>;

    /// Why `inventory` can't be loaded into the database that `survey` knows, if it can't.
    fn misfit(&self, survey: &Survey, inventory: &Inventory) -> Option<Error>;

    /// Makes sure that nobody else restores, removes what dead runs left half-made, and what gives up everything half-made
    /// when the run ends or dies. The fact `folder` is a private folder called `folder`, in the first of `bases` that can be
    /// written to.
    fn hold(&self, names: &Names, folder: &str, bases: &[String], about: &str) -> (Script, Hold);

    /// Makes the new database.
    fn make(&self, names: &Names, loading: &Loading<'_>) -> Script;

    /// Loads the dump into the new database. Facts `loaded` tell its size from time to time.
    fn load(&self, names: &Names, loading: &Loading<'_>) -> Script;

    /// Runs a text of SQL, called `label`, in the new database.
    fn sanitise(&self, names: &Names, loading: &Loading<'_>, label: &str, sql: &str) -> Script;

    /// Brings the new database into the state in which it can go live; `changed`: SQL ran after the dump was loaded.
    fn settle(&self, names: &Names, loading: &Loading<'_>, changed: bool) -> Script;

    /// Fails unless all that the dump has is there.
    fn check(&self, names: &Names, loading: &Loading<'_>) -> Script;

    /// Puts `next` in the place of the live database, which becomes `previous`, or the next name that is free (the fact
    /// `previous`), and removes replaced ones but `keep`. `holder` is what has the lock: the fact `lock_session`.
    fn swap(&self, next: &str, previous: &str, holder: &str, keep: Option<usize>) -> Script;

    /// Loads the dump into the live database in one transaction, in the place of all that the role owns there: for roles
    /// that may make no database. `sql` are the texts that run behind it, with their labels.
    fn overwrite(&self, loading: &Loading<'_>, sql: &[(String, String)]) -> Script;

    /// Reports the number of rows of each table of the new database: the fact `rows`, a line `COUNT NAME` each.
    fn count(&self, names: &Names) -> Script;

    /// Finds the program that a person talks to the database by: the fact `client`.
    fn client(&self) -> Script;

    /// What runs that program: plain shell text, for a shell that has the terminal.
    fn console(&self, client: &str) -> Script;

    /// What gives the live database a setting that another one has.
    fn statement(&self, setting: &Setting) -> String;

    /// `error` with what it means and what to do, where that is known.
    fn explain(&self, error: Error) -> Error;
}

/// What says how a database is reached, below what is configured.
pub(super) enum Given {
    /// Nothing else.
    Nothing,
    /// A URL.
    Url(Secret),
    /// The settings in an application's file, and the file's name.
    Settings(String, BTreeMap<String, String>),
}

/// What is known of a stage's database.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    /// The server's version, as people say it; empty when it isn't known.
    pub(super) version: String,
    /// The server's major version.
    pub(super) major: u32,
    /// Its size on disk in bytes; `None`: it doesn't exist.
    pub(super) size: Option<u64>,
    /// The size of what a dump holds, roughly, in bytes.
    pub(super) data: u64,
    pub(super) tables: u64,
    pub(super) schema: Option<Schema>,
    pub(super) identity: Option<Identity>,
    /// Whether the database was reached from which others are made.
    pub(super) whole: bool,
    /// Whether databases can be made and renamed.
    pub(super) may_create: bool,
    /// Whether who logs in may give what it makes to the owner that is configured.
    pub(super) may_own: bool,
    pub(super) superuser: bool,
    /// The role that logs in.
    pub(super) user: String,
    /// The role that owns the live database.
    pub(super) owner: Option<String>,
    /// How many sessions the live database has.
    pub(super) sessions: u64,
    /// What sessions in the live database begin with.
    pub(super) settings: Vec<Setting>,
    /// How many sessions there may be besides those that are.
    pub(super) free: Option<u64>,
    /// How many bytes are free on the disk of the database server, where that can be seen.
    pub(super) room: Option<u64>,
    /// How many locks a session may need to take for all of it, for each connection that there may be.
    pub(super) locks: u64,
    /// What the role may not read.
    pub(super) unreadable: Vec<String>,
    /// The extensions that the live database has.
    pub(super) installed: Vec<String>,
    /// Transactions that are prepared in the live database, and wait to be ended.
    pub(super) prepared: Vec<String>,
    /// What the live database gets from others, and goes on getting.
    pub(super) subscriptions: Vec<String>,
    /// What others read the live database's changes by.
    pub(super) slots: Vec<String>,
    /// Tables of the live database that belong to others: schema, name and owner.
    pub(super) strangers: Vec<(String, String, String)>,
    /// The roles that there are; none where they aren't known.
    pub(super) roles: Vec<String>,
    /// Replaced databases, the newest first.
    pub(super) replaced: Vec<String>,
    /// The extensions that can be had.
    pub(super) extensions: Vec<String>,
    /// Those in the live database that belong to others, who may not have them dropped or commented on.
    pub(super) others: Vec<String>,
    /// Whether the client can be told to take no commands from a dump.
    pub(super) restricts: bool,
    /// The major version of the program that dumps, and of the one that loads; 0: there is none.
    pub(super) tools: (u32, u32),
}

/// What a database is, as its server names it, whatever it was reached by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Identity {
    /// What the server calls itself, which its standbys and its copies do too; empty where it doesn't say.
    pub(super) system: String,
    /// What the server calls the database; `none` where it doesn't exist.
    pub(super) database: String,
    /// When the server was started.
    pub(super) started: String,
    /// Whether the server follows another one.
    pub(super) standby: bool,
}

impl Identity {
    /// Whether both are one database. Two servers of one name are a server and its standby, unless both take writes: then
    /// one was copied from the other, and they have gone apart.
    pub(super) fn is_same(&self, other: &Identity) -> bool {
        self.system == other.system
            && self.database == other.database
            && (self.started == other.started || !self.system.is_empty() && (self.standby || other.standby))
    }
}

/// What sessions in a database begin with: those of one role, or of all where `role` is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setting {
    pub(super) role: String,
    /// As `search_path=shop, public`.
    pub(super) setting: String,
}

impl Setting {
    /// What is set.
    pub(super) fn name(&self) -> &str {
        self.setting.split('=').next().unwrap_or_default()
    }
}

/// Up to where an application has migrated its database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schema {
    /// The table that the application's migrations are noted in.
    pub(super) table: String,
    /// The newest one.
    pub(super) version: Option<String>,
    /// How many there are.
    pub(super) count: u64,
    /// A digest of all of them; empty in backups that are older than this.
    #[serde(default)]
    pub(super) set: String,
}

impl Schema {
    /// Whether the same migrations ran in both.
    pub(super) fn is_same(&self, other: &Schema) -> bool {
        let both_know = !self.set.is_empty() && !other.set.is_empty();
        self.table == other.table && self.count == other.count && (!both_know || self.set == other.set)
    }

    /// What the fact `schema` says.
    ///
    /// # Errors
    ///
    /// When that is not understood.
    pub(super) fn of(found: &Found) -> Result<Option<Schema>> {
        read_fact(found, "schema")
    }
}

/// Reads the fact `name`, which is JSON; an empty one is none.
///
/// # Errors
///
/// When it is not understood.
pub(super) fn read_fact<T: DeserializeOwned>(found: &Found, name: &str) -> Result<Option<T>> {
    match found.get(name).filter(|text| !text.trim().is_empty()) {
        None => Ok(None),
        Some(text) => serde_json::from_str(text).map(Some).map_err(|error| {
            Error::task("the database's answer is not understood").because(error).detail(text.clone())
        }),
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} in `{}`)", self.version.as_deref().unwrap_or("none"), self.count, self.table)
    }
}

/// How a dump is made up, once decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One file that the system's own program loads.
    Archive,
    /// A tar file with such an archive in it, or with the files of one.
    Tar,
    /// A text of SQL.
    Text,
}

/// What a dump has in it, as far as it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    /// Tables, as schema and name.
    pub(super) tables: Vec<(String, String)>,
    pub(super) extensions: Vec<String>,
    pub(super) encoding: Option<String>,
    /// The major version of the program that wrote it.
    pub(super) written_by: Option<u32>,
    /// The version of its layout.
    pub(super) format: Option<(u8, u8)>,
    /// Whether its data is compressed inside.
    pub(super) compressed: bool,
    /// What an older client could take for a command in it.
    pub(super) doubt: Option<String>,
    /// Everything that is in it.
    pub(super) parts: Vec<Part>,
    /// Who may use it, in the order in which that is said.
    pub(super) rights: Vec<Right>,
    /// What is written into the file so that it loads faster, once all of it has been read.
    pub(super) marks: Vec<Mark>,
}

impl Inventory {
    /// Whether the rows of the table `name` are in it.
    pub(super) fn has_rows_of(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.kind == "TABLE DATA" && part.name == name)
    }
}

/// A statement that says who may use something, or owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) whose: Whose,
    pub(super) sql: String,
}

/// Whom a right is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Whoever there is.
    Everybodys,
    /// This role, which may use something.
    Roles(String),
    /// This role, which owns something.
    Owners(String),
    /// No role that there could be or not: publications, logins to other servers, what holds for objects to come.
    Nobodys,
}

impl Right {
    /// The role that has to be there.
    pub(super) fn role(&self) -> Option<&str> {
        match &self.whose {
            Whose::Roles(role) | Whose::Owners(role) => Some(role),
            Whose::Everybodys | Whose::Nobodys => None,
        }
    }
}

/// Bytes that stand in a file as a blank, and what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Their position in the file.
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
}

/// Something in a dump that can be loaded, or left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) id: i64,
    /// What it is, in the system's own words: `TABLE`, `EXTENSION`.
    pub(super) kind: String,
    pub(super) schema: String,
    pub(super) name: String,
    /// The ids of the parts that have to be there first.
    pub(super) needs: Vec<i64>,
}

/// The names of databases that a restore deals with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The new one, until it goes live.
    pub(super) next: String,
    /// What the live one is called once it is replaced.
    pub(super) previous: String,
}

/// A dump on the machine that loads it.
pub(super) struct Loading<'l> {
    /// The path of the dump.
    pub(super) file: &'l str,
    pub(super) form: Form,
    /// The private folder.
    pub(super) folder: &'l str,
    pub(super) inventory: &'l Inventory,
    /// The role that is to own everything.
    pub(super) owner: &'l str,
    /// The role that logs in.
    pub(super) user: &'l str,
    /// Whether that is a superuser.
    pub(super) superuser: bool,
    /// The extensions in the live database that belong to others.
    pub(super) others: &'l [String],
    /// The indexes that were not valid in the dumped database; `None`: nobody says.
    pub(super) invalid: Option<&'l [String]>,
    /// Who may use it, as far as that comes with it.
    pub(super) rights: &'l [Right],
    /// What sessions begin with, as far as that comes with it.
    pub(super) settings: &'l [Setting],
}
