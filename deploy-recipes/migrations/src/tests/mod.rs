mod deploys;
mod older;
mod presets;
mod rails;
mod rollbacks;

use deploy_core::testing::{Ran, SHELLS, Site, check_table, refusal};

use super::*;

/// A rake that reads from files what the database would say, and fails where there is a file `broken`.
const RAKE: &str = r#"[ ! -e "$HOME/deploy/broken" ] || { echo 'PG::UndefinedTable' >&2; exit 1; }
case $* in
  *xtask:migrate | *xtask:pending) cat "$HOME/deploy/pending" ;;
  *xtask:newer) cat "$HOME/deploy/newer" ;;
  *db:migrate:status) echo 'up 1 Create posts' ;;
esac"#;

/// A stage with the recipe, a live release, and a database in which everything is as the release has it.
fn site(table: &str) -> Site {
    prepared(Site::of::<Migrations>(table))
}

fn prepared(site: Site) -> Site {
    site.program("rake", RAKE);
    site.release("20260101000000");
    site.write("app1", "pending", "");
    site.write("app1", "newer", "");
    site
}

/// What was called, rake's tasks without the code that defines them.
fn calls(run: &Ran) -> Vec<String> {
    let code = " -E 'eval ENV.fetch('\\''XTASK_RAILS'\\'')'";
    run.calls().iter().map(|call| call.to_string().replace(code, "")).collect()
}

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().recipe::<Migrations>().check().unwrap();
}

#[test]
fn a_wrong_key_is_shown_with_the_nearest() {
    let refusal = refusal::<Migrations>("comand = 'x'");
    assert!(refusal.contains("did you mean `command`?"), "{refusal}");
}

#[test]
fn the_table_of_settings_is_complete() {
    check_table::<Migrations>(include_str!("../lib.rs"));
}

#[test]
fn its_scripts_pass_shellcheck() {
    for preset in ["rails", "sqlx", "diesel"] {
        let site = site(&format!("preset = '{preset}'"));
        for task in [MIGRATE, PENDING, READ_STATUS] {
            site.shellcheck(task.as_str());
        }
        site.shellcheck("deploy:migrate:newer");
    }
}
