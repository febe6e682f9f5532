//! What reads settings has at hand, and what all of it reads in one way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::diagnostics::{Problem, Problems};
use super::expand::Names;
use super::reader::{Reader, Text};
use super::request::LoadRequest;
use super::value::Node;
use super::{names, paths};

/// Reads settings from a table that is merged from all layers, or from one layer alone to check its values.
pub(super) struct SettingsReader<'a> {
    pub(super) request: &'a LoadRequest,
    /// The project root, where relative paths of this machine start.
    pub(super) root: &'a Path,
    pub(super) names: Names<'a>,
    pub(super) reader: Reader<'a>,
}

impl<'a> SettingsReader<'a> {
    pub(super) fn problems(&self) -> &'a Problems {
        self.reader.problems
    }

    pub(super) fn expand(&self, text: &Text) -> Option<String> {
        self.names.expand(text, self.problems()).map(|text| text.text)
    }

    /// A path with its names expanded.
    pub(super) fn path(&self, key: &str) -> Option<Text> {
        self.reader.line(key).and_then(|text| self.names.expand(&text, self.problems()))
    }

    pub(super) fn relative(&self, key: &str, path: &Text) -> Option<String> {
        paths::relative(key, path, self.problems()).map(|path| path.text)
    }

    /// A file of this machine: `~/` is the user's home, a relative path starts at the project root.
    pub(super) fn local_file(&self, text: &Text) -> Option<PathBuf> {
        let path = self.expand(text)?;
        let Some(rest) = path.strip_prefix("~/") else { return Some(self.root.join(path)) };
        let home = self.request.variable("HOME").filter(|home| !home.is_empty());
        if home.is_none() {
            self.problems().add(Problem::new("`~` can't be expanded").at(text.span, "the variable `HOME` is not set"));
        }
        home.map(|home| Path::new(home).join(rest))
    }
}

/// A table of environment variables.
pub(super) fn read_env(reader: &Reader<'_>, key: &str) -> BTreeMap<String, String> {
    let Some(reader) = reader.table(key) else { return BTreeMap::new() };
    let mut variables = BTreeMap::new();
    for entry in &reader.table.0 {
        if !names::is_variable(&entry.key) {
            reader.problems.add(
                Problem::new(format!("`{}` can't be the name of an environment variable", entry.key))
                    .at(entry.key_span, "expected letters, digits and `_`, not beginning with a digit"),
            );
        }
        if let Some(value) = env_value(&reader, &entry.key, &entry.node) {
            variables.insert(entry.key.clone(), value);
        }
    }
    variables
}

fn env_value(reader: &Reader<'_>, name: &str, node: &Node) -> Option<String> {
    let value = reader.string(name)?;
    if value.contains('\0') {
        reader
            .problems
            .add(Problem::new(format!("NUL character in `{name}`")).at(node.span, "no variable can hold it"));
        return None;
    }
    Some(value.text)
}
