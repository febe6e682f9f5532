//! What git is called with: no word of a server, a repository or the configuration may be taken for an option.
//!
//! A word that isn't written here stands behind `--`, is glued to what is written here (`refs/heads/$name`), or comes by
//! standard input. `--end-of-options` is too new: git 1.8.5 is enough.

use crate::none;
use crate::sources;

/// The commands of git that we call.
const COMMANDS: [&str; 18] = [
    "archive",
    "cat-file",
    "check-ref-format",
    "config",
    "fetch",
    "for-each-ref",
    "fsck",
    "gc",
    "grep",
    "hash-object",
    "index-pack",
    "init",
    "log",
    "ls-remote",
    "ls-tree",
    "pack-objects",
    "rev-list",
    "update-ref",
];

/// Words that are no literals and may stand where options do, each for a reason.
const KNOWN: [(&str, &str); 9] = [
    ("\"$commit\"", "an id: `take_commit` sets it"),
    ("\"$tree\"", "begins with `$commit`"),
    ("$unshallow", "an option of ours, or nothing"),
    ("$init", "an option of ours, or nothing"),
    ("format", "begins with `--object-format=`"),
    ("WAYS", "a pattern of ours"),
    ("\"$@\"", "`assets_git` is called with options of ours, or `ask_repository` behind `--`"),
    ("output", "begins with `--output=`"),
    ("base", "the absolute path of a folder that was just made"),
];

fn is_known(word: &str) -> bool {
    KNOWN.iter().any(|(known, _)| word == *known)
}

/// The words of a shell command that begins with `git`, as far as it goes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (None, '|' | ';' | '&' | ')' | '<' | '>' | '\n') => break,
            (None, ' ') => words.push(String::new()),
            (None, '"' | '\'') => {
                quote = Some(c);
                words.last_mut().expect("there is one").push(c);
            }
            (Some(open), _) => {
                if c == open {
                    quote = None;
                }
                words.last_mut().expect("there is one").push(c);
            }
            (None, _) => words.last_mut().expect("there is one").push(c),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// The words of a shell command that git might take for options.
fn loose(command: &str) -> Vec<String> {
    let words = words(command);
    let Some(at) = words.iter().position(|word| COMMANDS.contains(&word.as_str())) else { return Vec::new() };
    // Of `config`, what stands behind the name is a value.
    let end = if words[at] == "config" { at + 2 } else { words.len() };
    let before = words[at + 1..end.min(words.len())].iter().take_while(|word| *word != "--");
    let is_loose = |word: &&String| {
        let bare = word.trim_start_matches('"');
        (bare.starts_with('$') || bare.starts_with("{}")) && !is_known(word)
    };
    before.filter(is_loose).cloned().collect()
}

/// The shell commands that begin with `git` in shell text, however it is quoted in Rust.
fn calls(text: &str) -> Vec<String> {
    let plain = text.replace("\\\"", "\"");
    let is_start = |at: usize| plain[..at].ends_with([' ', '\n', '(', '"', '{', ';', '\t']);
    plain.match_indices("git ").filter(|(at, _)| is_start(*at)).map(|(at, _)| plain[at..].to_owned()).collect()
}

#[test]
fn shell_hands_git_no_word_that_may_be_an_option() {
    let mut problems = Vec::new();
    let mut seen = 0;
    for source in sources::all().into_iter().filter(|source| source.path.contains("/src/")) {
        let is_shell = source.path.ends_with(".sh");
        let is_rust = source.path.ends_with(".rs") && source.text.contains("sh!(");
        if !is_shell && !is_rust || source.path.starts_with("tests/") || source.path.ends_with("tests.rs") {
            continue;
        }
        let code = source.text.lines().filter(|line| !line.trim_start().starts_with(['#', '/']));
        for call in calls(&code.collect::<Vec<_>>().join("\n")) {
            seen += usize::from(words(&call).iter().any(|word| COMMANDS.contains(&word.as_str())));
            problems.extend(
                loose(&call).into_iter().map(|word| format!("{}: {word} in `{}`", source.path, words(&call).join(" "))),
            );
        }
    }
    assert!(seen > 20, "only {seen} calls of git were found");
    none(&problems, "put `--` before it, or hand it over by standard input");
}

fn is_command(word: &str) -> bool {
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).is_some_and(|word| COMMANDS.contains(&word))
}

/// The lists of words in Rust that hold a command of git, each as its elements.
fn lists(text: &str) -> Vec<Vec<String>> {
    let lists = text.match_indices('[').filter_map(|(at, _)| text[at + 1..].split_once(']')).map(|(list, _)| {
        list.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect::<Vec<_>>()
    });
    let is_git = |list: &Vec<String>| list.iter().any(|word| is_command(word));
    lists
        .filter(|list| {
            is_git(list) && list.iter().all(|word| !word.contains(['{', ';']) || word.starts_with("&format!"))
        })
        .collect()
}

#[test]
fn rust_hands_git_no_word_that_may_be_an_option() {
    let mut problems = Vec::new();
    let mut seen = 0;
    let is_ours = |path: &str| path.starts_with("deploy-core/src/repository/") || path.contains("/src/flow/git/");
    for source in sources::shipped().filter(|source| is_ours(&source.path)) {
        for list in lists(&source.text) {
            seen += 1;
            let at = list.iter().position(|word| is_command(word)).expect("a command");
            let before = list[at + 1..].iter().take_while(|word| *word != "\"--\"");
            let loose = before.filter(|word| !word.starts_with('"') && !is_known(word.trim_start_matches(['&', '*'])));
            problems.extend(loose.map(|word| format!("{}: {word} in {list:?}", source.path)));
        }
    }
    assert!(seen > 8, "only {seen} calls of git were found");
    none(&problems, "put \"--\" before it, or hand it over by standard input");
}

#[test]
fn what_might_be_an_option_is_found() {
    for (command, found) in [
        ("git fetch origin \"$1\"", "\"$1\""),
        ("git rev-list --quiet $name | cat", "$name"),
        ("git log -1 {} >file", "{}"),
    ] {
        assert_eq!(loose(command), [found], "{command}");
    }
    for good in
        ["git fetch -- origin \"$1\"", "git update-ref refs/x/$1", "git ls-tree -r \"$tree\"", "git config a \"$1\""]
    {
        assert!(loose(good).is_empty(), "{good}");
    }
    assert_eq!(lists("git(&[\"archive\", sha])").len(), 1);
}
