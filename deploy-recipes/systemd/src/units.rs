//! The names of units, and several in one word.

use serde::Deserialize;

/// A unit as it is written: `shop-worker`, `shop-web@{1,2}` or `shop-web@{1..4}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Unit(Vec<String>);

impl TryFrom<String> for Unit {
    type Error = String;

    fn try_from(text: String) -> Result<Unit, String> {
        let units = expand(&text).ok_or_else(|| "expected `{1,2}` or `{1..4}` in the braces".to_owned())?;
        match units.iter().find(|unit| !is_good(unit)) {
            Some(unit) => Err(format!("`{unit}` can't be the name of a unit")),
            None => Ok(Unit(units)),
        }
    }
}

impl Unit {
    /// Each unit that is meant.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Whether systemd may have a unit of this name.
fn is_good(unit: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    !unit.is_empty() && !unit.starts_with('-') && unit.chars().all(is_good)
}

/// `text` with each of its braces replaced by what is in them, as bash would do it.
fn expand(text: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = text.split_once('{') else {
        return (!text.contains('}')).then(|| vec![text.to_owned()]);
    };
    let (inside, after) = rest.split_once('}')?;
    let (choices, ends) = (choices(inside)?, expand(after)?);
    let with = |choice: &String| ends.iter().map(|end| format!("{before}{choice}{end}")).collect::<Vec<_>>();
    Some(choices.iter().flat_map(with).collect())
}

/// What stands in braces: words, or the numbers from one to another.
fn choices(inside: &str) -> Option<Vec<String>> {
    if let Some((first, last)) = inside.split_once("..") {
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        return (first <= last).then(|| (first..=last).map(|number| number.to_string()).collect());
    }
    let words: Vec<_> = inside.split(',').map(|word| word.trim().to_owned()).collect();
    words.iter().all(|word| !word.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<String> {
        Unit::try_from(text.to_owned()).unwrap().0
    }

    #[test]
    fn braces_stand_for_several_units() {
        assert_eq!(units("shop.service"), ["shop.service"]);
        assert_eq!(units("web@{1,2}"), ["web@1", "web@2"]);
        assert_eq!(units("web@{9..11}.service"), ["web@9.service", "web@10.service", "web@11.service"]);
        assert_eq!(units("{web,job}@{a, b}"), ["web@a", "web@b", "job@a", "job@b"]);
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        for wrong in ["", "-x", "a b", "web@{", "web@}", "web@{}", "web@{1,}", "web@{4..1}", "web@{a..b}", "a;b", "$x"]
        {
            assert!(Unit::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
