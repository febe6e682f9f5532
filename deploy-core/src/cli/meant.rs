//! What was meant by a line that is none of ours: words of Capistrano and of other tools, and what is missing.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::word::Word;
use crate::error::{Error, nearest};
use crate::task::Task;

/// `args` as we have it: `help deploy` is `deploy --help`, and `-T` is `tasks`.
pub(super) fn familiar(args: &[OsString], words: &Word<'_>) -> Vec<OsString> {
    let Some((first, more)) = args.split_first() else { return Vec::new() };
    let (first, more) = (first.to_str().unwrap_or_default(), more.iter().cloned());
    match first {
        "help" if !words.below.contains_key("help") => more.chain([OsString::from("--help")]).collect(),
        "-T" | "-AT" | "--tasks" => std::iter::once(OsString::from("tasks")).chain(more).collect(),
        _ => args.to_vec(),
    }
}

/// `args` with the stage as a word, where the command knows no `--stage STAGE`.
pub(super) fn stage_as_word(error: &clap::Error, args: &[OsString]) -> Option<Vec<OsString>> {
    if error.kind() != ErrorKind::UnknownArgument || context(error, ContextKind::InvalidArg) != Some("--stage") {
        return None;
    }
    let at = args.iter().position(|arg| arg == "--stage" || arg.to_string_lossy().starts_with("--stage="))?;
    let stage = match args[at].to_str()?.strip_prefix("--stage=") {
        Some(stage) => vec![OsString::from(stage)],
        None => vec![args.get(at + 1)?.clone()],
    };
    let after = args.iter().skip(at + if args[at] == "--stage" { 2 } else { 1 }).cloned();
    Some(args[..at].iter().cloned().chain(stage).chain(after).collect())
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// A line that clap refuses, and what there is.
pub(super) struct Line<'a> {
    /// What was typed.
    pub(super) args: &'a [OsString],
    /// The words of tasks.
    pub(super) words: &'a Word<'a>,
    /// The first words of all commands.
    pub(super) commands: Vec<&'a str>,
    /// The names of the stages, where deploy.toml can be read.
    pub(super) stages: &'a [String],
}

impl Line<'_> {
    /// What the user is told, where that is more than clap knows.
    pub(super) fn explain(&self, error: &clap::Error) -> Option<Error> {
        self.stage_first().or_else(|| match error.kind() {
            ErrorKind::InvalidSubcommand => self.unknown(context(error, ContextKind::InvalidSubcommand)?),
            ErrorKind::MissingRequiredArgument => self.without_stage(),
            _ => None,
        })
    }

    /// What was typed before the first flag.
    fn typed(&self) -> impl Iterator<Item = &str> {
        self.args.iter().map(OsString::as_os_str).filter_map(OsStr::to_str).take_while(|text| !text.starts_with('-'))
    }

    /// `cargo xtask staging deploy`, as with Capistrano: here the stage comes last.
    fn stage_first(&self) -> Option<Error> {
        let texts: Vec<_> = self.typed().flat_map(|text| text.split(':')).map(|word| word.replace('_', "-")).collect();
        let [stage, task @ ..] = texts.as_slice() else { return None };
        let known = task.iter().try_fold(self.words, |word, name| word.below.get(name))?;
        let is_task = !task.is_empty() && known.task.is_some() && !self.commands.contains(&stage.as_str());
        is_task.then(|| {
            Error::usage(format!("the stage comes last, and `{stage}` comes first"))
                .hint(format!("did you mean `cargo xtask {} {stage}`?", task.join(" ")))
        })
    }

    /// A word that is no command: the end of a task's name, a stage alone, or a misspelt one.
    fn unknown(&self, unknown: &str) -> Option<Error> {
        let before: Vec<_> = self.typed().take_while(|word| *word != unknown).collect();
        let here = before.iter().try_fold(self.words, |word, name| word.below.get(*name))?;
        let called = [before.as_slice(), &[unknown]].concat().join(" ");
        if before.is_empty() && self.stages.iter().any(|stage| stage == unknown) {
            return Some(
                Error::usage(format!("`{unknown}` is a stage, and what is to be done there isn't said"))
                    .hint(format!("did you mean `cargo xtask deploy {unknown}`?"))
                    .hint("`cargo xtask tasks` lists what there is"),
            );
        }
        let error = Error::usage(format!("there is no command `{called}`"));
        let error = match self.meant(here, &before, unknown) {
            Some(meant) => error.hint(format!("did you mean `cargo xtask {meant}`?")),
            None => error,
        };
        Some(error.hint("`cargo xtask tasks` lists what there is"))
    }

    /// The command that was meant by `unknown` after `before`, where `here` is.
    fn meant(&self, here: &Word<'_>, before: &[&str], unknown: &str) -> Option<String> {
        let wanted = unknown.replace('_', "-");
        let tasks: Vec<_> = here.all().into_iter().filter(|task| task.is_prominent()).collect();
        let last = |task: &&Task| task.id().words().last().unwrap_or_default();
        let named = |name: &str| tasks.iter().find(|task| last(task) == name);
        if let Some(task) = named(&wanted) {
            return Some(self.call(task, unknown));
        }
        let below: Vec<&str> =
            if before.is_empty() { self.commands.clone() } else { here.below.keys().map(String::as_str).collect() };
        let lasts: Vec<_> = tasks.iter().map(last).collect();
        if let Some(near) = nearest(&wanted, below) {
            let words = before.iter().copied().chain([near]).chain(self.typed().skip(before.len() + 1));
            return Some(words.collect::<Vec<_>>().join(" "));
        }
        let near = nearest(&wanted, lasts.iter().map(String::as_str))?;
        named(near).map(|task| self.call(task, unknown))
    }

    /// How `task` is called for the stage that was typed after `word`.
    fn call(&self, task: &Task, word: &str) -> String {
        let typed = self.typed().skip_while(|typed| *typed != word).nth(1).map(str::to_owned);
        let stage = typed.unwrap_or_else(|| self.a_stage());
        task.id().words().chain([stage]).collect::<Vec<_>>().join(" ")
    }

    /// A task whose stage isn't named.
    fn without_stage(&self) -> Option<Error> {
        let command = self.typed().collect::<Vec<_>>().join(" ");
        if command.is_empty() {
            return None;
        }
        let error = Error::usage(format!("`{command}` needs a stage"))
            .hint(format!("did you mean `cargo xtask {command} {}`?", self.a_stage()));
        Some(match self.stages {
            [] | [_] => error,
            stages => error.hint(format!("the stages are `{}`", stages.join("`, `"))),
        })
    }

    /// The stage of an example.
    fn a_stage(&self) -> String {
        self.stages.first().cloned().unwrap_or_else(|| "STAGE".to_owned())
    }
}
