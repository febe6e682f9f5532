//! The words and flags of the command line, as clap is told of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command};

use crate::config;
use crate::error::Result;
use crate::registry::{OWN_COMMANDS, Tasks};
use crate::run::Options;
use crate::task::{Opt, Task, TaskId};
use crate::ui::{Format, Verbosity};

use super::{DoctorRequest, ListRequest, Request, RunRequest, texts};

/// What became of the command line.
pub(crate) enum Parsed {
    /// It asks for this.
    Request(Request),
    /// It asks for help, or it is wrong: clap says what to print, and where.
    Clap(clap::Error),
}

/// A word of the command line: a task, words below it, or both.
#[derive(Default)]
struct Word<'t> {
    task: Option<&'t Task>,
    below: BTreeMap<String, Word<'t>>,
}

/// Parses `args`, without the program's name, for the commands that `tasks` and `commands` make.
///
/// # Errors
///
/// What clap can't know: two stages, an unknown format.
pub(crate) fn parse(args: &[OsString], tasks: &Tasks, commands: &[config::Command]) -> Result<Parsed> {
    let words = words(tasks);
    let args = split_colons(args, &words);
    let program = std::iter::once(OsString::from("cargo xtask"));
    match root(&words, commands).try_get_matches_from(program.chain(args)) {
        Ok(matches) => request(&matches, tasks, commands).map(Parsed::Request),
        Err(error) => Ok(Parsed::Clap(error)),
    }
}

/// The value of `--config`, before anything else is known of the command line.
pub(crate) fn config_file(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--config") => return args.next().map(PathBuf::from),
            Some(text) if text.starts_with("--config=") => return text.strip_prefix("--config=").map(PathBuf::from),
            _ => {}
        }
    }
    None
}

fn words(tasks: &Tasks) -> Word<'_> {
    let mut root = Word::default();
    for task in tasks.iter() {
        let word = task.id().words().fold(&mut root, |word, name| word.below.entry(name).or_default());
        word.task = Some(task);
    }
    root
}

