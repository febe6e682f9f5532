//! What PostgreSQL's messages mean, and what to do.

use super::Postgres;
use crate::database::adapter::{Inventory, Survey};
use crate::error::Error;

/// A message of PostgreSQL, by words that are always in it, and what to tell the user instead.
struct Known {
    words: &'static str,
    message: &'static str,
    hint: &'static str,
}

/// The first that fits counts. `{}` stands for the database and how it is reached.
const KNOWN: &[Known] = &[
    Known {
        words: "password authentication failed",
        message: "the password for the database {} is wrong",
        hint: "look at where stage's connection comes from: `[database]` in deploy.toml, and docs/CONFIGURATION.md",
    },
    Known {
        words: "no password supplied",
        message: "the database {} asks for a password, and none is configured",
        hint: "give the connection one: a URL in `url_env` or `env_file`, or a line in ~/.pgpass on that machine",
    },
    Known {
        words: "Peer authentication failed",
        message: "the database {} lets in only the system's user of the same name",
        hint: "connect over TCP (`host = \"localhost\"`), or log in to the machine as that user",
    },
    Known {
        words: "no pg_hba.conf entry",
        message: "the database {} lets nobody in from there",
        hint: "add a line to pg_hba.conf of the database server, and reload it",
    },
    Known {
        words: "could not translate host name",
        message: "the host of the database {} is not known there",
        hint: "is it spelled right? it is looked up on the machine that the commands run on",
    },
    Known {
        words: "Connection refused",
        message: "no database server listens where {} should be",
        hint: "is it running, and is the port right? on that machine: pg_lsclusters, or systemctl status postgresql",
    },
    Known {
        words: "No such file or directory\n\tIs the server running",
        message: "no database server listens on the socket where {} should be",
        hint: "is it running there, and is the folder of the socket right? name a `host` to connect over TCP",
    },
    Known {
        words: "Is the server running",
        message: "no database server answers where {} should be",
        hint: "is it running, and are `host` and `port` right?",
    },
    Known {
        words: "too many clients",
        message: "the database server of {} has no connection left",
        hint: "raise max_connections, or end idle sessions",
    },
    Known {
        words: "remaining connection slots",
        message: "the database server of {} has no connection left",
        hint: "raise max_connections, or end idle sessions",
    },
    Known {
        words: "server version mismatch",
        message: "pg_dump on that machine is older than the database server of {}",
        hint: "install the client programs of the server's version there (postgresql-client-NN), or name their folder: database.bin_dir",
    },
    Known {
        words: "in file header",
        message: "pg_restore on that machine is older than the pg_dump that wrote the dump",
        hint: "install newer client programs there (postgresql-client-NN), or name their folder: database.bin_dir",
    },
    Known {
        words: "unrecognized configuration parameter",
        message: "the dump, or pg_restore, is newer than the database server of {}",
        hint: "restore to a server that is at least as new as the one that was dumped",
    },
    Known {
        words: "out of shared memory",
        message: "the database server of {} has no room for so many locks in one transaction",
        hint: "raise max_locks_per_transaction there, or let the role make databases: ALTER ROLE … CREATEDB",
    },
    Known {
        words: "No space left on device",
        message: "a disk of the machine with the database {} is full",
        hint: "make room there: df -h; replaced databases count too: database.keep_replaced",
    },
    Known {
        words: "could not open extension control file",
        message: "an extension of the dump is not installed where {} is",
        hint: "install its package on the database server (postgresql-contrib has those that come with PostgreSQL)",
    },
    Known {
        words: "permission denied to create extension",
        message: "the role may not create an extension that the dump has, where {} is",
        hint: "restore as a superuser: name one as `user` of the stage's database, and the role that is to own the data as `owner`",
    },
    Known {
        words: "permission denied to create database",
        message: "the role may not make databases where {} is",
        hint: "ALTER ROLE … CREATEDB",
    },
    Known {
        words: "must be member of role",
        message: "the role may not give what it makes to the owner, where {} is",
        hint: "GRANT owner TO user, or name another one: database.owner",
    },
    Known {
        words: "must be able to SET ROLE",
        message: "the role may not give what it makes to the owner, where {} is",
        hint: "GRANT owner TO user, or name another one: database.owner",
    },
    Known {
        words: "would be affected by row-level security",
        message: "the role sees only some rows of a table in the database {}, whose row-level security is forced on its owner too",
        hint: "ALTER ROLE … BYPASSRLS, as a superuser; or log in as a role that sees all: database.user",
    },
    Known {
        words: "permission denied for",
        message: "the role may not read or change something in the database {}",
        hint: "connect as the owner, or as a member of pg_read_all_data (for backups)",
    },
    Known {
        words: "terminating connection due to administrator command",
        message: "the database server of {} ended the session",
        hint: "was it shut down or restarted? try again",
    },
    Known {
        words: "server closed the connection unexpectedly",
        message: "the database server of {} went away",
        hint: "look into its log",
    },
];

