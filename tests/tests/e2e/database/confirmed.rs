//! What asks before it overwrites, and what no flag alone overwrites.

use e2e::Terminal;

use super::scene::{NONE, Shop};

/// A shop with a backup of staging, and a production that has something to lose.
fn shop() -> (Shop, String) {
    let shop = Shop::new(&["production", "staging"]);
    shop.own("staging", "create table new_things (id int)");
    shop.mark("production");
    let dump = shop.back_up("staging").to_str().unwrap().to_owned();
    (shop, dump)
}

/// `cargo xtask ARGUMENTS` on a terminal, at which somebody types `keys` when `question` shows.
fn answered(shop: &Shop, arguments: &[&str], question: &str, keys: &str) -> Terminal {
    let terminal = Terminal::start(&shop.project.command(arguments), &shop.project.sandbox);
    terminal.wait_for(question);
    terminal.type_in(keys);
    terminal
}

#[test]
fn a_protected_stage_is_not_overwritten_by_yes() {
    let (shop, dump) = shop();
    let before = shop.before("production");
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "production"];
    for more in [
        &["--yes"][..],
        &["--into-protected"],
        &["--into-protected", "--yes"],
        &["--confirm", "production"],
        &["--confirm", "production", "--yes"],
        &["--into-protected", "--confirm", "staging", "--yes"],
        &["--into-protected", "--confirm", "Production"],
        &["--into-protected", "--confirm", ""],
        &["--into-protected", "--confirm", "y"],
    ] {
        let output = shop.project.xtask_with(&[&restore, more].concat()).fails();
        shop.is_as("production", &before).map_err(|error| format!("{more:?}: {error}\n{output}")).unwrap();
    }
    shop.project.xtask_with(&[&restore, &["--yes"][..]].concat()).fails().says("--into-protected");
}

#[test]
fn a_protected_stage_is_overwritten_when_its_name_is_spelled() {
    let (shop, dump) = shop();
    let staging = shop.contents("staging");
    let confirmed = ["--into-protected", "--confirm", "production"];
    let restore = [&["db", "backup", "restore", "--file", &dump, "--stage", "production"][..], &confirmed].concat();
    shop.project.xtask_with(&restore).success();
    assert_eq!(staging.differences(&shop.contents("production")), NONE);
    let undo = ["db", "backup", "undo", "--stage", "production"];
    let _ = shop.project.xtask_with(&[&undo, &["--yes"][..]].concat()).fails();
    assert_eq!(staging.differences(&shop.contents("production")), NONE);
    shop.project.xtask_with(&[&undo[..], &confirmed].concat()).success();
    assert_eq!(shop.psql("production", "select name from old_things"), "old");
}

#[test]
fn on_a_terminal_the_name_of_a_protected_stage_is_typed() {
    let (shop, dump) = shop();
    let before = shop.before("production");
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "production", "--into-protected"];
    for typed in ["y\r", "yes\r", "\r", "staging\r", "n\r", "Production\r"] {
        answered(&shop, &restore, "Type its name", typed).ends_with(1);
        shop.is_as("production", &before).map_err(|error| format!("{typed:?}: {error}")).unwrap();
    }
    let staging = shop.contents("staging");
    answered(&shop, &restore, "Type its name", "production\r").ends_with(0);
    assert_eq!(staging.differences(&shop.contents("production")), NONE);
}

#[test]
fn any_stage_can_be_protected_and_production_can_be_let_go() {
    let (mut shop, dump) = shop();
    shop.project.other_stage("production", "protected = false");
    shop.project.stage("protected = true");
    let restore =
        |stage: &str| shop.project.xtask_with(&["db", "backup", "restore", "--file", &dump, "--stage", stage, "--yes"]);
    let before = shop.before("staging");
    restore("staging").fails().says("--into-protected");
    shop.is_as("staging", &before).unwrap();
    let _ = restore("production").success();
    assert_eq!(shop.psql("production", "select count(*) from new_things"), "0");
}

#[test]
fn without_a_terminal_nothing_is_overwritten_unless_told_so() {
    let (shop, _) = shop();
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let restore = ["db", "backup", "restore", "--file", dump.to_str().unwrap(), "--stage", "staging"];
    shop.project.xtask_with(&restore).fails().says("--yes");
    shop.is_as("staging", &before).unwrap();
}

/// The prompt of another tool took "n", "no" and the default for a yes.
#[test]
fn only_a_yes_is_a_yes() {
    let (shop, _) = shop();
    let dump = shop.back_up("production");
    let before = shop.before("staging");
    let restore = ["db", "backup", "restore", "--file", dump.to_str().unwrap(), "--stage", "staging"];
    for typed in ["n\r", "no\r", "\r", "nay\r"] {
        answered(&shop, &restore, "[y/N]", typed).ends_with(1);
        shop.is_as("staging", &before).map_err(|error| format!("{typed:?}: {error}")).unwrap();
    }
    answered(&shop, &restore, "[y/N]", "yes\r").ends_with(0);
    assert_eq!(shop.psql("staging", "select name from old_things"), "old");
}

/// A question is about what stands above it.
#[test]
fn what_is_replaced_is_shown_before_the_question() {
    let (shop, dump) = shop();
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "staging"];
    for _ in 0..5 {
        let terminal = Terminal::start(&shop.project.command(&restore), &shop.project.sandbox);
        terminal.wait_for("[y/N]");
        let shown = terminal.shown();
        let asked = shown.find("Replace the database").expect("it asks");
        let told = shown.find("replaces ").unwrap_or_else(|| panic!("it asks before it tells:\n{shown}"));
        assert!(told < asked && shown.matches("[y/N]").count() == 1, "{shown}");
        terminal.type_in("n\r");
        terminal.ends_with(1);
    }
}
