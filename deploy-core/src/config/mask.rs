//! Secrets in what an error shows of a configuration: their text becomes stars, as many bytes as it has, so that places
//! stay where they are.

/// Parts of the names of keys whose values nobody should see, with letters left out that slips leave out.
const SECRET: [&str; 6] = ["passw", "pasw", "secret", "token", "url", "credential"];

/// `text` with stars for the values of keys that are or resemble secret ones, and for passwords in addresses.
pub(super) fn mask(text: &str) -> String {
    text.split_inclusive('\n').map(|line| mask_addresses(&mask_value(line))).collect()
}

/// The line with stars for its value, if its key is or resembles a secret one. An address of a repository is none.
fn mask_value(line: &str) -> String {
    let Some((at, _)) = line.match_indices('=').find(|(at, _)| is_secret(&line[..*at])) else { return line.to_owned() };
    let (key, value) = (&line[..at], &line[at + 1..]);
    let shown = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '[' | ']' | ',' | '{' | '}');
    let stars = |c: char| if shown(c) { c.to_string() } else { "*".repeat(c.len_utf8()) };
    format!("{key}={}", value.chars().map(stars).collect::<String>())
}

/// Whether the last word of `text` is or resembles the name of a secret.
fn is_secret(text: &str) -> bool {
    let word = text.trim_end().rsplit([' ', '{', ',']).next().unwrap_or_default().to_lowercase();
    !word.contains("repo") && SECRET.iter().any(|part| word.contains(part))
}

/// The line with stars for `user:password` in `scheme://user:password@host`.
pub(super) fn mask_addresses(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/')).unwrap_or(after.len());
        let login = after[..end].rfind('@').filter(|at| after[..*at].contains(':')).unwrap_or(0);
        masked.extend([before, "://", &"*".repeat(login)]);
        rest = &after[login..];
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_stars_of_the_same_length() {
        assert_eq!(mask("name = \"shop\"\npasword = \"güt\"\n"), "name = \"shop\"\npasword = \"****\"\n");
        assert_eq!(mask("urll = \"postgres://u:p@h/d"), format!("urll = \"{}", "*".repeat(18)));
        assert_eq!(mask("database.pasword=x"), "database.pasword=*");
        assert_eq!(mask("database = { name = 'a', pasword = 'b' }"), "database = { name = 'a', pasword = '*' }");
    }

    #[test]
    fn passwords_in_addresses_are_stars_wherever_they_stand() {
        assert_eq!(mask("host = \"ssh://ann:pw@git/x\""), "host = \"ssh://******@git/x\"");
        assert_eq!(mask("repo_url = \"ssh://git@git/x\""), "repo_url = \"ssh://git@git/x\"");
    }
}