/// Spells `deploy:check:linked_files` as `deploy check linked-files`, as far as these are tasks.
fn split_colons(args: &[OsString], words: &Word<'_>) -> Vec<OsString> {
    const WITH_VALUE: [&str; 8] =
        ["--config", "--set", "--format", "--branch", "--revision", "--hosts", "--roles", "--flow"];
    let mut spelled = Vec::new();
    let mut word = Some(words);
    let mut is_value = false;
    for arg in args {
        let text = arg.to_str().unwrap_or("-");
        let (Some(here), false) = (word, is_value || text.starts_with('-')) else {
            is_value = !is_value && WITH_VALUE.contains(&text);
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

fn root(words: &Word<'_>, commands: &[config::Command]) -> Command {
    let styles =
        Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default().bold());
    let root = Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about("Deploy over SSH, roll back, and run every task of the project")
        .after_help("`cargo xtask tasks` lists the tasks; `cargo xtask TASK --help` explains one.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .color(ColorChoice::Auto)
        .styles(styles)
        .args(common_args())
        .subcommand(tasks_command())
        .subcommand(doctor_command());
    let root = commands.iter().fold(root, |root, command| root.subcommand(project_command(command)));
    // The registry's check refuses tasks that are called like these.
    let tasks = words.below.iter().filter(|(name, _)| !OWN_COMMANDS.contains(&name.as_str()));
    tasks.fold(root, |root, (name, word)| root.subcommand(command(name, word)))
}

fn common_args() -> Vec<Arg> {
    vec![
        flag("config", "Read FILE instead of the workspace's deploy.toml")
            .value_name("FILE")
            .action(ArgAction::Set)
            .global(true),
        flag("verbose", "Show the output of every task").short('v').action(ArgAction::SetTrue).global(true),
        flag("quiet", "Show failures only")
            .short('q')
            .action(ArgAction::SetTrue)
            .conflicts_with("verbose")
            .global(true),
    ]
}

fn flag(name: &'static str, about: &'static str) -> Arg {
    Arg::new(name).long(name).help(about)
}

fn tasks_command() -> Command {
    Command::new("tasks")
        .about("List the tasks")
        .arg(Arg::new("PATTERN").help("Only tasks whose name or description has PATTERN"))
        .arg(flag("all", "Also those that others consist of").action(ArgAction::SetTrue))
        .arg(flag("json", "As JSON").action(ArgAction::SetTrue))
        .arg(flag("flow", "The tree of a flow, such as deploy or deploy:rollback").value_name("TASK"))
}

fn doctor_command() -> Command {
    Command::new("doctor")
        .about("Look for what would stand in the way of a deployment, and say what mends it")
        .arg(Arg::new("STAGE").required(true).help("The stage, as in [stages.STAGE] of deploy.toml"))
        .args(choice_args())
        .arg(flag("json", "As JSON").action(ArgAction::SetTrue))
}

fn project_command(command: &config::Command) -> Command {
    Command::new(command.name.clone()).about(command.about.clone()).disable_help_flag(true).arg(
        Arg::new("ARGS")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .help("Handed on to the command"),
    )
}

fn command(name: &str, word: &Word<'_>) -> Command {
    let command = Command::new(name.to_owned()).subcommands(word.below.iter().map(|(name, word)| command(name, word)));
    match word.task {
        None => command.about("A family of tasks").subcommand_required(true).arg_required_else_help(true),
        Some(task) => running(command, task).hide(!task.is_prominent() && word.below.is_empty()),
    }
    .disable_help_subcommand(true)
}

/// What every command that runs a task takes.
fn running(command: Command, task: &Task) -> Command {
    let command = command
        .about(task.about().to_owned())
        .args_conflicts_with_subcommands(true)
        .arg(Arg::new("STAGE").required(true).help("The stage, as in [stages.STAGE] of deploy.toml"))
        .arg(Arg::new("MORE").num_args(0..).hide(true))
        .args(choice_args())
        .arg(flag("plan", "Show what would run where, and contact no server").action(ArgAction::SetTrue))
        .arg(
            flag("dry-run", "Show the scripts that would run, and contact no server")
                .action(ArgAction::SetTrue)
                .conflicts_with("plan"),
        )
        .arg(
            flag("format", "How to show the run")
                .value_name("FORMAT")
                .value_parser(Format::NAMES)
                .default_value("pretty"),
        )
        .arg(
            flag("lock-wait", "Wait this long, such as 5m, for another run to free the stage's lock")
                .value_name("TIME")
                .value_parser(time),
        )
        .arg(flag("yes", "Answer yes to what tasks ask").short('y').action(ArgAction::SetTrue));
    own_options(task).into_iter().fold(command, |command, option| {
        let arg = flag(option.name, option.about);
        command.arg(match option.value {
            Some(value) => arg.value_name(value).action(ArgAction::Set),
            None => arg.action(ArgAction::SetTrue),
        })
    })
}

/// What is deployed, and on which servers.
fn choice_args() -> [Arg; 4] {
    let list = |name, about, value| flag(name, about).value_name(value).value_delimiter(',').action(ArgAction::Append);
    [
        flag("branch", "Deploy this branch, tag or commit")
            .alias("revision")
            .visible_alias("revision")
            .value_name("NAME"),
        flag("set", "Override a setting (can be repeated)").value_name("KEY=VALUE").action(ArgAction::Append),
        list("hosts", "Only these servers, separated by commas", "HOST"),
        list("roles", "Only servers with one of these roles", "ROLE"),
    ]
}

/// A time as it is written in `deploy.toml`.
fn time(text: &str) -> std::result::Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "a time is a number with a unit: 30s, 5m, 1h".to_owned())
}

/// The options of a task. Those that the registry's check refuses are left out here, so that help and lists still work.
fn own_options(task: &Task) -> Vec<&Opt> {
    let mut options: Vec<&Opt> = Vec::new();
    for option in task.options.iter().filter(|option| !Opt::TAKEN.contains(&option.name)) {
        if !options.iter().any(|known| known.name == option.name) {
            options.push(option);
        }
    }
    options
}

/// The values that were given for a task's options.
pub(super) fn options_of(task: &Task, matches: &ArgMatches) -> Options {
    let value = |option: &Opt| match option.value {
        Some(_) => matches.get_one::<String>(option.name).cloned(),
        None => matches.get_flag(option.name).then(|| "true".to_owned()),
    };
    let mut options: Options =
        own_options(task).into_iter().filter_map(|option| Some((option.name.to_owned(), value(option)?))).collect();
    if matches.get_flag("yes") {
        options.insert("yes".to_owned(), "true".to_owned());
    }
    options
}

fn request(matches: &ArgMatches, tasks: &Tasks, commands: &[config::Command]) -> Result<Request> {
    let verbosity = match (matches.get_flag("quiet"), matches.get_flag("verbose")) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let mut path = Vec::new();
    let mut here = matches;
    while let Some((name, below)) = here.subcommand() {
        path.push(name.replace('-', "_"));
        here = below;
    }
    if path == ["tasks"] {
        return Ok(Request::Tasks(ListRequest {
            pattern: texts(here, "PATTERN").pop(),
            all: here.get_flag("all"),
            json: here.get_flag("json"),
            flow: texts(here, "flow").pop(),
        }));
    }
    if path == ["doctor"] {
        return Ok(Request::Doctor(DoctorRequest::new(verbosity, here)));
    }
    if let Some(command) = commands.iter().find(|command| path == [command.name.replace('-', "_")]) {
        return Ok(Request::Command(command.name.clone(), texts(here, "ARGS")));
    }
    let id = TaskId::parse(&path.join(":"))?;
    let task = tasks.find(id.as_str())?;
    Ok(Request::Run(Box::new(RunRequest::new(task, verbosity, tasks, here)?)))
}
