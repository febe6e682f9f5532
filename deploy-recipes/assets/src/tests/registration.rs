//! Where the tasks stand, and which settings are refused.

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
    let wrong = |toml: &str| RecipeTable::from_toml("assets", toml).unwrap().read::<Assets>().unwrap_err().to_string();
    assert!(wrong("preset = 'yarn'").contains("`rails`"), "{}", wrong("preset = 'yarn'"));
    assert!(wrong("build_on = 'laptop'").contains("`controller`"));
    assert!(wrong("input = []").contains("did you mean `inputs`?"));
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
}

/// Serde's own list of the keys, against the table at the top.
#[test]
fn the_table_of_settings_is_complete() {
    let error = RecipeTable::from_toml("assets", "zzz = 1").unwrap().read::<Assets>().unwrap_err().to_string();
    let (_, known) = error.split_once("known: ").expect("a list of what is known");
    let mut keys: Vec<_> = known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut rows: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, keys);
}
