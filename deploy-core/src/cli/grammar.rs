//! The words and flags of the command line, as clap is told of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command};

use crate::config;
use crate::error::{Error, Result};
use crate::registry::{OWN_COMMANDS, Tasks};
use crate::task::{Task, TaskId};
use crate::ui::Verbosity;

use super::flags::{self, flag};
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

impl Word<'_> {
    /// Whether help shows the word: it, or one below it, is a task that people call by name.
    fn is_listed(&self) -> bool {
        self.task.is_some_and(|task| task.is_prominent()) || self.below.values().any(Word::is_listed)
    }

    /// What a word stands for that is no task itself.
    fn family(&self) -> String {
        let listed = self.below.iter().filter(|(_, word)| word.is_listed()).map(|(name, _)| name.as_str());
        format!("Tasks: {}", listed.collect::<Vec<_>>().join(", "))
    }
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
pub(crate) fn parse(args: &[OsString], tasks: &Tasks, commands: &[config::Command]) -> Result<Parsed> {
    let words = words(tasks);
    let args = split_colons(args, &words, &flags::with_value(tasks));
    let program = std::iter::once(OsString::from("cargo xtask"));
    match root(&words, tasks, commands).try_get_matches_from(program.chain(args.iter().cloned())) {
        Ok(matches) => request(&matches, tasks, commands).map(Parsed::Request),
        Err(error) => match stage_first(&args, &words).or_else(|| stage_as_option(&error, &args, &words)) {
            Some(meant) => Err(meant),
            None => Ok(Parsed::Clap(error)),
        },
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

/// `cargo xtask staging deploy`, as with Capistrano: here the stage comes last.
fn stage_first(args: &[OsString], words: &Word<'_>) -> Option<Error> {
    let texts = args.iter().filter_map(|arg| arg.to_str()).take_while(|text| !text.starts_with('-'));
    let texts: Vec<_> = texts.flat_map(|text| text.split(':')).map(|word| word.replace('_', "-")).collect();
    let [stage, task @ ..] = texts.as_slice() else { return None };
    let known = task.iter().try_fold(words, |word, name| word.below.get(name))?;
    let is_task = !task.is_empty() && known.task.is_some() && !words.below.contains_key(stage) && !is_own(stage);
    is_task.then(|| {
        Error::usage(format!("the stage comes last, and `{stage}` comes first"))
            .hint(format!("did you mean `cargo xtask {} {stage}`?", task.join(" ")))
    })
}

/// `deploy --stage staging`: where a stage must be named, it is a word.
fn stage_as_option(error: &clap::Error, args: &[OsString], words: &Word<'_>) -> Option<Error> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(unknown)) if unknown == "--stage" => {}
        _ => return None,
    }
    let mut typed = args.iter().filter_map(|arg| arg.to_str()).take_while(|text| !text.starts_with('-'));
    let task = typed.try_fold(words, |word, name| word.below.get(name))?.task?;
    let error = Error::usage(format!("`{}` has no option `--stage`", task.id()));
    Some(error.hint("here the stage is a word: write it without `--stage`"))
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
fn split_colons(args: &[OsString], words: &Word<'_>, with_value: &[String]) -> Vec<OsString> {
    let mut spelled = Vec::new();
    let mut word = Some(words);
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

fn root(words: &Word<'_>, tasks: &Tasks, commands: &[config::Command]) -> Command {
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
