//! Secrets in what an error shows of a configuration: values of keys that are or resemble secret ones, on as many lines
//! as they have, and whatever is secret anywhere.

use std::ops::Range;

use super::source::{Source, Sources, Span};
use crate::secret;

/// What is around values, and no part of one.
const AROUND: [char; 6] = ['[', ']', ',', '{', '}', '='];

/// Texts of a configuration in which secrets are stars, with the places of what remains.
pub(super) struct Masked {
    sources: Sources,
    hidden: Vec<Vec<Range<usize>>>,
    /// The secrets themselves.
    secrets: Vec<String>,
}

impl Masked {
    pub(super) fn new(sources: &Sources) -> Masked {
        let hidden: Vec<_> = sources.iter().map(|source| hidden(&source.text)).collect();
        let both = || sources.iter().zip(&hidden);
        let texts =
            both().flat_map(|(source, hidden)| hidden.iter().map(|range| source.text[range.clone()].to_owned()));
        let mut secrets: Vec<_> = texts.collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let masked = |(source, hidden): (&Source, &Vec<_>)| Source {
            file: source.file.clone(),
            text: secret::replace(&source.text, hidden),
        };
        Masked { sources: Sources::new(both().map(masked).collect()), secrets, hidden }
    }

    /// The texts.
    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Where `span` of the texts themselves stands in the masked ones.
    pub(super) fn span(&self, span: Span) -> Span {
        let hidden = &self.hidden[span.source];
        let start = moved(span.start, hidden, |range| range.start);
        Span { start, end: moved(span.end, hidden, |range| range.start + secret::STARS.len()).max(start), ..span }
    }

    /// What an error says, without what it repeats of secrets.
    pub(super) fn say(&self, text: &str) -> String {
        let said = secret::mask(text).into_owned();
        self.secrets.iter().fold(said, |said, secret| without_word(&said, secret))
    }
}

/// Where `place` is when the `hidden` ranges have become stars; `inside` says where what was in one of them is.
fn moved(place: usize, hidden: &[Range<usize>], inside: impl Fn(Range<usize>) -> usize) -> usize {
    let mut moved = place;
    for range in hidden.iter().take_while(|range| range.start < place) {
        let start = moved + range.start - place;
        if place < range.end {
            return inside(start..start);
        }
        moved = moved + secret::STARS.len() - range.len();
    }
    moved
}

/// `text` with stars for `secret`, where that isn't a part of a longer word.
fn without_word(text: &str, secret: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: usize| !text[..at].ends_with(is_word) && !text[at + secret.len()..].starts_with(is_word);
    let found = text.match_indices(secret).filter(|(at, _)| alone(*at)).map(|(at, _)| at..at + secret.len());
    secret::replace(text, &found.collect::<Vec<_>>())
}

/// Where `text` has secrets.
fn hidden(text: &str) -> Vec<Range<usize>> {
    let mut hidden = secret::find(text.as_bytes());
    let mut at = 0;
    while let Some(length) = text[at..].find(['=', ':']) {
        let value = at + length + 1;
        at = value;
        if is_secret(&text[..value - 1]) {
            let end = value + value_length(&text[value..]);
            hidden.extend(words(&text[value..end]).into_iter().map(|word| value + word.start..value + word.end));
            at = end;
        }
    }
    secret::apart(hidden)
}

/// Addresses that are no secrets as a whole; a login in one is found all the same.
const PLAIN: [&str; 2] = ["repo", "health"];

/// Whether the last word of `text` is or resembles the name of a secret.
fn is_secret(text: &str) -> bool {
    let word = text.trim_end_matches([' ', '\t', '"', '\'']).rsplit(['\n', ' ', '{', ',']).next().unwrap_or_default();
    let lower = word.to_lowercase();
    !PLAIN.iter().any(|part| lower.contains(part)) && (secret::is_name(word) || lower.contains("url"))
}

/// How far the value reaches with which `text` begins: to the end of its line, or of what it opens there. One that begins
/// on a later line than its key, as none may, reaches as far.
fn value_length(text: &str) -> usize {
    let begins = text.len() - text.trim_start().len();
    let value = &text[begins..];
    let line = value.find('\n').unwrap_or(value.len());
    let is_next_key =
        text[..begins].contains('\n') && !value.starts_with(['"', '\'']) && value[..line].contains(['=', '[']);
    if is_next_key {
        return 0;
    }
    let closed_by = [("\"\"\"", "\"\"\""), ("'''", "'''"), ("[", "]"), ("{", "}")];
    let opened = closed_by.iter().find(|(open, _)| value.starts_with(open));
    let closes = opened.map(|(open, close)| value[open.len()..].find(close).map(|at| open.len() + at + close.len()));
    begins + closes.map_or(line, |end| end.map_or(value.len(), |end| end.max(line)))
}

