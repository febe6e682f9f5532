//! Deserializes a [`Node`], and remembers where it failed.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{self, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::diagnostics::Problem;
use super::names;
use super::source::Span;
use super::value::{Entry, Node, Value};

/// Reads a node into any type that can be deserialized.
#[derive(Clone, Copy)]
pub(super) struct Deserializer<'de> {
    node: &'de Node,
    texts: Texts,
}

/// What the texts below a node are.
#[derive(Clone, Copy)]
enum Texts {
    /// As everywhere in the configuration: not empty, and one line.
    Lines,
    /// Values of environment variables: anything but NUL.
    Variables,
}

/// Reads the key of an entry.
#[derive(Clone, Copy)]
struct KeyDeserializer<'de> {
    entry: &'de Entry,
    /// What the texts of the table are in which it stands.
    texts: Texts,
}

/// Why a node can't be read as a type, and where.
#[derive(Clone, Debug)]
pub(super) struct Error {
    reason: Reason,
    span: Option<Span>,
}

#[derive(Clone, Debug)]
enum Reason {
    Wrong { what: &'static str, label: String },
    Unknown { what: &'static str, name: String, known: &'static [&'static str] },
    Missing(&'static str),
}

impl Error {
    /// The problem to show for the recipe `recipe`, whose table stands at `table`.
    pub(super) fn into_problem(self, recipe: &str, table: Span) -> Problem {
        let span = self.span.unwrap_or(table);
        match self.reason {
            Reason::Wrong { what, label } => Problem::new(format!("{what} in recipe `{recipe}`")).at(span, label),
            Reason::Unknown { what, name, known } => Problem::unknown(what, &name, span, known.iter().copied()),
            Reason::Missing(key) => Problem::new(format!("recipe `{recipe}` needs the key `{key}`"))
                .at(span, format!("expected `{key} = …` in the table `[recipes.{recipe}]`")),
        }
    }

    /// The place of the innermost value that failed.
    fn at(mut self, span: Span) -> Error {
        self.span.get_or_insert(span);
        self
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Error {
        Error { reason, span: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Wrong { what, label } => write!(f, "{what}: {label}"),
            Reason::Unknown { what, name, .. } => write!(f, "unknown {what} `{name}`"),
            Reason::Missing(key) => write!(f, "missing key `{key}`"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        Reason::Wrong { what: "wrong value", label: message.to_string() }.into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Reason::Wrong { what: "wrong type", label: mismatch(found, expected) }.into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Reason::Wrong { what: "wrong value", label: mismatch(found, expected) }.into()
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Error {
        Reason::Unknown { what: "key", name: name.to_owned(), known }.into()
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Error {
        Reason::Unknown { what: "value", name: name.to_owned(), known }.into()
    }

    fn missing_field(key: &'static str) -> Error {
        Reason::Missing(key).into()
    }
}

/// What was expected and what was found, in the words of TOML instead of those of Rust.
fn mismatch(found: Unexpected<'_>, expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let expected = match expected.as_str() {
        "u8" => "a number from 0 to 255",
        "u16" => "a number from 0 to 65535",
        "u32" | "u64" | "usize" => "a number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "a table",
        name if name.starts_with("a nonzero ") => "a number, 1 or more",
        name if name.starts_with("struct ") => "a table",
        other => other,
    };
    match found {
        Unexpected::Seq => format!("expected {expected}, found an array"),
        Unexpected::Map => format!("expected {expected}, found a table"),
        _ => format!("expected {expected}, found {found}"),
    }
}

impl<'de> Deserializer<'de> {
    /// Reads what stands at `node`.
    pub(super) fn new(node: &'de Node) -> Deserializer<'de> {
        Deserializer { node, texts: Texts::Lines }
    }

    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::String(text) => {
                self.texts.check(text)?;
                visitor.visit_borrowed_str(text)
            }
            Value::Integer(Some(number)) => visitor.visit_i64(*number),
            Value::Integer(None) => Err(de::Error::custom("the number is too large")),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(yes) => visitor.visit_bool(*yes),
            Value::Datetime(_) => Err(de::Error::invalid_type(Unexpected::Other(self.node.type_name()), &visitor)),
            Value::Array(items) => visit_array(items, self.texts, visitor),
            Value::Table(table) => visitor.visit_map(entries(&table.0, self.texts)),
        }
    }
}

impl Texts {
    /// What the texts of an entry called `key` are: those of a table `env` are variables.
    fn below(self, key: &str) -> Texts {
        if key == "env" { Texts::Variables } else { self }
    }

    /// Refuses a key that the core's own tables of variables refuse too.
    fn check_key(self, key: &str) -> Result<(), Error> {
        match self {
            Texts::Variables if !names::is_variable(key) => Err(de::Error::custom(
                "no variable can be called so: expected letters, digits and `_`, not beginning with a digit",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses what the core's own settings refuse too.
    fn check(self, text: &str) -> Result<(), Error> {
        let label = match self {
            _ if text.contains('\0') => "no program can be given a NUL character",
            Texts::Lines if text.trim().is_empty() => "expected a text that is not empty",
            Texts::Lines if text.contains(char::is_control) => "expected one line of plain text",
            _ => return Ok(()),
        };
        Err(de::Error::custom(label))
    }
}

fn visit_array<'de, V: Visitor<'de>>(items: &'de [Node], texts: Texts, visitor: V) -> Result<V::Value, Error> {
    let mut items = SeqDeserializer::new(items.iter().map(|node| Deserializer { node, texts }));
    let value = visitor.visit_seq(&mut items)?;
    items.end()?;
    Ok(value)
}

fn entries<'de>(
    entries: &'de [Entry],
    texts: Texts,
) -> MapDeserializer<'de, impl Iterator<Item = (KeyDeserializer<'de>, Deserializer<'de>)>, Error> {
    let value = move |entry: &'de Entry| Deserializer { node: &entry.node, texts: texts.below(&entry.key) };
    MapDeserializer::new(entries.iter().map(move |entry| (KeyDeserializer { entry, texts }, value(entry))))
}

impl<'de> de::Deserializer<'de> for Deserializer<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit(visitor).map_err(|error| error.at(self.node.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self).map_err(|error: Error| error.at(self.node.span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error: Error| error.at(self.node.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let value = match &self.node.value {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Table(table) => visitor.visit_enum(MapAccessDeserializer::new(entries(&table.0, self.texts))),
            _ => self.visit(visitor),
        };
        value.map_err(|error: Error| error.at(self.node.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Deserializer<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for KeyDeserializer<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let KeyDeserializer { entry, texts } = self;
        let key = texts.check_key(&entry.key).and_then(|()| visitor.visit_borrowed_str(&entry.key));
        key.map_err(|error: Error| error.at(entry.key_span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = self.entry.key.as_str().into_deserializer();
        visitor.visit_enum(name).map_err(|error: Error| error.at(self.entry.key_span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for KeyDeserializer<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
