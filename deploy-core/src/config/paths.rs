//! Rules for paths: what is an absolute path that may be deployed to, and what may be linked into a release.

use super::diagnostics::{Problem, Problems};
use super::reader::Text;

/// An absolute path of a folder other than `/`, without `.`, `..` and superfluous slashes.
pub(super) fn absolute(key: &str, text: &Text, problems: &Problems) -> Option<String> {
    let wrong = |title: String, label: &str| Problem::new(title).at(text.span, label);
    let problem = if text.starts_with('~') {
        wrong(format!("`{key}` begins with `~`"), "expected an absolute path")
            .help("write it in full: `/home/deploy/shop`")
    } else if !text.starts_with('/') {
        wrong(format!("`{key}` is relative"), "expected an absolute path")
    } else if has_parent(text) {
        wrong(format!("`{key}` contains `..`"), "expected a path without `..`")
    } else if text.contains('\\') {
        wrong(format!("`{key}` has a backslash"), "tar and others on the server take it for an escape")
    } else {
        let path = normalize(text);
        if !path.is_empty() {
            return Some(format!("/{path}"));
        }
        wrong(format!("`{key}` is the root of the file system"), "expected a folder below it")
    };
    problems.add(problem);
    None
}

/// A path below a folder, such as a release, without `.` and superfluous slashes.
pub(super) fn relative(key: &str, text: &Text, problems: &Problems) -> Option<Text> {
    let path = normalize(text);
    let (title, label) = if text.starts_with('/') {
        (format!("absolute path in `{key}`"), "expected a relative path")
    } else if has_parent(text) {
        (format!("`..` in `{key}`"), "expected a path without `..`")
    } else if path.is_empty() {
        (format!("`{key}` can't be `{}`", text.text), "expected a path below it")
    } else {
        return Some(Text { text: path, span: text.span });
    };
    problems.add(Problem::new(title).at(text.span, label));
    None
}

/// Reports paths that are linked twice, or lie inside of a folder that is linked itself.
pub(super) fn check_linked(files: &[Text], dirs: &[Text], problems: &Problems) {
    let all: Vec<(&Text, &str)> =
        dirs.iter().map(|dir| (dir, "dir")).chain(files.iter().map(|file| (file, "file"))).collect();
    for (number, (path, kind)) in all.iter().enumerate() {
        if let Some((first, _)) = all[..number].iter().find(|(other, _)| other.text == path.text) {
            problems.add(
                Problem::new(format!("`{}` is linked twice", path.text))
                    .at(path.span, "the second time")
                    .and(first.span, "the first time"),
            );
        }
        if let Some(outer) =
            dirs.iter().find(|dir| path.strip_prefix(&dir.text).is_some_and(|rest| rest.starts_with('/')))
        {
            problems.add(
                Problem::new(format!("linked {kind} `{}` is inside of linked dir `{}`", path.text, outer.text))
                    .at(path.span, "shared with it already")
                    .and(outer.span, "linked as a whole"),
            );
        }
    }
}

fn has_parent(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// The path without leading and trailing slashes, empty parts and `.`.
fn normalize(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}
