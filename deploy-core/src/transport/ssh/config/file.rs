//! Our own reading of ssh_config files, for machines without `ssh`.
//!
//! It knows `Host`, `Include`, `Match all`, and that the first value of a setting wins. A block of any other `Match` is
//! left out, with a warning: its conditions are `ssh`'s business.

use std::fs;
use std::path::{Path, PathBuf};

use crate::transport::ssh::trust::known_hosts::{glob_matches, pattern_list_matches};

/// How deep files may include each other, as in `ssh`.
const MAX_DEPTH: usize = 16;

/// The settings of one host, in the order of their precedence, keys in lower case: the form of `ssh -G`.
pub(crate) struct Reading<'a> {
    host: &'a str,
    home: &'a Path,
    /// Keys, and the words of their values. Of a key that occurs twice the first counts, but all identity and certificate files do.
    pub(crate) values: Vec<(String, Vec<String>)>,
    /// What could not be taken into account.
    pub(crate) warnings: Vec<String>,
}

impl<'a> Reading<'a> {
    /// Nothing read yet, for the host that the user calls `host`.
    pub(crate) fn new(host: &'a str, home: &'a Path) -> Reading<'a> {
        Reading { host, home, values: Vec::new(), warnings: Vec::new() }
    }

    /// Reads `file`, whose relative includes start at `folder`. A file that doesn't exist is empty.
    pub(crate) fn read(&mut self, file: &Path, folder: &Path) {
        self.read_nested(file, folder, 0, &mut true);
    }

    fn read_nested(&mut self, file: &Path, folder: &Path, depth: usize, active: &mut bool) {
        let Ok(text) = fs::read_to_string(file) else { return };
        for (index, line) in text.lines().enumerate() {
            let words = words(line);
            let Some((key, arguments)) = words.split_first() else { continue };
            match key.to_lowercase().as_str() {
                "host" => *active = pattern_list_matches(arguments.iter().map(String::as_str), self.host),
                "match" => *active = self.match_applies(arguments, file, index + 1),
                "include" if *active && depth < MAX_DEPTH => self.include(arguments, folder, depth),
                "include" => {}
                key if *active => self.set(key, arguments.to_vec()),
                _ => {}
            }
        }
    }

    fn match_applies(&mut self, arguments: &[String], file: &Path, line: usize) -> bool {
        let applies = matches!(arguments, [word] if word.eq_ignore_ascii_case("all"));
        if !applies {
            let place = format!("{}:{line}", file.display());
            self.warnings
                .push(format!("{place}: `Match` needs `ssh -G`, which doesn't work here; its block is skipped"));
        }
        applies
    }

    fn include(&mut self, patterns: &[String], folder: &Path, depth: usize) {
        for pattern in patterns {
            for file in matching_files(&self.absolute(pattern, folder)) {
                // Conditions inside an included file end with it.
                self.read_nested(&file, folder, depth + 1, &mut true);
            }
        }
    }

    fn absolute(&self, pattern: &str, folder: &Path) -> PathBuf {
        match pattern.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => folder.join(pattern),
        }
    }

    fn set(&mut self, key: &str, value: Vec<String>) {
        let cumulative = matches!(key, "identityfile" | "certificatefile");
        if cumulative || !self.values.iter().any(|(known, _)| known == key) {
            self.values.push((key.to_owned(), value));
        }
    }
}

/// The files that `pattern` names: wildcards may stand in its last component.
fn matching_files(pattern: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return vec![pattern.to_owned()];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let matches = |path: &PathBuf| {
        let own = path.file_name().and_then(|own| own.to_str()).unwrap_or_default();
        !own.starts_with('.') && glob_matches(name.as_bytes(), own.as_bytes())
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(matches).collect();
    files.sort();
    files
}

/// Keywords whose value is a command: all the rest of the line, as it is.
const COMMANDS: [&str; 4] = ["knownhostscommand", "localcommand", "proxycommand", "remotecommand"];

/// The words of a line: `Key value`, `Key=value`, `Key "a value" # comment`.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Vec::new();
    }
    let (key, rest) = match line.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        Some((key, rest)) => (key, rest),
        None => line.split_at(line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len())),
    };
    if key.is_empty() {
        return Vec::new();
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let values = if COMMANDS.contains(&key.to_lowercase().as_str()) { vec![rest.to_owned()] } else { arguments(rest) };
    std::iter::once(key.to_owned()).chain(values).collect()
}

