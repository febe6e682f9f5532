//! Where it stands, and its table.

use super::*;

fn registered(toml: &str) -> Tasks {
    let mut tasks = Tasks::default();
    tasks.task(Task::open(flow::RESTART, "Restart the application"));
    recipe(toml).register(&mut tasks);
    tasks
}

#[test]
fn it_is_a_part_of_the_restart() {
    let tasks = registered("");
    assert_eq!(tasks.check(), [""; 0]);
    assert!(tasks.get(&flow::RESTART).unwrap().is_filled() && tasks.get(&RESTART).unwrap().is_filled());
}

#[test]
fn deploy_toml_can_still_fill_the_restart() {
    let mut tasks = registered("");
    tasks.task(Task::script(flow::RESTART, "Mine", Servers::releases(), |_| Script::new()));
    assert_eq!(tasks.check(), [""; 0]);
}

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().recipe::<Passenger>().check().unwrap();
}

#[test]
fn a_wrong_method_is_shown_with_the_nearest() {
    let table = RecipeTable::from_toml("passenger", "method = 'tuch'").unwrap();
    let error = table.read::<Passenger>().unwrap_err().to_string();
    assert!(error.contains("did you mean `touch`?"), "{error}");
}

/// Serde's own list of the keys, against the table at the top.
#[test]
fn the_table_of_settings_is_complete() {
    let error = RecipeTable::from_toml("passenger", "zzz = 1").unwrap().read::<Passenger>().unwrap_err().to_string();
    let (_, known) = error.split_once("known: ").expect("a list of what is known");
    let mut keys: Vec<_> = known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut rows: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, keys);
}
