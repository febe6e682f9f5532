//! Scripts about the live database: what is known of it, a dump of it, the lock on its restores, and what takes its place.

use super::{Postgres, of_the_same, sql_file, with_system};
use crate::config::Exclude;
use crate::database::adapter::{Names, Survey};
use crate::script::{Arg, Cmd, Hold, Script};
use crate::sh;

impl Postgres {
    pub(super) fn survey_script(&self) -> Script {
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
data=$(printf '%s' "$about" | tr '\n' ' ' | sed -n 's/.*"data_directory" : "\([^"]*\)".*/\1/p')
[ -z "$data" ] || deploy_fact disk "$({ df -Pk -- "$data/base" || df -Pk -- "$data"; } 2>/dev/null | awk 'NR == 2 { print $4 }')"
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

    pub(super) fn dump_script(&self, survey: &Survey, compress: u8, exclude: &Exclude) -> (Script, Cmd) {
        // A survey that was not made is that of a dry run.
        let major = if survey.major == 0 { "<version>".to_owned() } else { survey.major.to_string() };
        let setup = self.session().then(sh!(
            "pg_need pg_dump {} {}\npg_dumper=$found\npg_dump() { \"$pg_dumper\" \"--dbname=$(pg_named \"$PGDATABASE\")\" \"$@\"; }",
            major,
            &self.bin_dir
        ));
        let level = format!("--compress={compress}");
        let dump = Cmd::new("pg_dump").args(["--format=custom", &level, "--no-password"]);
        (setup, dump.args(without(survey, exclude)))
    }

    pub(super) fn hold_script(&self, names: &Names, folder: &str, bases: &[String], about: &str) -> (Script, Hold) {
        let bases_shell = vec!["{}"; bases.len()].join(" ");
        let mut args = vec![Arg::from(folder)];
        args.extend(bases.iter().map(Arg::from));
        let start = self
            .session()
            .then(sh!(
                "pg_lock_sql={}\npg_holder_sql={}\npg_half_made_sql={}",
                sql_file!("lock.sql"),
                sql_file!("holder.sql"),
                sql_file!("half_made.sql")
            ))
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

    pub(super) fn swap_script(&self, next: &str, previous: &str, holder: &str, keep: Option<usize>) -> Script {
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
}

/// Options by which `pg_dump` leaves out what `exclude` says. Before version 17 it can only be told which extensions it takes.
fn without(survey: &Survey, exclude: &Exclude) -> Vec<String> {
    let exact = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let each =
        |option: &str, names: &[String]| names.iter().map(|name| format!("--{option}={name}")).collect::<Vec<_>>();
    let excluded: Vec<_> = exclude.extensions.iter().filter(|name| survey.installed.contains(name)).collect();
    let extensions: Vec<_> = if excluded.is_empty() {
        Vec::new()
    } else if survey.tools.0 >= 17 {
        each("exclude-extension", &excluded.into_iter().map(exact).collect::<Vec<_>>())
    } else {
        let taken = survey.installed.iter().filter(|name| !excluded.contains(name));
        each("extension", &taken.map(exact).collect::<Vec<_>>())
    };
    [
        each("exclude-schema", &exclude.schemas),
        each("exclude-table", &exclude.tables),
        each("exclude-table-data", &exclude.data),
        extensions,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_programs_are_told_which_extensions_to_take_and_newer_ones_which_not() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let exclude = Exclude { extensions: names(&["pg_cron", "none"]), ..Exclude::default() };
        let survey =
            |dumper| Survey { tools: (dumper, 0), installed: names(&["pg_cron", "plpgsql"]), ..Survey::default() };
        assert_eq!(without(&survey(15), &exclude), ["--extension=\"plpgsql\""]);
        assert_eq!(without(&survey(17), &exclude), ["--exclude-extension=\"pg_cron\""]);
        let exclude = Exclude { schemas: names(&["a*"]), data: names(&["b.c"]), ..Exclude::default() };
        assert_eq!(without(&survey(15), &exclude), ["--exclude-schema=a*", "--exclude-table-data=b.c"]);
    }
}
