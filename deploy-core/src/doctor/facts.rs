//! What a server said about itself.

use std::collections::BTreeMap;

/// The facts of one server, by name. What could not be found out is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts(BTreeMap<String, String>);

impl Facts {
    pub(super) fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// The fact `name`, without blanks around it; `None` if it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether the fact `name` was told, be it empty.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The lines of the fact `name`.
    pub(super) fn lines(&self, name: &str) -> Vec<&str> {
        self.get(name).map(|value| value.lines().collect()).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    #[cfg(test)]
    pub(super) fn of(facts: &[(&str, &str)]) -> Facts {
        Facts(facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}
