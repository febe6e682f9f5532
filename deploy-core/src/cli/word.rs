//! The words that tasks have on the command line, as a tree.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::registry::Tasks;
use crate::task::Task;

/// A word of the command line: a task, words below it, or both.
#[derive(Default)]
pub(super) struct Word<'t> {
    pub(super) task: Option<&'t Task>,
    pub(super) below: BTreeMap<String, Word<'t>>,
}

impl<'t> Word<'t> {
    /// Whether help shows the word: it, or one below it, is a task that people call by name.
    pub(super) fn is_listed(&self) -> bool {
        self.task.is_some_and(|task| task.is_prominent()) || self.below.values().any(Word::is_listed)
    }

    /// What a word stands for that is no task itself.
    pub(super) fn family(&self) -> String {
        let listed = self.below.iter().filter(|(_, word)| word.is_listed()).map(|(name, _)| name.as_str());
        format!("Tasks: {}", listed.collect::<Vec<_>>().join(", "))
    }

    /// The words of all tasks.
    pub(super) fn tree(tasks: &'t Tasks) -> Word<'t> {
        let mut root = Word::default();
        for task in tasks.iter() {
            let word = task.id().words().fold(&mut root, |word, name| word.below.entry(name).or_default());
            word.task = Some(task);
        }
        root
    }

    /// The tasks at and below the word, those that few words lead to first.
    pub(super) fn all(&self) -> Vec<&'t Task> {
        let below = self.below.values().flat_map(Word::all);
        let mut all: Vec<_> = self.task.into_iter().chain(below).collect();
        all.sort_by_key(|task| task.id().words().count());
        all
    }

    /// Spells `deploy:check:linked_files` as `deploy check linked-files`, as far as these are tasks.
    pub(super) fn split_colons(&self, args: &[OsString], with_value: &[String]) -> Vec<OsString> {
        let mut spelled = Vec::new();
        let mut word = Some(self);
        let mut is_value = false;
        for arg in args {
            let text = arg.to_str().unwrap_or("-");
            let (Some(here), false) = (word, is_value || text.starts_with('-')) else {
                if text == "--" && !is_value {
                    word = None;
                }
                is_value = !is_value && with_value.iter().any(|flag| flag == text);
                spelled.push(arg.clone());
                continue;
            };
            let names = text.split(':').map(|name| name.replace('_', "-")).collect::<Vec<_>>();
            word = names.iter().try_fold(here, |word, name| word.below.get(name));
            match word {
                Some(_) => spelled.extend(names.into_iter().map(OsString::from)),
                None => spelled.push(arg.clone()),
            }
        }
        spelled
    }
}
