//! The tables of recipes, which the recipes themselves define.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Unexpected, Visitor};
use toml::de::DeTable;

use super::diagnostics::{Problem, Problems};
use super::reader::{Reader, parse_duration};
use super::source::{Source, Sources, Span};
use super::value::{Convert, Entry, Node, Table, Value};
use super::value_de;
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

    /// The table as it is written.
    pub(super) fn to_toml(&self) -> toml::Table {
        match self.node.to_toml() {
            toml::Value::Table(table) => table,
            _ => toml::Table::new(),
        }
    }

    /// The table as the recipe's own type. Give it `#[serde(deny_unknown_fields)]`, so that a wrong key is an error.
    ///
    /// # Errors
    ///
    /// What doesn't fit is shown with its place in `deploy.toml`.
    pub fn read<R: DeserializeOwned>(&self) -> Result<R> {
        R::deserialize(value_de::Deserializer::new(&self.node)).map_err(|error| self.explain(error))
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
pub(super) fn read(
    file: &Table,
    merged: &Reader<'_>,
    bundles: &BTreeMap<String, Vec<String>>,
    color: bool,
) -> BTreeMap<String, RecipeTable> {
    let written = Written { file, tables: merged.named_tables("recipes"), bundles };
    let on = written.names().into_iter().filter(|name| written.is_on(name));
    let read = |name: &String| {
        let (span, table) = written.table(name)?;
        let node = Node { span, value: Value::Table(table) };
        Some(RecipeTable { name: name.clone(), node, sources: merged.problems.sources().clone(), color })
    };
    on.filter_map(|name| Some((name.clone(), read(name)?))).collect()
}

/// What is written about recipes.
struct Written<'a> {
    file: &'a Table,
    tables: Vec<(&'a Entry, Reader<'a>)>,
    bundles: &'a BTreeMap<String, Vec<String>>,
}

impl<'a> Written<'a> {
    /// The recipes that have a table, and those that bundles with a table turn on.
    fn names(&self) -> BTreeSet<&'a String> {
        let own = self.tables.iter().map(|(entry, _)| &entry.key);
        own.clone().chain(own.filter_map(|name| self.bundles.get(name)).flatten()).collect()
    }

    /// Whether the recipe's own table says so, or the table of a bundle that has it.
    fn is_on(&self, name: &str) -> bool {
        let own = self.find(name).and_then(|(_, reader)| reader.boolean("enabled"));
        own.unwrap_or_else(|| self.is_in_file(name) || self.bundle_of(name).is_some())
    }

    /// The bundle that turns the recipe `name` on.
    fn bundle_of(&self, name: &str) -> Option<&(&'a Entry, Reader<'a>)> {
        let has = |bundle: &str| self.bundles.get(bundle).is_some_and(|members| members.iter().any(|own| own == name));
        self.tables.iter().find(|(entry, _)| has(&entry.key) && self.is_on(&entry.key))
    }

    fn is_in_file(&self, name: &str) -> bool {
        self.file.get("recipes").and_then(|recipes| recipes.as_table()?.get(name)).is_some()
    }

    fn find(&self, name: &str) -> Option<&(&'a Entry, Reader<'a>)> {
        self.tables.iter().find(|(entry, _)| entry.key == name)
    }

    /// What the recipe is told, and where: without a table of its own, nothing, at the table of its bundle.
    fn table(&self, name: &str) -> Option<(Span, Table)> {
        if let Some((entry, reader)) = self.find(name) {
            let own = reader.table.0.iter().filter(|entry| entry.key != "enabled").cloned().collect();
            return Some((entry.node.span, Table(own)));
        }
        self.bundle_of(name).map(|(entry, _)| (entry.node.span, Table::default()))
    }
}

/// Reads a number of things of which there must be at least one, for `#[serde(deserialize_with = "…")]`.
///
/// # Errors
///
/// When it is zero, or no number.
pub fn at_least_one<'de, D: de::Deserializer<'de>>(deserializer: D) -> std::result::Result<usize, D::Error> {
    std::num::NonZeroUsize::deserialize(deserializer).map(std::num::NonZeroUsize::get)
}

/// A time in the table of a recipe: a number of seconds, or a text such as `"10s"`, `"5m"` or `"500ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl Time {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> std::result::Result<Time, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds, or a text such as \"10s\", \"5m\" or \"500ms\"")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> std::result::Result<Time, E> {
        let seconds = u64::try_from(seconds).map_err(|_| E::invalid_value(Unexpected::Signed(seconds), &self))?;
        Ok(Time::seconds(seconds))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Time, E> {
        parse_duration(text).map(Time).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}
