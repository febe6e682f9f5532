//! Where the tasks stand, and which settings are refused.

use deploy_core::testing::{Site as Kit, check_table, refusal};

use super::*;

#[test]
fn the_tasks_have_capistranos_places() {
    let mut tasks = Tasks::default();
    for id in [flow::STARTING, flow::UPDATED, flow::REVERTED, flow::PUBLISHING, flow::FINISHING, flow::FAILED] {
        tasks.task(Task::group(id, "A task of the flows", []));
    }
    recipe("keep_assets = 2").register(&mut tasks);
    assert_eq!(tasks.check(), [""; 0]);
    assert_eq!(tasks.before(&flow::STARTING), [SET_SHARED_ASSETS]);
    assert_eq!(tasks.after(&flow::UPDATED), [COMPILE_ASSETS, NORMALIZE_ASSETS]);
    assert_eq!(tasks.after(&COMPILE_ASSETS), [BACKUP_MANIFEST]);
    assert_eq!(tasks.after(&flow::REVERTED), [ROLLBACK_ASSETS]);
    assert_eq!(tasks.after(&BACKUP_MANIFEST), [HOLD_MANIFEST]);
    assert_eq!(tasks.after(&ROLLBACK_ASSETS), [HOLD_MANIFEST]);
    assert_eq!(tasks.before(&flow::PUBLISHING), [PUBLISH_MANIFEST]);
    assert_eq!(tasks.after(&flow::FAILED), [RESTORE_MANIFEST]);
    assert_eq!(tasks.after(&flow::FINISHING), [CLEANUP_ASSETS], "not before the new release is live");
}

#[test]
fn nothing_is_cleaned_up_unless_asked_for() {
    let mut tasks = Tasks::default();
    Assets::default().register(&mut tasks);
    assert_eq!(tasks.after(&flow::FINISHING), []);
}

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().recipe::<Assets>().check().unwrap();
}

#[test]
fn a_wrong_value_is_shown_with_those_that_are_known() {
    for (wrong, known) in [
        ("preset = 'yarn'", "`rails`"),
        ("build_on = 'laptop'", "`controller`"),
        ("input = []", "did you mean `inputs`?"),
    ] {
        assert!(refusal::<Assets>(wrong).contains(known), "{}", refusal::<Assets>(wrong));
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let refused = |toml: &str, linked: &[&str]| {
        let linked: Vec<_> = linked.iter().map(|dir| (*dir).to_owned()).collect();
        recipe(toml).refuse(&linked).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refused("", &["log", "public/assets"]), "");
    assert_eq!(refused("", &["public"]), "");
    assert_eq!(refused("preset = 'npm'", &["log", "distance"]), "");
    assert!(refused("", &["public/assets/img"]).contains("`public/assets/img` lies inside of `public/assets`"));
    assert!(refused("preset = 'npm'\noutput = ['public/build']", &["public"]).contains("linked folder `public`"));
    assert!(refused("preset = 'npm'", &["dist"]).contains("each release has its own output"));
    assert!(refused("preset = 'npm'\nkeep_assets = 2", &[]).contains("`keep_assets` means nothing"));
    assert!(refused("preset = 'npm'\nskip_unchanged = true", &[]).contains("inputs = ["));
    assert!(refused("prefixes = []", &[]).contains("no folder"));
    let packages = &["log", "node_modules"];
    assert_eq!(refused("", packages), "");
    assert_eq!(refused("preset = 'npm'\ncommands = ['npm install']", packages), "");
    for toml in ["preset = 'npm'", "commands = ['cd web && npm ci']"] {
        assert!(refused(toml, packages).contains("`npm ci` empties it first"), "{toml}");
    }
}

#[test]
fn what_is_compiled_is_shared_unless_all_of_public_is() {
    let shared = |top: &str| {
        let site = Kit::new(Xtask::new().recipe::<Assets>(), &format!("{top}\n[recipes.assets]"));
        let script = site.script("deploy:symlink:linked_dirs", "app1");
        let has = |link: &str| script.lines().filter(|line| *line == format!("link_shared {link}")).count();
        (has("'' public"), has("public assets"))
    };
    assert_eq!(shared(""), (0, 1));
    assert_eq!(shared("linked_dirs = ['public/assets']"), (0, 1));
    assert_eq!(shared("linked_dirs = ['public']"), (1, 0));
}

#[test]
fn the_table_of_settings_is_complete() {
    check_table::<Assets>(include_str!("../lib.rs"));
}
