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

/// What PostgreSQL says where a role would see only some of the rows. In a file of the user's own it takes the same to mend.
const HIDDEN: &str = "would be affected by row-level security";

/// What a standby says where it can't wait any longer for who reads.
pub(super) const CONFLICT: &str = "due to conflict with recovery";

/// The extensions that live in one database of a server, which its configuration names.
const ALONE: [&str; 1] = ["pg_cron"];

/// The first that fits counts. `{}` stands for the database and how it is reached.
const KNOWN: &[Known] = &[
    Known {
        words: "the session that keeps the lock on restores has ended",
        message: "the session that keeps the lock on restores of the database {} has ended",
        hint: "is a time-out set there that ends sessions which wait?",
    },
    Known {
        words: "deploy: the session is not our own",
        message: "a proxy that hands sessions on stands before the database {}, and passes on no settings",
        hint: "use the database server's own port, not that of PgBouncer",
    },
    Known {
        words: "unsupported startup parameter",
        message: "a proxy that hands sessions on stands before the database {}, and passes on no settings",
        hint: "use the database server's own port, not that of PgBouncer",
    },
    Known {
        words: "deploy: the lock is lost",
        message: "the session that keeps the lock on restores of the database {} has ended: nothing was changed",
        hint: "who ends sessions there? a proxy, or an administrator: try again",
    },
    Known {
        words: CONFLICT,
        message: "the standby {} took back what the dump was reading, to follow its primary",
        hint: "try again when less is changed there, or raise max_standby_streaming_delay, or set hot_standby_feedback",
    },
    Known {
        words: "deploy: another server answers",
        message: "another database server answers now than the one that was asked about {}: nothing was changed there",
        hint: "does its name lead to several servers? name one of them: `host` of `[database]`",
    },
    Known {
        words: "deploy: another database answers",
        message: "the database {} is another one now than when it was asked about: nothing was changed",
        hint: "did somebody else replace it meanwhile? look at it, and try again",
    },
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
        message: "the dump sets something that the database server of {} doesn't know",
        hint: "restore to a server that is at least as new as the one that was dumped",
    },
    Known {
        words: "can only create extension in database",
        message: "an extension of the dump lives in one database of its server only, and where {} is restored is another one",
        hint: "leave it out: exclude = [\"extension:pg_cron\"] in `[database]`; its jobs are kept elsewhere then",
    },
    Known {
        words: "violates foreign key constraint",
        message: "rows of the dump refer to others that it doesn't have, where {} is",
        hint: "were those left out (`exclude_data`)? leave out the rows that refer to them too",
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
        words: HIDDEN,
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
    if let Some(place) = error.detail_text().and_then(in_a_file) {
        let is_hidden = |known: &&Known| known.words == HIDDEN && place.contains(HIDDEN);
        return reworded(error, &place, KNOWN.iter().find(is_hidden).map(|known| known.hint));
    }
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
    if text.contains("out of shared memory") {
        return no_locks(error, database);
    }
    if let Some(function) = lost_its_way(&text) {
        let message =
            format!("{function} names something without its schema, and while a dump is loaded no schema is searched");
        let hint =
            "name the schema in it, where the dump comes from, or ALTER FUNCTION … SET search_path = …; then dump anew";
        return reworded(error, &message, hint);
    }
    match KNOWN.iter().find(|known| text.contains(known.words)) {
        Some(known) => reworded(error, &known.message.replace("{}", &about), known.hint),
        None => match said(&error) {
            Some(said) => reworded(error, &said, None),
            None => error,
        },
    }
}

/// The function of the dump that failed since no schema is searched, as PostgreSQL's context calls it.
fn lost_its_way(text: &str) -> Option<String> {
    let is_missing = text.lines().any(|line| line.contains("ERROR:") && line.contains("does not exist"));
    let context = |line: &str| {
        let (_, rest) = line.split_once("PL/pgSQL function ").or_else(|| line.split_once("SQL function "))?;
        let name = rest.split(" line ").next()?.split(" during ").next()?.split(" statement ").next()?;
        Some(format!("the function `{}`", name.trim_matches('"')))
    };
    text.lines().filter(|_| is_missing).find_map(context)
}

/// There are more tables than one transaction can lock.
fn no_locks(error: Error, database: &Postgres) -> Error {
    let about = database.connection.describe();
    let message = format!("the database server of {about} has no room for so many locks in one transaction");
    let wanted = database.seen.locks.next_power_of_two().max(256);
    let hint = format!("ALTER SYSTEM SET max_locks_per_transaction = {wanted}; there, and restart the server");
    let error = reworded(error, &message, &*hint);
    if database.seen.may_create {
        error
    } else {
        error.hint("for a restore, let the role make databases instead: ALTER ROLE … CREATEDB")
    }
}

/// What of a dump can't be restored everywhere, in words; `survey`: of the database that it was made of.
pub(super) fn warnings(inventory: &Inventory, survey: Option<&Survey>) -> Vec<String> {
    let alone = inventory.extensions.iter().filter(|name| ALONE.contains(&&***name)).map(|name| {
        format!(
            "the extension `{name}` lives in one database of a server only, and a restore makes another one: leave it out \
             then, or now: exclude = [\"extension:{name}\"]"
        )
    });
    let needed = inventory.format.map_or(0, reader_of);
    let unread = survey.filter(|survey| survey.tools.1 < needed).map(|survey| {
        format!("pg_restore {} on that machine can't read this: it takes postgresql-client-{needed}", survey.tools.1)
    });
    alone.chain(unread).collect()
}