/// `error` with what its text means. What PostgreSQL said stays below it.
pub(super) fn explain(error: Error, database: &Postgres) -> Error {
    let text = error.to_string();
    let about = database.connection.describe();
    let maintenance = &database.maintenance;
    if text.contains(&format!("database \"{maintenance}\" does not exist")) {
        return no_maintenance(database).detail(error.detail_text().unwrap_or(error.message()).to_owned());
    }
    if text.contains("FATAL") && text.contains("database \"") && text.contains("does not exist") {
        return reworded(
            error,
            &format!("there is no database {about}"),
            "is its name right? `psql -l` on that machine lists them",
        );
    }
    if text.contains("role \"") && text.contains("does not exist") {
        return reworded(
            error,
            &format!("a role does not exist where {about} is"),
            "is `user`, or `owner`, right? `\\du` in psql lists roles",
        );
    }
    match KNOWN.iter().find(|known| text.contains(known.words)) {
        Some(known) => reworded(error, &known.message.replace("{}", &about), known.hint),
        None => error,
    }
}

/// The database from which others are made can't be reached.
pub(super) fn no_maintenance(database: &Postgres) -> Error {
    let (maintenance, about) = (&database.maintenance, database.connection.describe());
    Error::task(format!("the database `{maintenance}`, from which others are made, can't be reached beside {about}"))
        .hint("name another one of the same server: [database] maintenance_database = \"template1\"")
}

/// The same error with another message; what it was stands below.
fn reworded(error: Error, message: &str, hint: &str) -> Error {
    let detail = match error.detail_text() {
        Some(detail) => detail.to_owned(),
        None => error.message().to_owned(),
    };
    let hints = error.hint_texts().to_vec();
    Error::new(error.kind(), message).detail(detail).hints(hints).hint(hint)
}

/// Why a dump can't be loaded where `survey` was made.
pub(super) fn misfit(survey: &Survey, inventory: &Inventory) -> Option<Error> {
    let lacks = |extension: &&String| !survey.extensions.contains(extension);
    let missing: Vec<_> = inventory.extensions.iter().filter(lacks).map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() && !survey.extensions.is_empty() {
        let them = missing.join(", ");
        return Some(
            Error::task(format!("the dump needs extensions that the target's database server doesn't have: {them}"))
                .hint("install their packages there (postgresql-contrib has those that come with PostgreSQL)"),
        );
    }
    let needed = inventory.format.map_or(0, reader_of);
    // What pg_restore 17 begins with, servers before 17 don't know.
    if needed >= 17 && survey.major < needed {
        return Some(
            Error::task(format!(
                "the dump was written by pg_dump {}, and needs a pg_restore that the target's database server is too old                  for: it is {}",
                inventory.written_by.unwrap_or(needed),
                survey.version
            ))
            .hint(format!("restore it to a server of version {needed} or newer")),
        );
    }
    if survey.tools.1 < needed {
        return Some(
            Error::task(format!(
                "the dump was written by pg_dump {}, and the target's machine has pg_restore {}, which can't read it",
                inventory.written_by.unwrap_or(needed),
                survey.tools.1
            ))
            .hint(format!("install newer client programs there: apt-get install postgresql-client-{needed}"))
            .hint("or name the folder of those that are there: database.bin_dir"),
        );
    }
    None
}

/// The major version of the oldest `pg_restore` that reads an archive of this version.
pub(super) fn reader_of(format: (u8, u8)) -> u32 {
    match format {
        (1, 16) => 17,
        (1, 15) => 16,
        _ => 12,
    }
}
