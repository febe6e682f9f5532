use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::database::adapter::{Part, Right, Whose};
use crate::database::wire::Packing;
use crate::event::Stream;
use crate::script::testing::{Ran, path_with, run_on};
use crate::script::{Shell, Talk, TaskScript, compile};

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

fn shell() -> Shell {
    Shell::default()
}

/// A database whose every name wants to be quoted.
fn postgres() -> Postgres {
    let url = "postgresql://o%27hara:p%22w@h:5433/it%27s%20%22a%22%20%24x?sslmode=require";
    let connection = Connection::parse(url).unwrap();
    let database = connection.parts.name.clone().unwrap();
    let [maintenance, owner, bin_dir] = ["post\"gres", "o'wner", "/it's/bin"].map(str::to_owned);
    Postgres {
        connection,
        database,
        maintenance,
        owner,
        bin_dir,
        jobs: String::new(),
        stage: "staging".to_owned(),
        seen: Survey { major: 17, restricts: true, ..Survey::default() },
    }
}

/// Fails with shellcheck's findings in a program of this script.
fn shellcheck(name: &str, script: Script, hold: Option<Hold>) {
    let task = TaskScript { script, hold, ..TaskScript::default() };
    let text = compile(&[task], &shell()).unwrap().text(&shell());
    // Values with quotes are meant to hold them, and each part of a program says anew how to connect.
    let mut command = Command::new("shellcheck");
    command.arg("--exclude=SC2030,SC2031,SC2089,SC2090").arg("-");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
}

/// Runs `text` with this folder's functions under every shell, `input` behind it, and hands each result to `check`.
fn everywhere(text: &str, input: &str, check: impl Fn(&Ran)) {
    for shell in SHELLS {
        let script = Script::shell(text, &[]).uses(POSTGRES).uses(DATABASE);
        let task = TaskScript { script, input: !input.is_empty(), ..TaskScript::default() };
        let talk = if input.is_empty() { Talk::Programs } else { Talk::DataIn };
        let ran = run_on(path_with(shell).path(), &[task], &self::shell(), talk, input.as_bytes());
        assert_eq!(ran.status(), Some(0), "{shell}: {:?}", ran.reports);
        check(&ran);
    }
}

fn prints(text: &str, input: &str, lines: &[&str]) {
    everywhere(text, input, |ran| assert_eq!(ran.lines(Stream::Stdout), lines));
}

/// A dump with everything that is loaded by somebody else than the rest.
fn inventory() -> Inventory {
    let part = |id, kind: &str, name: &str| Part { id, kind: kind.into(), name: name.into(), ..Part::default() };
    let parts = vec![
        part(1, "SCHEMA", "Größe"),
        part(2, "EXTENSION", "hstore"),
        part(3, "COMMENT", "EXTENSION hstore"),
        part(4, "COMMENT", "EXTENSION pg_stat_statements"),
        part(5, "TABLE", "it's"),
        part(6, "EVENT TRIGGER", "it's noted"),
    ];
    Inventory {
        tables: vec![("Größe".into(), "it's\ta \\".into())],
        parts,
        format: Some((1, 15)),
        ..Inventory::default()
    }
}

#[test]
fn every_script_passes_shellcheck() {
    let (postgres, inventory) = (postgres(), inventory());
    let names = postgres.names("20261122101500").unwrap();
    let others = ["pg_stat_statements".to_owned()];
    let rights = [Right { whose: Whose::Everybodys, sql: "REVOKE ALL ON TABLE \"it's $1\" FROM PUBLIC;".into() }];
    let settings = [Setting { role: "it's $1".into(), setting: "search_path=\"it's\", public".into() }];
    let texts = [("it's.sql".to_owned(), "select 'it''s $1';\n".to_owned())];
    for (form, owner) in [(Form::Archive, "o'wner"), (Form::Tar, "o'hara"), (Form::Text, "o'wner")] {
        let (file, folder, user) = ("/it's/dump", "/a b/it's", "o'hara");
        let superuser = form == Form::Tar;
        let loading = Loading {
            file,
            form,
            folder,
            inventory: &inventory,
            owner,
            user,
            superuser,
            others: &others,
            invalid: None,
            rights: &rights,
            settings: &settings,
        };
        shellcheck("make", postgres.make(&names, &loading), None);
        shellcheck("load", postgres.load(&names, &loading), None);
        shellcheck("check", postgres.check(&names, &loading), None);
        shellcheck("sanitise", postgres.sanitise(&names, &loading, &texts[0].0, &texts[0].1), None);
        shellcheck("settle", postgres.settle(&names, &loading, true), None);
        shellcheck("overwrite", postgres.overwrite(&loading, &texts), None);
    }
    shellcheck("survey", postgres.survey(), None);
    shellcheck("swap", postgres.swap(&names.next, &names.previous, "1", Some(1)), None);
    shellcheck("count", postgres.count(&names), None);
    shellcheck("pending", postgres.pending(&["/it's".to_owned(), "/a b".to_owned()]), None);
    shellcheck("client", postgres.client(), None);
    let (setup, producer) =
        postgres.dump(&Survey::default(), 0, &Exclude { schemas: vec!["it's *".to_owned()], ..Exclude::default() });
    shellcheck("dump", setup.then(Packing::Zstd.send(producer)).then(postgres.schema()), None);
    let (start, hold) = postgres.hold(&names, "folder", &["/it's".to_owned(), "/tmp".to_owned()], "it's me");
    shellcheck("hold", start, Some(hold));
}

