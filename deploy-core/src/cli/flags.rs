//! The flags of commands, and what they are called.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config;
use crate::flow;
use crate::plan::includes;
use crate::registry::Tasks;
use crate::task::{Opt, Options, StageArg, Task};
use crate::ui::Format;

use super::Chosen;

/// Where the flags of all commands stand in help: after all others.
const COMMON: usize = 100;

/// What every command takes.
pub(super) fn common() -> Vec<Arg> {
    vec![
        flag("config", "Read FILE instead of the workspace's deploy.toml").value_name("FILE"),
        flag("verbose", "Show the output of every task").short('v').action(ArgAction::SetTrue),
        flag("quiet", "Show failures only").short('q').action(ArgAction::SetTrue).conflicts_with("verbose"),
    ]
    .into_iter()
    .zip(COMMON..)
    .map(|(arg, order)| arg.global(true).display_order(order))
    .collect()
}

pub(super) fn flag(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).help(about)
}

/// What every command that runs a task takes, and what this task takes besides.
pub(super) fn running(command: Command, task: &Task, tasks: &Tasks) -> Command {
    let command = command.about(task.about().to_owned()).args_conflicts_with_subcommands(true).args(stage(task));
    let command = tasks.options_of(task).into_iter().fold(command, |command, option| {
        let arg = flag(option.name, option.about);
        command.arg(match option.value {
            Some(value) => arg.value_name(value).action(ArgAction::Set),
            None => arg.action(ArgAction::SetTrue),
        })
    });
    let command = if includes(tasks, task, &flow::git::RESOLVE) { command.arg(branch()) } else { command };
    command.args(choosing()).arg(lock_wait()).args(showing())
}

/// How the stage is named. An option's word is hidden, and taken all the same.
fn stage(task: &Task) -> Vec<Arg> {
    const STAGE: &str = "The stage, as in [stages.STAGE] of deploy.toml";
    let (word, more) = (Arg::new("STAGE"), Arg::new("MORE").num_args(0..).hide(true));
    let option = match task.command.stage {
        StageArg::Word => return vec![word.required(true).help(STAGE), more],
        StageArg::Option(default) => format!("{STAGE} [default: {default}]"),
        StageArg::Any => "Only this stage, as in [stages.STAGE] of deploy.toml".to_owned(),
    };
    vec![word.hide(true), more, Arg::new("stage").long("stage").value_name("STAGE").help(option)]
}

pub(super) fn branch() -> Arg {
    flag("branch", "Deploy this branch, tag or commit").visible_alias("revision").value_name("NAME")
}

/// What is run, and where.
pub(super) fn choosing() -> [Arg; 3] {
    let list = |name, about| flag(name, about).value_delimiter(',').action(ArgAction::Append);
    [
        list("hosts", "Only these servers, separated by commas; '!HOST' leaves one out").value_name("HOST"),
        list("roles", "Only servers with one of these roles").value_name("ROLE"),
        flag("set", "Override a setting (can be repeated)").value_name("KEY=VALUE").action(ArgAction::Append),
    ]
}

fn lock_wait() -> Arg {
    flag("lock-wait", "Wait this long, such as 5m, for another run to free the stage's lock")
        .value_name("TIME")
        .value_parser(time)
}

/// Whether it is run, and how that is shown.
fn showing() -> [Arg; 4] {
    [
        flag("plan", "Show what would run where, and contact no server").action(ArgAction::SetTrue),
        flag("dry-run", "Show the scripts that would run, and contact no server")
            .action(ArgAction::SetTrue)
            .conflicts_with("plan"),
        flag("format", "How to show the run").value_name("FORMAT").value_parser(Format::NAMES).default_value("pretty"),
        flag("yes", "Answer yes to what tasks ask").short('y').action(ArgAction::SetTrue),
    ]
}

/// A time as it is written in `deploy.toml`.
fn time(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "a time is a number with a unit: 30s, 5m, 1h".to_owned())
}

/// The values that were given for a task's options, and the name of the stage where it is one of them.
pub(super) fn options_of(task: &Task, tasks: &Tasks, stage: &Chosen, matches: &ArgMatches) -> Options {
    let value = |option: &Opt| match option.value {
        Some(_) => matches.get_one::<String>(option.name).cloned(),
        None => matches.get_flag(option.name).then(|| "true".to_owned()),
    };
    let given = |option: &Opt| Some((option.name.to_owned(), value(option)?));
    let mut options: Options = tasks.options_of(task).into_iter().filter_map(given).collect();
    if matches.get_flag("yes") {
        options.insert("yes".to_owned(), "true".to_owned());
    }
    if let Some(name) = stage.name().filter(|_| task.command.stage != StageArg::Word) {
        options.insert("stage".to_owned(), name.to_owned());
    }
    options
}

/// The options of `task` that have a value, its own first.
pub(super) fn valued<'t>(task: &'t Task, tasks: &'t Tasks) -> Vec<&'t str> {
    let own = tasks.options_of(task).into_iter().filter(|option| option.value.is_some()).map(|option| option.name);
    let deploys = includes(tasks, task, &flow::git::RESOLVE);
    let is_there = |name: &&str| !Opt::SWITCHES.contains(name) && (deploys || !matches!(*name, "branch" | "revision"));
    own.chain(Opt::TAKEN.into_iter().filter(is_there)).collect()
}

/// The flags that take the word after them: `--set`, `--release`.
pub(super) fn with_value(tasks: &Tasks) -> Vec<String> {
    let own = tasks
        .iter()
        .flat_map(|task| tasks.options_of(task))
        .filter(|option| option.value.is_some())
        .map(|option| option.name);
    let taken = Opt::TAKEN.into_iter().filter(|name| !Opt::SWITCHES.contains(name));
    own.chain(taken).chain(["flow"]).map(|name| format!("--{name}")).collect()
}
