//! The words and flags of the command line, as clap is told of them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command};

use crate::config;
use crate::error::Result;
use crate::registry::{OWN_COMMANDS, Tasks};
use crate::task::TaskId;
use crate::ui::Verbosity;

use super::flags::{self, flag};
use super::meant::{self, Line};
use super::word::Word;
use super::{DoctorRequest, ListRequest, Request, RunRequest, texts};

/// What became of the command line.
pub(crate) enum Parsed {
    /// It asks for this.
    Request(Request),
    /// It asks for help, or it is wrong: clap says what to print, and where.
    Clap(clap::Error),
}

/// The command that lists tasks.
const TASKS: &str = OWN_COMMANDS[0];

/// The command that examines a stage.
const DOCTOR: &str = OWN_COMMANDS[1];

/// Whether `name` is a command of the tool itself. The registry's check refuses tasks that are called so.
fn is_own(name: &str) -> bool {
    OWN_COMMANDS.contains(&name)
}

/// Parses `args`, without the program's name, for the commands that `tasks` and `commands` make.
///
/// # Errors
///
/// What clap can't know: two stages, an unknown format.
pub(crate) fn parse(
    args: &[OsString],
    tasks: &Tasks,
    commands: &[config::Command],
    stages: &[String],
) -> Result<Parsed> {
    let words = Word::tree(tasks);
    let args = words.split_colons(&meant::familiar(args, &words), &flags::with_value(tasks));
    let grammar = root(&words, tasks, commands);
    let read = |args: &[OsString]| {
        grammar.clone().try_get_matches_from(std::iter::once(OsString::from("cargo xtask")).chain(args.iter().cloned()))
    };
    let as_word = |error: &clap::Error| meant::stage_as_word(error, &args);
    let (args, matches) = match read(&args) {
        Err(error) => match as_word(&error) {
            Some(args) => (args.clone(), read(&args)),
            None => (args, Err(error)),
        },
        matches => (args, matches),
    };
    match matches {
        Ok(matches) => request(&matches, tasks, commands).map(Parsed::Request),
        Err(error) => {
            let commands = grammar.get_subcommands().map(clap::Command::get_name).collect();
            let line = Line { args: &args, words: &words, commands, stages };
            line.explain(&error).map_or(Ok(Parsed::Clap(error)), Err)
        }
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

fn root(words: &Word<'_>, tasks: &Tasks, commands: &[config::Command]) -> Command {
    let styles =
        Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default().bold());
    let root = Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Deploy over SSH, roll back, and run every task of the project")
        .after_help("`cargo xtask tasks` lists the tasks; `cargo xtask TASK --help` explains one.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .color(ColorChoice::Auto)
        .styles(styles)
        .args(flags::common())
        .subcommand(tasks_command())
        .subcommand(doctor_command());
    // Help that tests compare must not depend on the terminal that they run in.
    let mut root = if cfg!(test) { root.term_width(100) } else { root.max_term_width(100) };
    for (name, word) in words.below.iter().filter(|(name, _)| !is_own(name)) {
        root = root.subcommand(command(name, word, tasks));
    }
    let is_free = |command: &&config::Command| !is_own(&command.name) && !words.below.contains_key(&command.name);
    commands.iter().filter(is_free).fold(root, |root, command| root.subcommand(project_command(command)))
}

fn tasks_command() -> Command {
    Command::new(TASKS)
        .about("List the tasks")
        .arg(Arg::new("PATTERN").help("Only tasks whose name or description has PATTERN"))
        .arg(flag("all", "Also those that others consist of").action(ArgAction::SetTrue))
        .arg(flag("json", "As JSON").action(ArgAction::SetTrue))
        .arg(flag("flow", "The tree of a flow, such as deploy or deploy:rollback").value_name("TASK"))
}

fn doctor_command() -> Command {
    Command::new(DOCTOR)
        .about("Look for what would stand in a deployment's way, and say what mends it")
        .arg(Arg::new("STAGE").required(true).help("The stage, as in [stages.STAGE] of deploy.toml"))
        .arg(flags::branch())
        .args(flags::choosing())
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

fn command(name: &str, word: &Word<'_>, tasks: &Tasks) -> Command {
    let below = word.below.iter().map(|(name, word)| command(name, word, tasks));
    let command =
        Command::new(name.to_owned()).subcommands(below).hide(!word.is_listed()).disable_help_subcommand(true);
    let hidden = word.below.values().any(|word| !word.is_listed());
    let command = if hidden {
        command.after_help(format!("`cargo xtask tasks {name}` lists every task that has to do with it."))
    } else {
        command
    };
    match word.task {
        None => command.about(word.family()).subcommand_required(true).arg_required_else_help(true),
        Some(task) => flags::running(command, task, tasks),
    }
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
    if path == [TASKS] {
        return Ok(Request::Tasks(ListRequest {
            pattern: texts(here, "PATTERN").pop(),
            all: here.get_flag("all"),
            json: here.get_flag("json"),
            flow: texts(here, "flow").pop(),
        }));
    }
    if path == [DOCTOR] {
        return Ok(Request::Doctor(DoctorRequest::new(verbosity, here)));
    }
    if let Some(command) = commands.iter().find(|command| path == [command.name.replace('-', "_")]) {
        return Ok(Request::Command(command.name.clone(), texts(here, "ARGS")));
    }
    let id = TaskId::parse(&path.join(":"))?;
    let task = tasks.find(id.as_str())?;
    Ok(Request::Run(Box::new(RunRequest::new(task, verbosity, tasks, here)?)))
}
