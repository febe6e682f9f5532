//! The command line, made from the task registry: task `a:b:c` is `cargo xtask a b c STAGE`.

mod flags;
mod grammar;
mod list;
mod plan;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::ArgMatches;

use crate::error::{Error, Result, nearest};
use crate::plan::Filter;
use crate::registry::Tasks;
use crate::run::Options;
use crate::task::{Task, TaskId};
use crate::ui::{Format, Verbosity};

pub(crate) use grammar::{Parsed, config_file, parse};
pub(crate) use list::{as_json, as_text};
pub(crate) use plan::describe as describe_plan;
pub(crate) use tree::flow_tree;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Run a task.
    Run(Box<RunRequest>),
    /// List tasks.
    Tasks(ListRequest),
    /// Examine a stage.
    Doctor(DoctorRequest),
    /// Run a command of the project itself.
    Command(String, Vec<String>),
}

/// How a task is to be run.
#[derive(Debug)]
pub(crate) struct RunRequest {
    pub(crate) verbosity: Verbosity,
    pub(crate) task: TaskId,
    pub(crate) stage: String,
    pub(crate) set: Vec<String>,
    pub(crate) filter: Filter,
    pub(crate) mode: Mode,
    pub(crate) format: Format,
    pub(crate) options: Options,
    /// How long to wait for another run to free the stage's lock.
    pub(crate) lock_wait: Duration,
}

/// Whether a task is run, or only shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Run,
    Plan,
    DryRun,
}

/// How tasks are to be listed.
#[derive(Debug)]
pub(crate) struct ListRequest {
    pub(crate) pattern: Option<String>,
    pub(crate) all: bool,
    pub(crate) json: bool,
    pub(crate) flow: Option<String>,
}

/// How a stage is to be examined.
#[derive(Debug)]
pub(crate) struct DoctorRequest {
    pub(crate) stage: String,
    pub(crate) set: Vec<String>,
    pub(crate) filter: Filter,
    pub(crate) json: bool,
    /// Whether only what is not as it should be is told.
    pub(crate) quiet: bool,
}

impl RunRequest {
    fn new(task: &Task, verbosity: Verbosity, tasks: &Tasks, matches: &ArgMatches) -> Result<RunRequest> {
        let stage = texts(matches, "STAGE").pop().unwrap_or_default();
        let more = texts(matches, "MORE");
        if !more.is_empty() {
            return Err(too_many_words(task, &stage, &more, tasks));
        }
        let mode = match (matches.get_flag("plan"), matches.get_flag("dry-run")) {
            (true, _) => Mode::Plan,
            (_, true) => Mode::DryRun,
            _ => Mode::Run,
        };
        Ok(RunRequest {
            task: task.id().clone(),
            stage,
            set: settings(matches),
            filter: filter(matches),
            mode,
            format: texts(matches, "format").first().map_or(Ok(Format::default()), |name| name.parse())?,
            lock_wait: matches.get_one("lock-wait").copied().unwrap_or_default(),
            options: flags::options_of(task, tasks, matches),
            verbosity,
        })
    }
}

impl DoctorRequest {
    fn new(verbosity: Verbosity, matches: &ArgMatches) -> DoctorRequest {
        DoctorRequest {
            stage: texts(matches, "STAGE").concat(),
            set: settings(matches),
            filter: filter(matches),
            json: matches.get_flag("json"),
            quiet: verbosity == Verbosity::Quiet,
        }
    }
}

/// The settings that `--set` and `--branch` give.
fn settings(matches: &ArgMatches) -> Vec<String> {
    let branch = matches.try_get_one::<String>("branch").ok().flatten();
    let branch = branch.map(|name| format!("branch={}", toml::Value::from(name.as_str())));
    texts(matches, "set").into_iter().chain(branch).collect()
}

fn filter(matches: &ArgMatches) -> Filter {
    Filter { hosts: texts(matches, "hosts"), roles: texts(matches, "roles") }
}

/// Which word is too much: `deploy rolback staging` was meant to be a task, `deploy staging rollback` has the words in
/// another order, and `deploy staging production` has two stages.
fn too_many_words(task: &Task, first: &str, more: &[String], tasks: &Tasks) -> Error {
    let words: Vec<_> = task.id().words().collect();
    let typed = format!("cargo xtask {}", words.join(" "));
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
    .hint(format!("`cargo xtask tasks {}` lists what there is", words.join(" ")))
}

/// The first words of all tasks, or those that follow `first`, in both spellings.
pub(crate) fn words(tasks: &Tasks, first: Option<&str>) -> Vec<String> {
    let all = tasks.iter().map(|task| task.id().words().collect::<Vec<_>>());
    let wanted = all.filter_map(|words| match first {
        None => words.first().cloned(),
        Some(first) => words.get(1).filter(|_| words[0] == first).cloned(),
    });
    let both: BTreeSet<_> = wanted.flat_map(|word| [word.replace('-', "_"), word]).collect();
    both.into_iter().collect()
}

fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}
