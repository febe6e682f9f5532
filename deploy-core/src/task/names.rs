//! What servers, users and environments call releases and commits, parsed where it arrives: no other text may become a path
//! or an argument.

use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::error::{Error, Result};

/// How release names are written: the time in UTC.
const STAMP: &str = "%Y%m%d%H%M%S";

/// The name of a release: fourteen digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseName(String);

impl ReleaseName {
    /// The release that `text` names.
    ///
    /// # Errors
    ///
    /// When `text` isn't fourteen digits: it could be a path.
    pub fn parse(text: &str) -> Result<ReleaseName> {
        if text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(ReleaseName(text.to_owned()));
        }
        Err(Error::usage(format!("`{text}` is no release"))
            .hint("a release is called by its time, such as 20261122101500"))
    }

    /// The name of a release that is made at `time`.
    pub fn of(time: DateTime) -> ReleaseName {
        ReleaseName(time.strftime(STAMP).to_string())
    }

    /// The time that it says, if it is one.
    pub fn time(&self) -> Option<DateTime> {
        DateTime::strptime(STAMP, &self.0).ok()
    }

    /// Whether no release can have got this name: it is no time, or more than a day ahead of `now`. Clocks differ by less.
    pub fn is_strange(&self, now: DateTime) -> bool {
        let tomorrow = now.checked_add(1.day()).unwrap_or(DateTime::MAX);
        self.time().is_none_or(|time| time > tomorrow)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The time that releases are named after.
pub(crate) fn now() -> DateTime {
    Timestamp::now().to_zoned(TimeZone::UTC).datetime()
}

/// The name of a commit in full: 40 or 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectId(String);

impl ObjectId {
    /// The commit that `text` names.
    ///
    /// # Errors
    ///
    /// When `text` is anything else than an object id in full: git would take a dash for an option, a name for a branch.
    pub fn parse(text: &str) -> Result<ObjectId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if matches!(text.len(), 40 | 64) && text.bytes().all(is_digit) {
            return Ok(ObjectId(text.to_owned()));
        }
        Err(Error::task(format!("`{}` is no commit in full", text.escape_debug())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first `characters` of `text`, as names of commits are shown.
pub(crate) fn beginning(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_ends_between_two_characters() {
        assert_eq!(
            [beginning("ab", 3), beginning("abcd", 3), beginning("äöüß", 3), beginning("", 3)],
            ["ab", "abc", "äöü", ""]
        );
    }

    #[test]
    fn a_release_is_fourteen_digits_and_nothing_else() {
        assert_eq!(ReleaseName::parse("20261122101500").unwrap().as_str(), "20261122101500");
        for text in
            ["", ".", "..", "../shared", "2026112210150", "202611221015000", "2026112210150x", "20261122101500\n"]
        {
            assert!(ReleaseName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_from_the_future_is_strange() {
        let now = ReleaseName::parse("20261122101500").unwrap().time().unwrap();
        let is_strange = |text: &str| ReleaseName::parse(text).unwrap().is_strange(now);
        assert!(!is_strange("20261123101500") && !is_strange("20200101000000"));
        assert!(["20261123101501", "20991231235959", "99991231235958", "99999999999999"].into_iter().all(is_strange));
    }

    #[test]
    fn a_commit_is_an_object_id_in_full() {
        for text in [&"0a".repeat(20), &"f9".repeat(32)] {
            assert_eq!(ObjectId::parse(text).unwrap().as_str(), text);
        }
        for text in
            ["", "main", "--upload-pack=id", "--output=/tmp/x", &"0A".repeat(20), &"0a".repeat(19), &"é".repeat(20)]
        {
            assert!(ObjectId::parse(text).is_err(), "{text:?}");
        }
    }
}
