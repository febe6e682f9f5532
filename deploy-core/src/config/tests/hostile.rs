//! Whatever stands in the file, in variables and flags: the answer is a configuration or an error, and never a panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::config::Project as Found;

const PAGE: &str = include_str!("../../../../docs/CONFIGURATION.md");

/// Pieces that break things: quotes, brackets, wide and combining characters, ends of lines.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    "\n",
    "\r\n",
    "\t",
    "#",
    "é",
    "日本",
    "\u{301}",
    "\u{0}",
    "\u{feff}",
    "1e999",
    "-1",
    "[stages.x]\n",
    "servers = 1\n",
    "\"\"\"",
    "\\u0000",
    "{host}",
    "{",
    "::1",
    "@",
    "true",
    "[]",
    "{}",
];

#[derive(Clone, Debug)]
enum Edit {
    Insert(prop::sample::Index, usize),
    Delete(prop::sample::Index, usize),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<prop::sample::Index>(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<prop::sample::Index>(), 1..20usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(one, other)| Edit::Swap(one, other)),
    ]
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for edit in edits {
        match edit {
            Edit::Insert(at, piece) => {
                let at = at.index(text.len() + 1);
                text.splice(at..at, PIECES[*piece].chars());
            }
            Edit::Delete(at, length) => {
                let at = at.index(text.len());
                text.drain(at..(at + length).min(text.len()));
            }
            Edit::Swap(one, other) => {
                let mut lines: Vec<String> = text.iter().collect::<String>().lines().map(str::to_owned).collect();
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
                text = lines.join("\n").chars().collect();
            }
        }
    }
    text.into_iter().collect()
}

fn example() -> &'static str {
    PAGE.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0
}

fn parse(text: &str, set: &[String]) -> crate::error::Result<Config> {
    let root = PathBuf::from("/project");
    let found = Found { work_dir: root.join("target/deploy"), file: root.join("deploy.toml"), root: root.clone() };
    let request = LoadRequest { start: root, set: set.to_vec(), ..LoadRequest::default() };
    Config::parse(&request, found, text.to_owned())
}

proptest! {
    #[test]
    fn a_damaged_file_is_read_or_refused(edits in vec(edit(), 1..6)) {
        let text = apply(example(), &edits);
        if let Err(error) = parse(&text, &[]) {
            prop_assert!(error.detail_text().is_some_and(|detail| detail.contains("error: ")));
        }
    }

    #[test]
    fn any_flag_is_read_or_refused(key in "[a-z_.]{0,12}|ssh\\.[a-z]{4}|default_env\\.\\PC{0,4}", value in "\\PC{0,12}") {
        let _ = parse(example(), &[format!("{key}={value}")]);
    }

    #[test]
    fn any_text_of_a_string_is_read_or_refused(value in "\\PC{0,16}") {
        let value = toml::Value::String(value).to_string();
        for key in ["application", "repo_url", "deploy_to", "tmp_dir", "umask", "branch"] {
            let _ = parse(&format!("{key} = {value}\n[stages.x]\n[[stages.x.servers]]\nhost = {value}\n"), &[]);
        }
    }

    #[test]
    fn what_is_accepted_as_a_folder_to_deploy_to_is_absolute_and_not_the_root(path in "/[a-z./]{0,12}|[a-z./~{} ]{0,6}") {
        let text = with("").replace("/var/www/shop", &path);
        if let Ok(config) = parse(&text, &[]) {
            let deploy_to = &config.stages[0].servers[0].deploy_to;
            prop_assert!(deploy_to.len() > 1 && deploy_to.starts_with('/') && !deploy_to.ends_with('/'));
            prop_assert!(deploy_to.split('/').skip(1).all(|part| !["", ".", ".."].contains(&part)), "{}", deploy_to);
        }
    }
}
