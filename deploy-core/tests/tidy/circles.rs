//! No two files import from each other, directly or by way of others.

use std::collections::{BTreeMap, BTreeSet};

use crate::none;
use crate::sources::{self, Source};

/// Circles that are still there, each by the first of its files. The list only gets shorter.
const NOT_YET: &[&str] = &[];

/// Which files each file of the library imports from. The `mod.rs` of a folder is its face, and stands for no file.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let files: Vec<_> = sources::shipped().filter(|source| source.path.starts_with("deploy-core/src/")).collect();
    let known: BTreeSet<_> = files.iter().map(|file| module(&file.path)).collect();
    let of = |file: &Source| (module(&file.path), named(file, &known));
    files.iter().filter(|file| !file.path.ends_with("/mod.rs")).map(of).collect()
}

/// `deploy-core/src/ui/log.rs` is `ui::log`.
fn module(path: &str) -> String {
    let path = path.trim_start_matches("deploy-core/src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// The modules that `file` names and that are files.
fn named(file: &Source, known: &BTreeSet<String>) -> BTreeSet<String> {
    let own = module(&file.path);
    let parts: Vec<_> = own.split("::").collect();
    let code = file.code();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("super::").chain(code.match_indices("crate::")) {
        if code[..at].ends_with("::") || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let ups = code[at..].split("::").take_while(|word| *word == "super").count();
        let rest = code[at..].trim_start_matches("super::").trim_start_matches("crate::");
        let base = if ups == 0 { &[][..] } else { &parts[..parts.len().saturating_sub(ups)] };
        for path in paths(rest) {
            let full: Vec<_> = base.iter().copied().chain(path.iter().map(String::as_str)).collect();
            let longest = (1..=full.len()).rev().map(|length| full[..length].join("::"));
            found.extend(longest.into_iter().find(|path| known.contains(path)).filter(|path| *path != own));
        }
    }
    found
}

/// The paths of an import: `a::b::C`, or each of `{a::b, c}`, one brace deep.
fn paths(rest: &str) -> Vec<Vec<String>> {
    let (prefix, list) = match rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        Some(at) if rest[at..].starts_with('{') => {
            (&rest[..at], rest[at + 1..].split('}').next().unwrap_or_default().split(',').collect())
        }
        Some(at) => (&rest[..at], vec![""]),
        None => (rest, vec![""]),
    };
    let words = |text: &str| -> Vec<String> {
        text.split("::").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
    };
    list.into_iter().map(|item| words(prefix).into_iter().chain(words(item)).collect()).collect()
}

/// Groups of files each of which leads to all others of the group.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach: BTreeMap<_, _> = imports.keys().map(|file| (file, reachable(imports, file))).collect();
    let mut groups = BTreeSet::new();
    for (file, others) in &reach {
        let back = |other: &&String| reach.get(*other).is_some_and(|reached| reached.contains(*file));
        let group: Vec<_> = others.iter().filter(back).cloned().collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

/// Where the imports of `from` lead; itself only by a circle.
fn reachable(imports: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = vec![from];
    while let Some(file) = open.pop() {
        for next in imports.get(file).into_iter().flatten().filter(|next| imports.contains_key(*next)) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen
}

#[test]
fn no_circle_between_files() {
    let found = circles(&imports());
    let is_known = |circle: &&Vec<String>| NOT_YET.contains(&circle[0].as_str());
    let new = found.iter().filter(|circle| !is_known(circle)).map(|circle| circle.join(", "));
    none(&new.collect::<Vec<_>>(), "what both sides need becomes a file of its own below them");
    let mended = NOT_YET.iter().filter(|name| !found.iter().any(|circle| circle[0] == **name));
    none(&mended.map(|name| (*name).to_owned()).collect::<Vec<_>>(), "it is mended: take it out of NOT_YET");
}

#[test]
fn a_circle_is_found_through_any_number_of_files() {
    let file = |name: &str, imports: &[&str]| {
        (name.to_owned(), imports.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())
    };
    let imports = [file("a", &["b"]), file("b", &["c"]), file("c", &["a", "d"]), file("d", &[])].into();
    assert_eq!(circles(&imports), [["a", "b", "c"]]);
    assert_eq!(paths("a::{b, c::D};"), [vec!["a", "b"], vec!["a", "c", "D"]]);
}