#[test]
fn of_a_transaction_only_its_own_begin_and_commit_are_left_out() {
    let without = |input: &str, left: &[&str]| prints("deploy_input | pg_without_commit", input, left);
    without("SET a;\nBEGIN;\nx\nCOMMIT;\n--\n", &["SET a;", "x", "--"]);
    without(
        "BEGIN;\nCOPY\nBEGIN;\nCOMMIT;\nCOMMIT;\n\\.\nCOMMIT;\n\n--\n",
        &["COPY", "BEGIN;", "COMMIT;", "COMMIT;", "\\.", "", "--"],
    );
    without(
        "\\restrict k1\nBEGIN;\n\\restrict k2\n\\unrestrict k2\nCOMMIT;\n\\unrestrict k1\n",
        &["\\restrict k2", "\\unrestrict k2"],
    );
    let timed = "SET lock_timeout = 0;\nSET transaction_timeout = 0;\nBEGIN;\nCOPY t FROM stdin;\nSET transaction_timeout = 0;\n";
    without(timed, &["SET lock_timeout = 0;", "COPY t FROM stdin;", "SET transaction_timeout = 0;"]);
    let far = format!("BEGIN;\nCOMMIT;\n{}COMMIT;\nend\n", "row\n".repeat(100));
    everywhere("deploy_input | pg_without_commit", &far, |ran| {
        let lines = ran.lines(Stream::Stdout);
        assert_eq!((lines.len(), &*lines[0], &*lines[100], &*lines[101]), (102, "COMMIT;", "row", "end"));
    });
}

/// What a pg_restore said that came to its end, and whether that counts as well done.
#[test]
fn of_all_errors_only_a_time_out_that_the_server_does_not_know_is_passed_over() {
    let unknown = "pg_restore: while INITIALIZING:\npg_restore: error: could not execute query: ERROR:  unrecognized configuration \
                   parameter \"transaction_timeout\"\nCommand was: SET transaction_timeout = 0;\n\n";
    let ignored = "pg_restore: warning: errors ignored on restore: 2\n";
    let other = "pg_restore: error: COPY failed for table \"a\": ERROR:  no\n";
    let inside = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"x_y\"\n\
                  Command was: CREATE FUNCTION a() RETURNS int SET x_y TO '1' …\n";
    for (said, status) in [
        (format!("{unknown}{unknown}{ignored}"), 0),
        (format!("{unknown}{other}{ignored}"), 1),
        (format!("{unknown}{inside}{ignored}"), 1),
        (inside.lines().next().unwrap_or_default().to_owned(), 1),
        (String::new(), 0),
    ] {
        let text = "folder=$(mktemp -d)\nsaid() { deploy_input >&2; return 1; }\nstatus=0\n\
                    pg_but_for_settings said 2>/dev/null || status=$?\necho $status\nrm -r \"$folder\"";
        prints(text, &format!("{said}\n"), &[&status.to_string()]);
    }
}

#[test]
fn of_several_releases_the_wanted_one_is_taken_or_else_the_next() {
    let find = r#"for pg_wanted in 15 16 18; do
  found='' found_major=0
  for major in 14 17 15; do if pg_better "$major"; then found=x found_major=$major; fi; done
  echo "$pg_wanted: $found_major"
done"#;
    prints(find, "", &["15: 15", "16: 17", "18: 17"]);
}

#[test]
fn the_numbers_of_migrations_are_read_off_their_names() {
    let read = r#"folder=$(mktemp -d)
mkdir -p "$folder/rails app/db/migrate" "$folder/diesel/migrations/2026-01-02-030405_things"
: >"$folder/rails app/db/migrate/20260101000000_make_things.rb"
: >"$folder/rails app/db/migrate/20260102000000_more.rb"
: >"$folder/rails app/db/migrate/readme_1.md"
pg_migrations "$folder/none" "$folder/rails app" "$folder/diesel"; echo "$migrations."
pg_migrations "$folder/diesel"; echo "$migrations."
pg_migrations "$folder/none"; echo "$migrations."
rm -r "$folder""#;
    prints(read, "", &["20260101000000 20260102000000 .", "20260102030405 .", "."]);
}

#[test]
fn a_folder_that_is_named_is_the_only_one_that_is_searched() {
    let find = r#"folder=$(mktemp -d)
printf '#!/bin/sh\necho "pg_dump (PostgreSQL) 16.2 (Debian 16.2-1)"\n' >"$folder/pg_dump"
chmod +x "$folder/pg_dump"
pg_find pg_dump 999 "$folder"
echo "$found_major ${found#"$folder"}"
pg_find psql 999 "$folder"
echo "$found_major $found."
rm -r "$folder""#;
    prints(find, "", &["16 /pg_dump", "0 ."]);
}

#[test]
fn names_of_databases_are_no_connection_strings() {
    let names = r#"for name in shop 'a=b' "it's" 'a\b' 'a "b" $x'; do pg_named "$name"; echo; done"#;
    prints(names, "", &["dbname='shop'", "dbname='a=b'", r"dbname='it\'s'", r"dbname='a\\b'", "dbname='a \"b\" $x'"]);
}

#[test]
fn what_passes_is_measured() {
    everywhere("deploy_input | database_measure", "a dump\n", |ran| {
        let fact = |wanted: &str| {
            ran.reports.iter().find_map(|report| match report {
                crate::script::Report::Fact(name, value) if name == wanted => Some(value.clone()),
                _ => None,
            })
        };
        assert_eq!(ran.lines(Stream::Stdout), ["a dump"]);
        assert_eq!(fact("sent_bytes").as_deref(), Some("7"));
        let sum = "57edb0e7450b8d14560a0050c00f435fde5e29458b3ca1254300e5c8cc9a6081";
        assert_eq!(fact("sent_sha256").as_deref(), Some(sum));
    });
}
