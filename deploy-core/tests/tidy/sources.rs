//! The workspace's files, and Rust code without what isn't code.

use std::path::{Path, PathBuf};

/// A file of the workspace.
pub(crate) struct Source {
    /// Below the workspace's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("deploy-core stands in the workspace").to_owned()
}

/// The file at `path`, below the workspace's root.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// The text files of the workspace, other than those that are made.
pub(crate) fn all() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    files.sort();
    assert!(files.len() > 100, "found {} files only", files.len());
    let source = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).ok()?;
        let path = file.strip_prefix(root()).ok()?.components();
        let path = path.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        Some(Source { path, text })
    };
    files.into_iter().filter_map(source).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let made = |name: &str| matches!(name, "target" | "backups" | ".git" | "Cargo.lock");
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let kind = entry.file_type().expect("a kind of file");
        match entry.path() {
            _ if made(&entry.file_name().to_string_lossy()) => {}
            path if kind.is_dir() => collect(&path, files),
            path if kind.is_file() => files.push(path),
            _ => {}
        }
    }
}

/// Rust files.
pub(crate) fn rust() -> impl Iterator<Item = Source> {
    all().into_iter().filter(|source| source.path.ends_with(".rs"))
}

/// Rust files that end up in the tool, without their tests.
pub(crate) fn shipped() -> impl Iterator<Item = Source> {
    rust().filter(Source::is_shipped)
}

impl Source {
    fn is_shipped(&self) -> bool {
        let in_crate = self.path.starts_with("xtask/")
            || self.path.starts_with("deploy-core/src/")
            || (self.path.starts_with("deploy-recipes/") && self.path.contains("/src/"));
        let is_test = self.path.split('/').any(|part| {
            let name = part.strip_suffix(".rs").unwrap_or(part);
            matches!(name, "tests" | "testing") || name.ends_with("_tests")
        });
        in_crate && (!is_test || self.is_kit())
    }

    /// The kit for the tests of recipes ships, to those who write some.
    fn is_kit(&self) -> bool {
        self.path.starts_with("deploy-core/src/testing/") && !self.path.ends_with("/tests.rs")
    }

    /// The code alone: comments, the contents of strings and the unit tests at the end are blank. Lines stay lines.
    pub(crate) fn code(&self) -> String {
        let code = without_comments_and_strings(&self.text);
        match code.find("#[cfg(test)]\nmod tests {") {
            Some(tests) => code[..tests].to_owned(),
            None => code,
        }
    }

    /// Where `word` stands in the code as a word of its own, as `path:line`.
    pub(crate) fn places(&self, word: &str) -> Vec<String> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let has = |line: &str| {
            line.match_indices(word)
                .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part))
        };
        let code = self.code();
        let lines = code.lines().enumerate().filter(|(_, line)| has(line));
        lines.map(|(number, _)| format!("{}:{}", self.path, number + 1)).collect()
    }
}

fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = at + length(&chars[at..], at.checked_sub(1).map(|before| chars[before]));
        match end - at {
            1 => code.push(chars[at]),
            _ => code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' })),
        }
        at = end;
    }
    code
}

/// How many characters the comment, string or character at the start of `rest` has; one for any other character.
fn length(rest: &[char], before: Option<char>) -> usize {
    let until = |end: &str, from: usize| {
        let end: Vec<char> = end.chars().collect();
        (from..rest.len()).find(|at| rest[*at..].starts_with(&end)).map_or(rest.len(), |at| at + end.len())
    };
    match rest {
        ['/', '/', ..] => until("\n", 2) - 1,
        ['/', '*', ..] => until("*/", 2),
        ['r', '"' | '#', ..] if !before.is_some_and(|c| c.is_alphanumeric() && c != 'b') => raw_string(rest, until),
        ['"', ..] => quoted(rest),
        ['\'', '\\', ..] => until("'", 3),
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

fn raw_string(rest: &[char], until: impl Fn(&str, usize) -> usize) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    match rest.get(1 + hashes) {
        Some('"') => until(&format!("\"{}", "#".repeat(hashes)), hashes + 2),
        _ => 1,
    }
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

#[test]
fn only_code_is_taken_for_code() {
    let text = "a // b\n\"c \\\" d\" e '\"' f r#\"g \" h\"# i /* j\n */ k 'l m";
    let words = without_comments_and_strings(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words, "a e f i k 'l m");
}
