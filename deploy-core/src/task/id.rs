//! What tasks are called, and where they are hooked.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result};

/// The name of a task: words of letters, digits and underscores, joined by colons (`deploy:symlink:release`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Cow<'static, str>);

impl TaskId {
    /// The id `id`. A malformed one doesn't compile where it stands in a `const`:
    ///
    /// ```compile_fail
    /// # use deploy_core::task::TaskId;
    /// const WARM: TaskId = TaskId::new("cache warm");
    /// ```
    ///
    /// # Panics
    ///
    /// When `id` is malformed.
    pub const fn new(id: &'static str) -> TaskId {
        assert!(is_well_formed(id), "a task id is words of a-z, 0-9 and _, joined by colons");
        TaskId(Cow::Borrowed(id))
    }

    /// The id that `text` spells.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn parse(text: &str) -> Result<TaskId> {
        if is_well_formed(text) {
            return Ok(TaskId(Cow::Owned(text.to_owned())));
        }
        Err(Error::config(format!("`{text}` is no task id"))
            .hint("a task id is words of a-z, 0-9 and _, joined by colons: `cache:clear`"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words as they stand on the command line: `deploy`, `symlink`, `release`.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.0.split(':').map(|word| word.replace('_', "-"))
    }
}

const fn is_well_formed(id: &str) -> bool {
    let bytes = id.as_bytes();
    let mut at = 0;
    let mut word_is_empty = true;
    while at < bytes.len() {
        match bytes[at] {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => word_is_empty = false,
            b':' if !word_is_empty => word_is_empty = true,
            _ => return false,
        }
        at += 1;
    }
    !word_is_empty
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// Where a hook stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Before this task begins.
    Before(TaskId),
    /// After this task and everything that belongs to it has ended.
    After(TaskId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_words_joined_by_colons() {
        for good in ["deploy", "deploy:check:linked_files", "a1:b_2"] {
            assert!(TaskId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ":", "a:", ":a", "a::b", "A", "a b", "a-b", "ä"] {
            assert!(TaskId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_the_command_line_have_dashes() {
        let words: Vec<_> = TaskId::new("deploy:check:linked_files").words().collect();
        assert_eq!(words, ["deploy", "check", "linked-files"]);
    }
}
