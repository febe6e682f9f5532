//! Who is measured.

pub(crate) mod capistrano;
pub(crate) mod ssh;

use std::process::Command;

use crate::fleet::Fleet;

/// What is run on the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// This workspace's own.
    Xtask,
    /// Debian's.
    Capistrano,
    /// One `ssh` for each server, all at once, each with one script that does everything: the least that can be done.
    Ssh,
}

impl Tool {
    pub(crate) const ALL: [Tool; 3] = [Tool::Xtask, Tool::Capistrano, Tool::Ssh];

    /// What it is called on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Xtask => "xtask",
            Tool::Capistrano => "capistrano",
            Tool::Ssh => "ssh",
        }
    }

    /// The command that does `step` on all servers.
    pub(crate) fn command(self, fleet: &Fleet, step: Step) -> Command {
        match self {
            Tool::Xtask => match step {
                Step::Rollback => fleet.project.command(&["deploy", "rollback", "staging"]),
                _ => fleet.project.command(&["deploy", "staging"]),
            },
            Tool::Capistrano => capistrano::command(fleet, step),
            Tool::Ssh => ssh::command(fleet, step),
        }
    }
}

/// What is measured of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A deploy to servers that have nothing.
    First,
    /// A deploy of one new commit.
    Next,
    /// A deploy of the commit that is live.
    NoOp,
    /// Back to the release before.
    Rollback,
}

impl Step {
    pub(crate) const ALL: [Step; 4] = [Step::First, Step::Next, Step::NoOp, Step::Rollback];

    /// What it is called on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::First => "first",
            Step::Next => "next",
            Step::NoOp => "no-op",
            Step::Rollback => "rollback",
        }
    }
}
