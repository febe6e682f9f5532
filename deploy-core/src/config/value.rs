//! TOML values that know where they are written.
//!
//! `toml`'s own spanned values borrow from one text. A configuration is merged from several (the file, variables, flags),
//! so each value here carries a [`Span`] that says which.

use toml::de::{DeArray, DeTable, DeValue};
use toml::value::Datetime;

use super::source::Span;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    /// `None` for a number that doesn't fit in 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    Datetime(Datetime),
    Array(Vec<Node>),
    Table(Table),
}

/// A table in the order in which it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The type with its article, for "expected …, found …".
    pub(super) fn type_name(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date or time",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// The same value without places.
    pub(super) fn to_toml(&self) -> toml::Value {
        match &self.value {
            Value::String(text) => toml::Value::String(text.clone()),
            Value::Integer(number) => toml::Value::Integer(number.unwrap_or_default()),
            Value::Float(number) => toml::Value::Float(*number),
            Value::Boolean(yes) => toml::Value::Boolean(*yes),
            Value::Datetime(datetime) => toml::Value::Datetime(*datetime),
            Value::Array(items) => toml::Value::Array(items.iter().map(Node::to_toml).collect()),
            Value::Table(table) => toml::Value::Table(table.to_toml()),
        }
    }
}

impl Table {
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.key.as_str())
    }

    /// The entries whose key is in `keys`.
    pub(super) fn only(&self, keys: &[&str]) -> Table {
        Table(self.0.iter().filter(|entry| keys.contains(&entry.key.as_str())).cloned().collect())
    }

    /// Takes the entries whose key is in `keys` out of the table `key`.
    pub(super) fn forget(&mut self, key: &str, keys: &[&str]) {
        let entry = self.0.iter_mut().find(|entry| entry.key == key);
        if let Some(Value::Table(table)) = entry.map(|entry| &mut entry.node.value) {
            table.0.retain(|entry| !keys.contains(&entry.key.as_str()));
        }
    }

    /// Lays `upper` over this table: tables merge key by key, everything else is replaced.
    pub(super) fn merge(&mut self, upper: &Table) {
        for entry in &upper.0 {
            match self.0.iter_mut().find(|own| own.key == entry.key) {
                Some(own) => own.merge(entry),
                None => self.0.push(entry.clone()),
            }
        }
    }

    /// The same table without places.
    pub(super) fn to_toml(&self) -> toml::Table {
        self.0.iter().map(|entry| (entry.key.clone(), entry.node.to_toml())).collect()
    }
}

impl Entry {
    fn merge(&mut self, upper: &Entry) {
        match (&mut self.node.value, &upper.node.value) {
            (Value::Table(own), Value::Table(over)) => own.merge(over),
            _ => *self = upper.clone(),
        }
    }
}

/// Turns what `toml` parsed into values of our own. The parsed text stands at byte `offset` of source `source`.
pub(super) struct Convert {
    pub(super) source: usize,
    pub(super) offset: usize,
}

impl Convert {
    pub(super) fn table(&self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_span: self.span(key.span()),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span);
        Table(entries)
    }

    pub(super) fn node(&self, value: &toml::Spanned<DeValue<'_>>) -> Node {
        Node { span: self.span(value.span()), value: self.value(value.get_ref()) }
    }

    pub(super) fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span { source: self.source, start: self.offset + range.start, end: self.offset + range.end }
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
            // A float that is too large reads as infinite: no setting takes one.
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
            DeValue::Boolean(yes) => Value::Boolean(*yes),
            DeValue::Datetime(datetime) => Value::Datetime(*datetime),
            DeValue::Array(items) => Value::Array(self.array(items)),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }

    fn array(&self, items: &DeArray<'_>) -> Vec<Node> {
        items.iter().map(|item| self.node(item)).collect()
    }
}
