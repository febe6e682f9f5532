//! Loading a dump, and bringing what was loaded into the state in which it can go live.

use super::archive::passes::{Jobs, is_for_superusers, is_named, list, passes, stays_out};
use super::explain::reader_of;
use super::rights;
use super::spelling::{copy, identifier};
use super::{Postgres, sql, sql_file, sql_path, write_sql};
use crate::database::adapter::{Form, Loading, Names, Part};
use crate::script::{Arg, Cmd, Script};
use crate::sh;

/// Has psql write what follows to a file, and then nowhere again.
const TELLING: &str = "\\o :lost\n";
const SILENT: &str = "\\o /dev/null\n";

impl Loading<'_> {
    /// The role to become, to own what is made; empty where that is who logs in.
    pub(super) fn role(&self) -> &str {
        if self.owner == self.user { "" } else { self.owner }
    }
}

impl Postgres {
    pub(super) fn load_script(&self, names: &Names, loading: &Loading<'_>) -> Script {
        let script = self.session().then(sh!(
            "folder={}\npg_jobs {} {}\narchive={}",
            loading.folder,
            &self.jobs,
            self.free(),
            loading.file
        ));
        let script = match loading.form {
            Form::Text => script.then(self.restrict(loading)).then(sh!(
                "pg_watched {} pg_run_file \"$archive\" {} {} -o /dev/null -f \"$folder/restrict.sql\"",
                &names.next,
                &names.next,
                loading.role()
            )),
            Form::Tar => self.archive_script(script.then(sh!("pg_unpack \"$archive\"")), names, loading),
            Form::Archive => self.archive_script(script, names, loading),
        };
        if loading.rights.is_empty() { script } else { script.then(tried(&names.next, rights::sql(loading.rights))) }
    }

    /// Has psql take no commands from what it reads next; an older one reads only what leaves no doubt.
    fn restricted(&self, command: &str, loading: &Loading<'_>) -> String {
        let key: String = loading.folder.chars().filter(char::is_ascii_alphanumeric).collect();
        if self.seen.restricts { format!("\\{command} {key}\n") } else { String::new() }
    }

    fn restrict(&self, loading: &Loading<'_>) -> Script {
        let text = self.restricted("restrict", loading);
        Script::shell("printf '%s' {} >\"$folder/restrict.sql\"", &[Arg::brief(text, "restrict.sql")])
    }

    fn archive_script(&self, script: Script, names: &Names, loading: &Loading<'_>) -> Script {
        let needed = loading.inventory.format.map_or(0, reader_of);
        let script = left_out(loading).then(script).then(sh!("pg_reader {} {}", needed.to_string(), &self.bin_dir));
        let script = match loading.form {
            Form::Tar => script.then(sh!("pg_side_by_side \"$archive\"")),
            Form::Archive | Form::Text => script,
        };
        passes(loading).into_iter().fold(script, |script, pass| {
            let script = match pass.list {
                None => script.then(sh!("set --")),
                Some(list) => script.then(write_list(&list)).then(sh!("set -- \"--use-list=$folder/list\"")),
            };
            // Of several, the last one counts.
            let script = if pass.jobs == Jobs::One { script.then(sh!("set -- \"$@\" --jobs=1")) } else { script };
            let load = sh!("pg_watched {} pg_load \"$archive\" {} {} \"$@\"", &names.next, &names.next, pass.role);
            let script = script.then(load);
            if pass.role.is_empty() && !loading.role().is_empty() {
                script.then(give_schemas(&names.next, loading.owner))
            } else {
                script
            }
        })
    }