/// The parts of a value that nobody should see: what is between quotes, and other words.
fn words(value: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut quote = None;
    let is_long = ["\"\"\"", "'''"].iter().any(|open| value.trim_start().starts_with(open));
    for (at, c) in value.char_indices() {
        let is_quote = c == '"' || c == '\'';
        let next = value[at + c.len_utf8()..].chars().next();
        let is_last = next.is_none_or(|next| next == c || next.is_whitespace() || AROUND.contains(&next));
        if is_quote && quote == Some(c) && is_last {
            quote = None;
        } else if is_quote && quote.is_none() && !value[..at].ends_with(|c: char| c.is_alphanumeric()) {
            quote = Some(c);
        } else if c != '\n' && (quote.is_some() || !is_quote && !c.is_whitespace() && !AROUND.contains(&c)) {
            words.push(at..at + c.len_utf8());
        } else if c == '\n' && !is_long {
            quote = None;
        }
    }
    secret::apart(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> Masked {
        Masked::new(&Sources::new(vec![Source { file: None, text: text.to_owned() }]))
    }

    fn mask(text: &str) -> String {
        masked(text).sources().file_text().to_owned()
    }

    #[test]
    fn values_of_secret_keys_are_five_stars() {
        assert_eq!(mask("name = \"shop\"\npasword = \"güt\"\n"), "name = \"shop\"\npasword = \"*****\"\n");
        assert_eq!(mask("urll = \"postgres://u:p@h/d"), "urll = \"*****");
        assert_eq!(mask("database.pasword=x"), "database.pasword=*****");
        assert_eq!(mask("database = { name = 'a', pasword = 'b' }"), "database = { name = 'a', pasword = '*****' }");
        assert_eq!(mask("\"password\" : 12345 "), "\"password\" : ***** ");
    }

    #[test]
    fn a_value_of_several_lines_is_hidden_to_its_end() {
        for text in [
            "password = \"\"\"\nhush\nhush\n\"\"\"\nname = \"shop\"\n",
            "password =\n  \"hush=hush\"\nname = \"shop\"\n",
            "password = [\n  \"hush\",\n  'hush',\n]\nname = \"shop\"\n",
            "password = \"hu\"hush\"\nname = \"shop\"\n",
        ] {
            let masked = mask(text);
            assert!(!masked.contains("hush") && masked.contains("*****"), "{masked}");
            assert!(masked.ends_with("\nname = \"shop\"\n"), "{masked}");
        }
        assert!(!mask("password = \"\"\"\nhush\n").contains("hush"));
        assert_eq!(mask("password =\nname = \"shop\"\n"), "password =\nname = \"shop\"\n");
    }

    #[test]
    fn secrets_in_addresses_are_stars_wherever_they_stand() {
        assert_eq!(mask("host = \"ssh://ann:pw@git/x\""), "host = \"ssh://*****@git/x\"");
        assert_eq!(mask("repo_url = \"ssh://git@git/x\""), "repo_url = \"ssh://git@git/x\"");
        assert_eq!(mask("health_url = 'x', 'https://a:b@c'"), "health_url = 'x', 'https://*****@c'");
        assert_eq!(mask("repo_url = \"https://git/x?token=abc\""), "repo_url = \"https://git/x?token=*****\"");
    }

    #[test]
    fn places_are_where_they_were() {
        let text = "a = 1\npassword = \"12345678\"\ntoken = 'x'\nb = 2\n";
        let masked = masked(text);
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            let span = masked.span(Span { source: 0, start, end: start + part.len() });
            masked.sources().text(span).to_owned()
        };
        for part in ["a = 1", "password", "token", "b = 2"] {
            assert_eq!(at(part), part);
        }
        assert_eq!((at("\"12345678\"").as_str(), at("12345678").as_str()), ("\"*****\"", "*****"));
        assert_eq!((at("345").as_str(), at("'x'").as_str()), ("*****", "'*****'"));
    }

    #[test]
    fn what_is_said_repeats_no_secret() {
        let masked = masked("password = 12345\n");
        assert_eq!(masked.say("write it in quotes: `\"12345\"`"), "write it in quotes: `\"*****\"`");
        assert_eq!(masked.say("123456 is another, https://a:b@c too"), "123456 is another, https://*****@c too");
    }
}
