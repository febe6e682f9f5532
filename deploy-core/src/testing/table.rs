//! The table of a recipe's settings, and what is wrong with one.

use crate::config::RecipeTable;
use crate::registry::Recipe;

/// What the user reads of `table`, the text below `[recipes.NAME]`, when something in it is wrong.
///
/// # Panics
///
/// When nothing is.
pub fn refusal<R: Recipe>(table: &str) -> String {
    let read = RecipeTable::from_toml(R::NAME, table).and_then(|table| table.read::<R>());
    match read {
        Ok(_) => panic!("nothing is wrong with `{table}`"),
        Err(error) => error.to_string(),
    }
}

/// Fails unless the documentation in `source`, the text of the recipe's `lib.rs`, has a table of its settings: a
/// row for each, and no other. Its first column is headed `key`, and has the keys in backticks.
///
/// The recipe's type needs `#[serde(deny_unknown_fields)]`: the list of its keys is Serde's own.
pub fn check_table<R: Recipe>(source: &str) {
    let refusal = refusal::<R>("there_is_no_such_key = 1");
    let (_, known) = refusal.split_once("known: ").expect("a list of what is known");
    let mut keys: Vec<_> = known.lines().next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
    let table = source.lines().skip_while(|line| !line.starts_with("//! | key |")).take_while(|line| line.len() > 3);
    let mut rows: Vec<_> = table.filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, keys, "the table of settings, and the keys that there are");
}