    /// All tables of the dump are there, its indexes are valid, and up to where it is migrated is told.
    pub(super) fn check_script(&self, names: &Names, loading: &Loading<'_>) -> Script {
        let expected =
            loading.inventory.tables.iter().map(|(schema, name)| format!("{}\t{}\n", copy(schema), copy(name)));
        let invalid = loading.invalid.unwrap_or_default().iter().map(|name| format!("{}\n", copy(name)));
        let known = if loading.invalid.is_some() { "known=yes" } else { "known=no" };
        let table = format!(
            "CREATE TEMP TABLE deploy_expected (schema text, name text);\nCOPY deploy_expected FROM stdin;\n{}\\.\n\
             CREATE TEMP TABLE deploy_invalid (name text);\nCOPY deploy_invalid FROM stdin;\n{}\\.\n{}",
            expected.collect::<String>(),
            invalid.collect::<String>(),
            include_str!("sql/check.sql")
        );
        self.session()
            .then(Script::shell(
                "wrong=$(pg_sql {} {} -v {})",
                &[Arg::from(&names.next), Arg::brief(table, "check.sql"), Arg::from(known)],
            ))
            .then(sh!(
                "[ -z \"$wrong\" ] || deploy_fail \"the restored database is not whole: $(echo \"$wrong\" | head -n 5)\"\n\
                 schema=$(pg_sql {} {})\ndeploy_fact schema \"$schema\"",
                &names.next,
                sql_file!("schema.sql")
            ))
    }

    pub(super) fn settle_script(&self, names: &Names, loading: &Loading<'_>, changed: bool) -> Script {
        let as_owner = as_role(loading);
        let script = self.session().then(sh!("pg_jobs {} {}", &self.jobs, self.free()));
        let script = if changed {
            let text = format!("{as_owner}{}", include_str!("sql/refresh.sql"));
            script.then(sql(&names.next, Arg::brief(text, "refresh.sql"), &[]))
        } else {
            script
        };
        // Statistics are gathered by several sessions; those of a role that isn't the owner gather none.
        let script = if as_owner.is_empty() || loading.superuser {
            script.then(sh!(
                "pg_need vacuumdb 999 {}\nnext=$(pg_named {})\n\
                 \"$found\" --analyze-only --quiet --no-password \"--jobs=$jobs\" \"--dbname=$next\"",
                &self.bin_dir,
                &names.next
            ))
        } else {
            script.then(sql(&names.next, format!("{as_owner}ANALYZE;"), &[]))
        };
        let script = script.then(sh!(
            "left=$(pg_sql \"$maintenance\" {} -v db={} -v scratch={})\n\
             [ -z \"$left\" ] || deploy_note \"a superuser has to give the new database these settings again: $left\"",
            sql_file!("like.sql"),
            &self.database,
            &names.next
        ));
        if loading.settings.is_empty() {
            script
        } else {
            let settings = rights::settings_sql(loading.settings, &names.next, &self.database);
            script.then(tried(&names.next, settings))
        }
    }

