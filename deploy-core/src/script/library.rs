//! Shell functions that scripts use: of each library only those that are called travel to a server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The functions of `libraries` that `text` calls, and those that these call, in the libraries' order, without comments and
/// indentation.
///
/// A library is a sequence of functions whose definitions begin with `name() {` at the start of a line; what stands
/// between them is comment.
pub(super) fn needed(libraries: &[&'static str], text: &[u8]) -> Vec<Function> {
    let functions: Vec<Function> = libraries.iter().flat_map(|library| functions(library)).copied().collect();
    let mut wanted = vec![false; functions.len()];
    let text = String::from_utf8_lossy(text);
    let mut open: Vec<&str> = vec![&text];
    while let Some(text) = open.pop() {
        for (function, wanted) in functions.iter().zip(&mut wanted) {
            if !*wanted && mentions(text, function.name) {
                *wanted = true;
                open.push(function.text);
            }
        }
    }
    functions.into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(function, _)| function).collect()
}

/// What the functions of `libraries` are called.
pub(super) fn names(libraries: &[&'static str]) -> Vec<&'static str> {
    libraries.iter().flat_map(|library| functions(library)).map(|function| function.name).collect()
}

/// A shell function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    /// What it is called.
    pub(super) name: &'static str,
    /// Its definition.
    pub(super) text: &'static str,
}

/// The functions of a library. They are read once and kept for good: libraries are few, and programs for hundreds of servers
/// are made of them at a time.
fn functions(library: &'static str) -> &'static [Function] {
    static KNOWN: Mutex<Option<HashMap<&'static str, &'static [Function]>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().entry(library).or_insert_with(|| read(library).leak())
}

fn read(library: &'static str) -> Vec<Function> {
    let mut functions: Vec<(&'static str, String)> = Vec::new();
    for line in library.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let indented = line.starts_with([' ', '}']);
        let line = line.trim_start();
        match line.split_once("() {").filter(|_| !indented) {
            Some((name, _)) => functions.push((name, format!("{line}\n"))),
            None => {
                if let Some((_, text)) = functions.last_mut() {
                    text.extend([line, "\n"]);
                }
            }
        }
    }
    functions.into_iter().map(|(name, text)| Function { name, text: text.leak() }).collect()
}

/// Whether `text` has `name` as a word.
fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "# one\none() { two; }\n# two calls nothing\ntwo() {\n  : # here\n}\nthree() { one; }\n";

    fn texts(caller: &[u8]) -> String {
        needed(&[LIBRARY], caller).into_iter().map(|function| function.text).collect()
    }

    #[test]
    fn only_what_is_called_is_taken() {
        assert_eq!(texts(b"echo one_more; two x"), "two() {\n: # here\n}\n");
        assert_eq!(texts(b"none"), "");
    }

    #[test]
    fn what_is_called_takes_what_it_calls() {
        assert_eq!(texts(b"one"), "one() { two; }\ntwo() {\n: # here\n}\n");
    }
}
