//! A conversation with a stage's database.

use super::confirmed::on_a_terminal;
use super::scene::Shop;

#[test]
fn the_console_is_psql_on_the_server() {
    let shop = Shop::new(&["staging"]);
    shop.mark("staging");
    let output = on_a_terminal(&shop, &["db", "console", "staging"], "select 'answer ' || 6 * 7, current_user;\n\\q\n");
    assert!(output.stdout().contains("answer 42"), "{output}");
    assert!(output.stdout().contains("staging_app"), "{output}");
    assert!(!output.stdout().contains(&shop.secret()), "{output}");
    shop.is_quiet("staging").unwrap();
}

#[test]
fn the_console_of_a_local_stage_is_here() {
    let shop = Shop::new(&["dev"]);
    let output = on_a_terminal(&shop, &["db", "console", "dev"], "select 'answer ' || 6 * 7;\n\\q\n");
    assert!(output.stdout().contains("answer 42"), "{output}");
    shop.is_quiet("dev").unwrap();
}

#[test]
fn psqls_exit_status_is_the_consoles() {
    let shop = Shop::new(&["staging"]);
    let _ = on_a_terminal(&shop, &["db", "console", "staging"], "\\q\n").success();
    let before = shop.before("staging");
    let output = on_a_terminal(&shop, &["db", "console", "staging"], "\\set ON_ERROR_STOP on\nselect 1 / 0;\n\\q\n");
    assert!(output.stdout().contains("division by zero"), "{output}");
    shop.is_as("staging", &before).unwrap();
}