/// What PostgreSQL said, where the error names only a function of our own scripts.
fn said(error: &Error) -> Option<String> {
    if !error.message().contains(": `pg_") {
        return None;
    }
    let severities = ["ERROR:  ", "FATAL:  ", "error: "];
    let after = |line: &str| severities.iter().find_map(|word| Some(line.split_once(word)?.1.trim().to_owned()));
    error.detail_text()?.lines().find_map(after)
}

/// What is wrong in a file of SQL of the user's own: `anonymise.sql:2: column "x" does not exist`. The file's copy stands in
/// the private folder.
fn in_a_file(detail: &str) -> Option<String> {
    detail.lines().find_map(|line| {
        let (_, rest) = line.split_once("/sql/")?;
        let (number, rest) = rest.split_once('/')?;
        let (place, text) = rest.split_once(": ERROR:  ")?;
        number.parse::<u32>().ok().map(|_| format!("{place}: {text}"))
    })
}

/// The database from which others are made can't be reached.
pub(super) fn no_maintenance(database: &Postgres) -> Error {
    let (maintenance, about) = (&database.maintenance, database.connection.describe());
    Error::task(format!("the database `{maintenance}`, from which others are made, can't be reached beside {about}"))
        .hint("name another one of the same server: [database] maintenance_database = \"template1\"")
}

/// The same error with another message; what it was stands below.
fn reworded<'h>(error: Error, message: &str, hint: impl Into<Option<&'h str>>) -> Error {
    let detail = match error.detail_text() {
        Some(detail) => detail.to_owned(),
        None => error.message().to_owned(),
    };
    let hints = error.hint_texts().to_vec();
    let hints = hints.into_iter().chain(hint.into().map(str::to_owned));
    Error::new(error.kind(), message).detail(detail).hints(hints)
}

/// Why a dump can't be loaded where `survey` was made.
pub(super) fn misfit(survey: &Survey, inventory: &Inventory) -> Option<Error> {
    if let Some(error) = unrestricted(survey, inventory) {
        return Some(error);
    }
    let lacks = |extension: &&String| !survey.extensions.contains(extension);
    let missing: Vec<_> = inventory.extensions.iter().filter(lacks).map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() && !survey.extensions.is_empty() {
        let them = missing.join(", ");
        return Some(
            Error::task(format!("the dump needs extensions that the target's database server doesn't have: {them}"))
                .hint("install their packages there (postgresql-contrib has those that come with PostgreSQL)")
                .hint("or leave them out: exclude = [\"extension:NAME\"] in the target's `[database]`"),
        );
    }
    let needed = inventory.format.map_or(0, reader_of);
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

/// Why the text that psql would read can't be handed to an older one, which takes commands from it.
fn unrestricted(survey: &Survey, inventory: &Inventory) -> Option<Error> {
    let is_in_place = !survey.may_create && survey.size.is_some() && inventory.format.is_some();
    let why = match &inventory.doubt {
        _ if survey.restricts => return None,
        Some(doubt) => doubt.clone(),
        None if is_in_place => "an archive becomes a text where the role may make no database".to_owned(),
        None => return None,
    };
    Some(
        Error::task("psql on that machine can't be told to take no commands from a dump, and this one might have some")
            .detail(why)
            .hint("install the newest release of its version there: 14.19, 15.14, 16.10, 17.6, 18.0 or newer"),
    )
}

/// The major version of the oldest `pg_restore` that reads an archive of this version.
pub(super) fn reader_of(format: (u8, u8)) -> u32 {
    match format {
        (1, 16) => 17,
        (1, 15) => 16,
        _ => 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_file_is_told_by_its_name_and_line() {
        let line = "psql:/srv/.deploy/deploy-database-00ff/sql/0/anonymise.sql:2: ERROR:  column \"x\" does not exist";
        assert_eq!(in_a_file(line).as_deref(), Some("anonymise.sql:2: column \"x\" does not exist"));
        assert_eq!(in_a_file("psql:<stdin>:5: ERROR:  no"), None);
    }

    #[test]
    fn a_function_that_needs_a_search_path_is_named() {
        let text = "ERROR:  relation \"marks\" does not exist\nCONTEXT:  PL/pgSQL function public.mark(integer) line 1 at RETURN";
        assert_eq!(lost_its_way(text).as_deref(), Some("the function `public.mark(integer)`"));
        let text = "ERROR:  relation \"marks\" does not exist\nCONTEXT:  SQL function \"mark\" during inlining";
        assert_eq!(lost_its_way(text).as_deref(), Some("the function `mark`"));
        assert_eq!(lost_its_way("ERROR:  division by zero\nCONTEXT:  SQL function \"mark\" during inlining"), None);
        assert_eq!(lost_its_way("ERROR:  relation \"marks\" does not exist"), None);
    }

    #[test]
    fn the_tools_own_functions_are_no_explanation() {
        let error =
            Error::task("ended with status 1: `pg_watched \"x\" pg_load`").detail("a\npg_restore: error: it broke\nb");
        assert_eq!(said(&error).as_deref(), Some("it broke"));
        assert_eq!(said(&Error::task("the password is wrong").detail("psql: error: no")), None);
    }
}
