//! The command line, made from the task registry: task `a:b:c` is `cargo xtask a b c STAGE`.

mod flags;
mod grammar;
mod list;
mod meant;
mod plan;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod word;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::ArgMatches;

use crate::error::Result;
use crate::plan::Filter;
use crate::registry::Tasks;
use crate::run::Options;
use crate::task::{Task, TaskId};
use crate::ui::{Format, Verbosity};

pub(crate) use grammar::{Parsed, config_file, parse};
pub(crate) use list::Listing;
pub(crate) use plan::describe as describe_plan;
pub(crate) use stage::Chosen;
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
    pub(crate) stage: Chosen,
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
        let stage = Chosen::of(task, tasks, matches)?;
        let mode = match (matches.get_flag("plan"), matches.get_flag("dry-run")) {
            (true, _) => Mode::Plan,
            (_, true) => Mode::DryRun,
            _ => Mode::Run,
        };
        Ok(RunRequest {
            task: task.id().clone(),
            options: flags::options_of(task, tasks, &stage, matches),
            stage,
            set: settings(matches),
            filter: filter(matches),
            mode,
            format: texts(matches, "format").first().map_or(Ok(Format::default()), |name| name.parse())?,
            lock_wait: matches.get_one("lock-wait").copied().unwrap_or_default(),
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