    /// One transaction: what is there goes, the dump comes, and the texts run. It is rolled back where the dump ends early.
    pub(super) fn overwrite_script(&self, loading: &Loading<'_>, texts: &[(String, String)]) -> Script {
        let setup = self.session().then(sh!("folder={}\njobs=1\narchive={}", loading.folder, loading.file));
        let setup = match loading.form {
            Form::Text => setup.then(sh!("pg_contents() { cat -- \"$archive\" && pg_end; }")),
            Form::Tar => setup.then(sh!("pg_unpack \"$archive\"")).then(self.contents(loading)),
            Form::Archive => setup.then(self.contents(loading)),
        };
        let refresh = if texts.is_empty() { "" } else { include_str!("sql/refresh.sql") };
        let last = format!("{refresh}{}", include_str!("sql/last.sql"));
        let clear = [
            include_str!("sql/proof.sql"),
            include_str!("sql/same_here.sql"),
            &*as_role(loading),
            include_str!("sql/clear.sql"),
            include_str!("sql/guard.sql"),
            &*self.restricted("restrict", loading),
        ]
        .concat();
        let whole = [&*self.restricted("unrestrict", loading), include_str!("sql/whole.sql")].concat();
        let first = [("clear.sql", &*clear), ("whole.sql", &*whole)];
        let texts = texts.iter().map(|(label, sql)| (&**label, &**sql));
        let settings = rights::settings_sql(loading.settings, &self.database, &self.database);
        let rights = [TELLING, &rights::sql(loading.rights), &settings, SILENT].concat();
        let files = first.into_iter().chain([("rights.sql", &*rights)]).chain(texts).chain([("last.sql", &*last)]);
        let (mut setup, mut order) = (setup, Vec::new());
        for (number, (label, sql)) in files.enumerate() {
            setup = setup.then(write_sql(loading.folder, number, label, sql));
            order.push(format!("--file={}", sql_path(loading.folder, number, label)));
        }
        order.insert(1, "--file=-".to_owned());
        let take = format!("pg_take() {{ pg_at_once {{}} {{}}{}; }}", " {}".repeat(order.len()));
        let args = [self.database.clone(), self.stage.clone()].into_iter().chain(order).map(Arg::from);
        let script = setup.then(Script::shell(&take, &args.collect::<Vec<_>>()));
        let tell = sh!("[ ! -s \"$folder/lost\" ] || pg_not_brought \"$(cat -- \"$folder/lost\")\"");
        script.pipe([Cmd::new("pg_contents"), Cmd::new("pg_take")]).then(tell)
    }

    /// The function that writes an archive as SQL, for a transaction of ours.
    fn contents(&self, loading: &Loading<'_>) -> Script {
        let parts = &loading.inventory.parts;
        let others = |part: &Part| part.kind == "COMMENT" && loading.others.iter().any(|name| is_named(part, name));
        let wanted = |part: &Part| !stays_out(part) && !is_for_superusers(part) && !others(part);
        let script = left_out(loading).then(sh!("pg_need pg_restore 999 {}\npg_restore=$found", &self.bin_dir));
        let script = if parts.is_empty() {
            script.then(sh!("pg_selected() { pg_as_sql \"$archive\"; }"))
        } else {
            script
                .then(write_list(&list(parts, wanted)))
                .then(sh!("pg_selected() { pg_as_sql \"--use-list=$folder/list\" \"$archive\"; }"))
        };
        script.then(sh!("pg_contents() { { pg_selected && pg_end; } | pg_without_commit; }"))
    }
}

/// Runs statements one by one in a database, and tells those that can't be run.
fn tried(database: &str, sql: String) -> Script {
    let args = [Arg::from(database), Arg::brief(sql, "rights.sql")];
    Script::shell("lost=$(pg_sql {} {})\npg_not_brought \"$lost\"", &args)
}

/// Writes these lines to the file `list` of the private folder.
fn write_list(list: &str) -> Script {
    Script::shell("printf '%s' {} >\"$folder/list\"", &[Arg::brief(list, "the selected parts")])
}

/// Tells what of the dump only a superuser could load.
fn left_out(loading: &Loading<'_>) -> Script {
    let parts = loading.inventory.parts.iter().filter(|part| part.kind == "EVENT TRIGGER");
    let names: Vec<_> = parts.map(|part| format!("`{}`", part.name)).collect();
    if loading.superuser || names.is_empty() {
        return Script::new();
    }
    sh!("deploy_note {}", format!("only a superuser makes event triggers, and so these stay out: {}", names.join(", ")))
}

/// The SQL by which who logs in becomes the owner.
fn as_role(loading: &Loading<'_>) -> String {
    match loading.role() {
        "" => String::new(),
        role => format!("SET ROLE {};\n", identifier(role)),
    }
}

/// Gives the schemas that were made by who logs in to the owner of the database.
fn give_schemas(database: &str, owner: &str) -> Script {
    let text = "SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, :'owner') FROM pg_namespace
  WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
    AND nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) \\gexec";
    sql(database, text, &[("owner", owner)])
}
