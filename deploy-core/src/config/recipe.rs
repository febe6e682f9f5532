//! The tables of recipes, which the recipes themselves define.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::diagnostics::{Problem, Problems};
use super::reader::Reader;
use super::source::{Source, Sources, Span};
use super::value::{Convert, Node, Table, Value};
use super::value_de::{self, Deserializer};
use crate::error::{Error, Result};

/// The table of a recipe in one stage, merged from all layers.
#[derive(Clone)]
pub struct RecipeTable {
    name: String,
    node: Node,
    sources: Sources,
    color: bool,
}

impl RecipeTable {
    /// A table from the text below `[recipes.NAME]`, for the tests of a recipe.
    ///
    /// # Errors
    ///
    /// When the text is not TOML.
    pub fn from_toml(name: &str, text: &str) -> Result<RecipeTable> {
        let source = Source { file: Some("deploy.toml".to_owned()), text: text.to_owned() };
        let parsed = DeTable::parse(text).map_err(|error| Error::config(error.message()))?;
        let table = Convert { source: Sources::FILE, offset: 0 }.table(parsed.get_ref());
        let span = Span { source: Sources::FILE, start: 0, end: 0 };
        Ok(RecipeTable {
            name: name.to_owned(),
            node: Node { span, value: Value::Table(table) },
            sources: Sources::new(vec![source]),
            color: false,
        })
    }

    /// The recipe's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table as the recipe's own type. Give it `#[serde(deny_unknown_fields)]`, so that a wrong key is an error.
    ///
    /// # Errors
    ///
    /// What doesn't fit is shown with its place in `deploy.toml`.
    pub fn read<R: DeserializeOwned>(&self) -> Result<R> {
        R::deserialize(Deserializer(&self.node)).map_err(|error| self.explain(error))
    }

    fn explain(&self, error: value_de::Error) -> Error {
        let problems = Problems::new(self.sources.clone());
        problems.add(error.into_problem(&self.name, self.node.span));
        problems.into_error(self.color)
    }
}

impl fmt::Debug for RecipeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecipeTable").field(&self.node.to_toml()).finish()
    }
}

/// Reports recipes that nobody registered.
pub(super) fn check_names(outer: &Reader<'_>, known: &[String]) {
    for (entry, reader) in outer.named_tables("recipes") {
        if !known.contains(&entry.key) {
            let known = known.iter().map(String::as_str);
            outer.problems.add(
                Problem::unknown("recipe", &entry.key, entry.key_span, known)
                    .help("recipes are registered in `xtask/src/main.rs`"),
            );
        }
        reader.boolean("enabled");
    }
}

/// The roles that tables of recipes name by the keys `role` and `roles`.
pub(super) fn named_roles(merged: &Reader<'_>) -> Vec<String> {
    let texts = |node: &Node| match &node.value {
        Value::String(role) => vec![role.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.to_toml().as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let tables = merged.named_tables("recipes");
    let nodes = tables.iter().flat_map(|(_, reader)| ["role", "roles"].map(|key| reader.node(key)));
    nodes.flatten().flat_map(texts).collect()
}

/// The recipes that are on in a stage. `merged` is merged from all layers, `file` from those of the file.
///
/// Variables and flags change a recipe that the file has; they turn on another one by `enabled = true` only.
pub(super) fn read(file: &Table, merged: &Reader<'_>, color: bool) -> BTreeMap<String, RecipeTable> {
    let in_file = |name: &str| file.get("recipes").and_then(|recipes| recipes.as_table()?.get(name)).is_some();
    let mut recipes = BTreeMap::new();
    for (entry, reader) in merged.named_tables("recipes") {
        if !reader.boolean("enabled").unwrap_or_else(|| in_file(&entry.key)) {
            continue;
        }
        let own = reader.table.0.iter().filter(|entry| entry.key != "enabled").cloned().collect();
        let table = RecipeTable {
            name: entry.key.clone(),
            node: Node { span: entry.node.span, value: Value::Table(Table(own)) },
            sources: merged.problems.sources().clone(),
            color,
        };
        recipes.insert(entry.key.clone(), table);
    }
    recipes
}
