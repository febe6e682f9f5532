//! The one function that quotes.

/// `value` as one word of a POSIX shell, whatever bytes it has (a shell word can't hold a NUL byte: scripts with one are
/// refused when they are compiled).
///
/// A word of letters, digits and `_@%+=:,./-` stays as it is, so that scripts stay readable; everything else stands in
/// single quotes. Quoting doesn't stop a program from taking `-x` for an option: that is what `--` is for.
pub fn quote(value: &[u8]) -> Vec<u8> {
    if !value.is_empty() && value.iter().all(|&byte| is_plain(byte)) && !looks_special(value) {
        return value.to_vec();
    }
    let mut word = Vec::with_capacity(value.len() + 2);
    word.push(b'\'');
    for &byte in value {
        match byte {
            b'\'' => word.extend_from_slice(br"'\''"),
            _ => word.push(byte),
        }
    }
    word.push(b'\'');
    word
}

/// Whether `byte` means nothing to the shell anywhere in a word.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte)
}

/// Whether a word of plain bytes would still be read as an assignment (`a=b`) or a reserved word (`if`).
fn looks_special(word: &[u8]) -> bool {
    const RESERVED: [&[u8]; 14] = [
        b"if", b"then", b"else", b"elif", b"fi", b"do", b"done", b"case", b"esac", b"while", b"until", b"for", b"in",
        b"time",
    ];
    RESERVED.contains(&word) || word.contains(&b'=') && word[0] != b'-'
}

/// The value of an environment variable as one word: quoted, but `$NAME` and `${NAME}` still expand on the server, so
/// that `PATH = "/opt/ruby/bin:$PATH"` does what it says. `$$` is a dollar.
pub fn quote_expanding(value: &str) -> Vec<u8> {
    let mut word = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (literal, tail) = rest.split_at(at);
        push_literal(&mut word, literal);
        let (piece, after) = expansion(tail);
        word.extend_from_slice(&piece);
        rest = after;
    }
    push_literal(&mut word, rest);
    if word.is_empty() { quote(b"") } else { word }
}

fn push_literal(word: &mut Vec<u8>, literal: &str) {
    if !literal.is_empty() {
        word.extend_from_slice(&quote(literal.as_bytes()));
    }
}

/// What the text at a dollar sign becomes, and the text behind it.
fn expansion(text: &str) -> (Vec<u8>, &str) {
    let after = &text[1..];
    if let Some(rest) = after.strip_prefix('$') {
        return (quote(b"$"), rest);
    }
    let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
    let (name, rest) = match braced {
        Some((name, rest)) => (name, rest),
        None => after.split_at(name_length(after)),
    };
    if name.is_empty() || name_length(name) != name.len() {
        return (quote(b"$"), after);
    }
    (format!("\"${{{name}-}}\"").into_bytes(), rest)
}

/// How many bytes at the start of `text` are the name of a shell variable.
fn name_length(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { end }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::script::testing::shells;

    /// What `printf %s WORD` prints in `shell`.
    fn through(shell: &[&str], word: &[u8]) -> Vec<u8> {
        let mut script = b"printf %s ".to_vec();
        script.extend_from_slice(word);
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(std::ffi::OsStr::from_bytes(&script))
            .env("KNOWN", "a 'b\" c")
            .env_remove("UNKNOWN")
            .output()
            .unwrap();
        assert!(output.status.success(), "{script:?}: {output:?}");
        output.stdout
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(quote(b"/srv/app/releases/20261122101500"), b"/srv/app/releases/20261122101500");
        assert_eq!(quote(b"--flag=x"), b"--flag=x");
    }

    #[test]
    fn hostile_words_come_through_every_shell() {
        let words: [&[u8]; 13] = [
            b"",
            b"two words",
            b"it's",
            b"\"$(touch /tmp/x)\"",
            b"`id`",
            b"a\nb\n",
            b"-rf",
            b"100%",
            b"\xff\xfe",
            b"*",
            b"~",
            b"!history",
            b"back\\slash",
        ];
        for shell in shells() {
            for word in words {
                assert_eq!(through(&shell, &quote(word)), word, "{shell:?}");
            }
        }
    }

    #[test]
    fn words_that_only_look_plain_are_quoted() {
        for word in ["if", "done", "a=b"] {
            assert_eq!(quote(word.as_bytes()), format!("'{word}'").into_bytes());
        }
    }

    #[test]
    fn variables_in_environment_values_expand_and_nothing_else() {
        for shell in shells() {
            let run = |value: &str| String::from_utf8(through(&shell, &quote_expanding(value))).unwrap();
            assert_eq!(run("/x:$KNOWN:${KNOWN}:y"), "/x:a 'b\" c:a 'b\" c:y");
            assert_eq!(run("$UNKNOWN."), ".");
            assert_eq!(run("$(id) `id` ${x:-y} 5$ $1 $$HOME \"%\""), "$(id) `id` ${x:-y} 5$ $1 $HOME \"%\"");
            assert_eq!(run(""), "");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn any_bytes_come_through(word in proptest::collection::vec(1u8..=255, 0..40)) {
            let shell = &shells()[0];
            prop_assert_eq!(through(shell, &quote(&word)), word);
        }
    }
}
