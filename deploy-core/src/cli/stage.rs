//! Which stage a command line means, and what is wrong with its words.

use clap::ArgMatches;

use super::{flags, texts};
use crate::config::{Config, Stage};
use crate::error::{Error, Result, nearest};
use crate::registry::Tasks;
use crate::task::{StageArg, Task};

/// Which stage is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The one that is named.
    Named(String),
    /// The task's own, since none is named.
    Default(&'static str),
    /// The first one, since none is named to a task that is about all of them.
    First,
}

impl Chosen {
    /// What `matches` say to `task`.
    ///
    /// # Errors
    ///
    /// When there are two stages, or words that are none.
    pub(super) fn of(task: &Task, tasks: &Tasks, matches: &ArgMatches) -> Result<Chosen> {
        let words = [texts(matches, "STAGE"), texts(matches, "MORE")].concat();
        let flag = matches.try_get_one::<String>("stage").ok().flatten().cloned();
        refuse_assignments(task, tasks, &words)?;
        match (words.as_slice(), flag, task.command.stage) {
            ([first, more @ ..], ..) if !more.is_empty() => Err(too_many_words(task, first, more, tasks)),
            ([word, ..], Some(flag), _) => {
                Err(Error::usage(format!("`{}` takes one stage, and there are 2: `{word}` and `{flag}`", task.id()))
                    .hint("name it by `--stage` or by a word, not by both"))
            }
            ([word, ..], None, _) => Ok(Chosen::Named(word.clone())),
            ([], Some(flag), _) => Ok(Chosen::Named(flag)),
            ([], None, StageArg::Option(default)) => Ok(Chosen::Default(default)),
            ([], None, StageArg::Any | StageArg::Word) => Ok(Chosen::First),
        }
    }

    /// The name, where one is given.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Chosen::Named(name) => Some(name),
            Chosen::Default(_) | Chosen::First => None,
        }
    }

    /// The stage of `config` that is meant.
    ///
    /// # Errors
    ///
    /// When there is none; the error says how to name one, and which there are.
    pub(crate) fn find<'c>(&self, config: &'c Config) -> Result<&'c Stage> {
        match self {
            Chosen::Named(name) => config.stage(name),
            Chosen::Default(name) => config.default_stage(name),
            Chosen::First => config.first_stage(),
        }
    }
}

/// How the task is called, without a stage.
fn command(task: &Task) -> String {
    format!("cargo xtask {}", task.id().words().collect::<Vec<_>>().join(" "))
}

/// `stage=dev` and `BRANCH=v2`, as rake and Capistrano have it: here these are options.
fn refuse_assignments(task: &Task, tasks: &Tasks, words: &[String]) -> Result<()> {
    let assignments: Vec<_> = words.iter().filter_map(|word| Some((word, word.split_once('=')?))).collect();
    let Some((first, _)) = assignments.first() else { return Ok(()) };
    let error = Error::usage(format!("options begin with `--`, and `{first}` doesn't"));
    let options = flags::valued(task, tasks);
    let meant = assignments.iter().map(|(_, (name, value))| as_option(task, &options, name, value));
    Err(match meant.collect::<Option<Vec<_>>>() {
        Some(meant) => error.hint(format!("did you mean `{}`?", meant.join(" "))),
        None => error.hint(format!("`{} --help` lists its options", command(task))),
    })
}

/// The option that was called `name` elsewhere: `BRANCH` is `--branch`, `ROLLBACK_RELEASE` is `--release`.
fn as_option(task: &Task, options: &[&str], name: &str, value: &str) -> Option<String> {
    let name = name.to_lowercase().replace('_', "-");
    if name == "stage" && task.command.stage == StageArg::Word {
        return Some(value.to_owned());
    }
    let is_same = |option: &&&str| name == **option || name.ends_with(&format!("-{option}"));
    options.iter().find(is_same).map(|option| format!("--{option} {value}"))
}

/// Which word is too much: `deploy rolback staging` was meant to be a task, `deploy staging rollback` has the words in
/// another order, and `deploy staging production` has two stages.
fn too_many_words(task: &Task, first: &str, more: &[String], tasks: &Tasks) -> Error {
    let typed = command(task);
    let prefix = format!("{}:", task.id());
    let below: Vec<(&str, &Task)> =
        tasks.iter().filter_map(|task| Some((task.id().as_str().strip_prefix(&prefix)?, task))).collect();
    let plain = |word: &str| word.replace('-', "_");
    if let Some(swapped) = more.iter().find(|word| below.iter().any(|(name, _)| *name == plain(word))) {
        return Error::usage(format!("the stage comes last, and `{first}` comes before `{swapped}`"))
            .hint(format!("did you mean `{typed} {swapped} {first}`?"));
    }
    let near = nearest(&plain(first), below.iter().map(|(name, _)| *name));
    let is_minor = below.iter().any(|(name, task)| Some(*name) == near && !task.is_prominent());
    let error = match near {
        Some(_) if !is_minor => Error::usage(format!("there is no task `{prefix}{first}`")),
        _ => {
            let stages = more.iter().fold(format!("`{first}`"), |text, word| format!("{text} and `{word}`"));
            Error::usage(format!("`{}` takes one stage, and there are {}: {stages}", task.id(), more.len() + 1))
                .hint("run it for one stage after the other")
        }
    };
    match near {
        Some(near) => {
            let near = near.replace('_', "-").replace(':', " ");
            error.hint(format!("did you mean `{typed} {near} {}`?", more.join(" ")))
        }
        None => error,
    }
    .hint(match below.as_slice() {
        [] => format!("`{typed} --help` explains it"),
        _ => format!("`cargo xtask tasks {}` lists what there is", task.id()),
    })
}
