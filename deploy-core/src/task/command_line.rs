//! What a task has on its command line: its options, and how its stage is named.

use super::{Output, TaskId};

/// An option that a task adds to the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// The name, as in `--name`.
    pub name: &'static str,
    /// What stands for the value in the help, or `None` for a switch.
    pub value: Option<&'static str>,
    /// One line of help.
    pub about: &'static str,
}

impl Opt {
    /// Those of [`TAKEN`](Opt::TAKEN) that have no value.
    pub(crate) const SWITCHES: [&str; 6] = ["dry-run", "help", "plan", "quiet", "verbose", "yes"];

    /// The names that every command has, or every one that runs a task, or one by [`StageArg`].
    pub(crate) const TAKEN: [&str; 15] = [
        "branch",
        "config",
        "dry-run",
        "format",
        "help",
        "hosts",
        "lock-wait",
        "plan",
        "quiet",
        "revision",
        "roles",
        "set",
        "stage",
        "verbose",
        "yes",
    ];
}

/// How the command line of a task says which stage is meant.
///
/// It matters only where the task is called by its name. In a flow, the flow's stage counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageArg {
    /// By a word that must be given: `deploy STAGE`.
    #[default]
    Word,
    /// By `--stage STAGE`, or a word; this stage where nothing is said.
    Option(&'static str),
    /// By `--stage STAGE`, or a word. Where nothing is said the task is about all stages, and runs in the first one of
    /// `deploy.toml`; its body sees by the option `stage` whether one was named.
    Any,
}

/// What a task has on its command line, and how it is listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Command {
    /// Its own options.
    pub(crate) options: Vec<Opt>,
    /// How its stage is named.
    pub(crate) stage: StageArg,
    /// What the output is for.
    pub(crate) output: Output,
    /// Whether lists leave it out.
    pub(crate) hidden: bool,
    /// The flow without which it does nothing.
    pub(crate) part_of: Option<TaskId>,
    /// Whether its answer is about the servers that could be reached, where some could not.
    pub(crate) partial: bool,
}
