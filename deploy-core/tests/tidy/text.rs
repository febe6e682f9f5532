//! What no file may have.

use crate::none;
use crate::sources;

/// Longer files have more than one subject.
const MAX_LINES: usize = 600;

#[test]
fn flags_are_asked_by_if() {
    let arms: Vec<_> = sources::rust().flat_map(|source| source.places("true =>")).collect();
    none(&arms, "use `if`: a `match` on a flag says no more");
}

#[test]
fn nothing_is_left_to_do() {
    // In two pieces, so that this file may stay.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|pieces| pieces.concat());
    let unfinished = ["todo!(", "unimplemented!("];
    let is_word = |text: &str, mark: &str| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        let alone = |at: usize| !text[..at].ends_with(letter) && !text[at + mark.len()..].starts_with(letter);
        text.match_indices(mark).any(|(at, _)| alone(at))
    };
    let mut problems = Vec::new();
    for source in sources::all().into_iter().filter(|source| !source.path.ends_with("tests/tidy/text.rs")) {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| is_word(line, mark)) || unfinished.iter().any(|word| line.contains(word)) {
                problems.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(&problems, "do it now, or write an issue");
}

#[test]
fn no_test_is_left_out() {
    let ignored: Vec<_> = sources::rust().flat_map(|source| source.places("#[ignore")).collect();
    none(&ignored, "a test that can't run here fails and says what it needs; long trials belong to `--full`");
}

#[test]
fn files_have_one_subject() {
    let long = sources::rust().map(|source| (source.text.lines().count(), source.path));
    let long = long.filter(|(lines, _)| *lines > MAX_LINES).map(|(lines, path)| format!("{path}: {lines} lines"));
    none(&long.collect::<Vec<_>>(), "split it by noun");
}
