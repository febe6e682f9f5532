//! A conversation with a stage's database.

use std::process::Stdio;

use e2e::Terminal;

use super::scene::Shop;

fn sit_down(shop: &Shop, stage: &str) -> Terminal {
    Terminal::start(&shop.project.command(&["db", "console", stage]), &shop.project.sandbox)
}

#[test]
fn the_console_is_psql_where_the_database_is() {
    let shop = Shop::new(&["staging", "dev"]);
    for stage in ["staging", "dev"] {
        shop.mark(stage);
        let before = shop.before(stage);
        let terminal = sit_down(&shop, stage);
        terminal.type_in("select 'answer ' || 6 * 7, current_user, name from old_things;\r");
        terminal.wait_for("answer 42");
        terminal.type_in("\\q\r");
        let shown = terminal.ends_with(0);
        assert!(shown.contains(&format!("{stage}_app")) && !shown.contains(&shop.secret()), "{shown}");
        // What psql itself keeps for whoever sits there.
        for home in [shop.project.server("staging1").sshd.home(), shop.project.sandbox.join("home")] {
            let _ = std::fs::remove_file(home.join(".psql_history"));
        }
        shop.is_as(stage, &before).unwrap();
    }
}

#[test]
fn ctrl_c_ends_a_statement_and_not_the_console() {
    let shop = Shop::new(&["staging"]);
    let terminal = sit_down(&shop, "staging");
    terminal.type_in("select 'now'; select pg_sleep(600);\r");
    super::moments::sleeps(&shop, "staging");
    terminal.type_in("\x03");
    terminal.wait_for("canceling statement");
    terminal.type_in("select 'answer ' || 6 * 7;\r");
    terminal.wait_for("answer 42");
    terminal.type_in("\\q\r");
    terminal.ends_with(0);
    shop.is_quiet("staging").unwrap();
}

#[test]
fn a_console_that_loses_its_connection_leaves_nothing() {
    let shop = Shop::new(&["staging"]);
    let before = shop.before("staging");
    let terminal = sit_down(&shop, "staging");
    terminal.type_in("select 'answer ' || 6 * 7;\r");
    terminal.wait_for("answer 42");
    shop.project.server("staging1").kill_sessions();
    terminal.ends_with(4);
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn statements_can_be_piped_in() {
    let shop = Shop::new(&["staging"]);
    let console = shop.project.command(&["db", "console", "staging"]);
    let mut sh = shop.project.sandbox.command("sh");
    sh.args(["-c", "printf 'select 6 * 7;\\n' | \"$@\"", "sh"]).arg(console.get_program()).args(console.get_args());
    sh.current_dir(shop.project.folder()).stderr(Stdio::inherit());
    let output = shop.project.sandbox.run(sh).success();
    assert!(output.stdout().contains("42"), "{output}");
    shop.is_quiet("staging").unwrap();
}