/// The words of `text` as OpenSSH takes them apart: quotes of both kinds, wherever they stand; a backslash before a quote, a
/// backslash or a blank; and a comment at a word's beginning.
fn arguments(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '#' if word.is_none() => break,
            c if quote.is_none() && c.is_whitespace() => words.extend(word.take()),
            '\\' if rest
                .peek()
                .is_some_and(|next| matches!(next, '"' | '\'' | '\\') || (quote.is_none() && *next == ' ')) =>
            {
                word.get_or_insert_default().extend(rest.next());
            }
            '"' | '\'' if quote.is_none_or(|open| open == c) => {
                quote = if quote.is_none() { Some(c) } else { None };
                word.get_or_insert_default();
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `files` (name and content, the first one is read) say about `host`, as `key value` lines and warnings.
    fn read(files: &[(&str, &str)], host: &str) -> (Vec<String>, Vec<String>) {
        let home = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let mut reading = Reading::new(host, home.path());
        reading.read(&home.path().join(files[0].0), home.path());
        let home = home.path().display().to_string();
        let warnings = reading.warnings.iter().map(|warning| warning.replace(&home, "HOME")).collect();
        (reading.values.iter().map(|(key, words)| format!("{key} {}", words.join("|"))).collect(), warnings)
    }

    fn values(content: &str, host: &str) -> Vec<String> {
        read(&[("config", content)], host).0
    }

    #[test]
    fn the_first_value_wins_and_identity_files_add_up() {
        let config = "Host app\n  Port 1\n  IdentityFile a\nHost *\n  Port 2\n  IdentityFile b\n  User deploy\n";
        assert_eq!(values(config, "app"), ["port 1", "identityfile a", "identityfile b", "user deploy"]);
        assert_eq!(values(config, "db"), ["port 2", "identityfile b", "user deploy"]);
    }

    #[test]
    fn lines_before_any_host_are_for_every_host() {
        assert_eq!(values("User me\nHost other\nPort 9\n", "app"), ["user me"]);
    }

    #[test]
    fn patterns_have_wildcards_and_exclusions() {
        let config = "Host *.example.com !db.example.com 10.0.0.?\n  Port 7\n";
        assert_eq!(values(config, "app.example.com"), ["port 7"]);
        assert_eq!(values(config, "10.0.0.4"), ["port 7"]);
        assert!(values(config, "db.example.com").is_empty());
        assert!(values(config, "example.com").is_empty());
    }

    #[test]
    fn words_may_be_quoted_joined_by_equals_or_followed_by_a_comment() {
        assert_eq!(
            values("Port=9\nUser = me\nIdentityFile \"a b\" # mine\n# Port 3\n", "app"),
            ["port 9", "user me", "identityfile a b"]
        );
        assert_eq!(values("ProxyCommand nc -x=1 '%h' %p # x\n", "app"), ["proxycommand nc -x=1 '%h' %p # x"]);
        let config = "UserKnownHostsFile a\\ b 'c d' e\"f g\"h \\\"i\nUser a\\b #c\n";
        assert_eq!(values(config, "app"), ["userknownhostsfile a b|c d|ef gh|\"i", "user a\\b"]);
    }

    #[test]
    fn other_files_are_included_by_name_and_wildcard_and_only_where_they_stand() {
        let files = [
            ("config", "Include conf.d/* ~/extra\nHost other\n  Include secret\nHost *\n  User last\n"),
            ("conf.d/10", "Host app\n  Port 10\n"),
            ("conf.d/20", "Host app\n  Port 20\n  HostName real\n"),
            ("conf.d/.hidden", "Port 99\n"),
            ("extra", "User first\n"),
            ("secret", "ForwardAgent yes\n"),
        ];
        assert_eq!(read(&files, "app").0, ["port 10", "hostname real", "user first"]);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        assert_eq!(read(&[("config", "Include config\nPort 1\n")], "app").0, ["port 1"]);
    }

    #[test]
    fn match_all_applies_and_any_other_match_is_skipped_with_a_warning() {
        let config = "Match host app exec true\n  Port 1\nMatch all\n  User me\n";
        let (values, warnings) = read(&[("config", config)], "app");
        assert_eq!(values, ["user me"]);
        assert_eq!(warnings, ["HOME/config:1: `Match` needs `ssh -G`, which doesn't work here; its block is skipped"]);
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut reading = Reading::new("app", home.path());
        reading.read(&home.path().join("none"), home.path());
        assert!(reading.values.is_empty() && reading.warnings.is_empty());
    }
}
