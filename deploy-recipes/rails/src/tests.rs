use std::path::Path;

use deploy_core::config::RecipeTable;

use super::*;

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().bundle::<Rails>().check().unwrap();
}

#[test]
fn its_recipes_may_be_there_already() {
    Xtask::new().recipe::<Passenger>().bundle::<Rails>().recipe::<Bundler>().check().unwrap();
}

/// Serde's own list of the keys, against the table at the top.
#[test]
fn the_table_of_settings_is_complete() {
    let error = RecipeTable::from_toml("rails", "zzz = 1").unwrap().read::<Rails>().unwrap_err().to_string();
    let (_, known) = error.split_once("known: ").expect("a list of what is known");
    let mut keys: Vec<_> = known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut rows: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, keys);
}
