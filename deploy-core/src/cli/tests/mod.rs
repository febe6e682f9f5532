//! What the command line takes, and what it shows.

mod flows;
mod help;
mod lists;
mod mistakes;
mod plans;
mod registration;
mod stages;
mod words;

use std::ffi::OsString;

use insta::assert_snapshot;

use super::{ListRequest, Listing, Mode, Parsed, Request, RunRequest, config_file, describe_plan, flow_tree, parse};
use crate::config::{Command, GitStrategy};
use crate::plan::testing::{group, local, plan, rolling, script, stage, stock};
use crate::registry::Tasks;
use crate::task::{Opt, Task, TaskId, When};
use crate::ui::Verbosity;

/// The stock flows, a restart, and tasks of the user's own.
fn tasks() -> Tasks {
    let mut tasks = stock(GitStrategy::Push);
    tasks.task(script("deploy:restart", "app"));
    tasks.task(script("cache:clear", "app").option(Opt { name: "key", value: Some("KEY"), about: "Only this key" }));
    tasks.task(script("cache:warm", "app").option(Opt { name: "all", value: None, about: "Every page" }));
    tasks.hook(When::After(crate::flow::PUBLISHED), TaskId::new("cache:clear"));
    tasks
}

fn commands() -> Vec<Command> {
    vec![Command { name: "test".into(), about: "Run the tests".into(), run: vec!["true".into()] }]
}

fn args(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

fn parsed(line: &[&str]) -> Parsed {
    parse(&args(line), &tasks(), &commands(), &[]).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn run(line: &[&str]) -> RunRequest {
    match parsed(line) {
        Parsed::Request(Request::Run(request)) => *request,
        Parsed::Request(other) => panic!("{line:?}: {other:?}"),
        Parsed::Clap(error) => panic!("{line:?}: {error}"),
    }
}

/// What the user is told of a wrong line.
fn refused(line: &str) -> String {
    match parse(&args(&line.split(' ').collect::<Vec<_>>()), &tasks(), &commands(), &[]) {
        Err(error) => error.to_string(),
        Ok(Parsed::Clap(error)) => error.to_string(),
        Ok(Parsed::Request(request)) => panic!("{line}: {request:?}"),
    }
}

fn help(line: &[&str]) -> String {
    match parsed(line) {
        Parsed::Clap(error) => error.to_string(),
        Parsed::Request(request) => panic!("{request:?}"),
    }
}

fn list() -> ListRequest {
    ListRequest { pattern: None, all: false, json: false, flow: None }
}

/// The list of `tasks`, all of which are on.
fn as_text(tasks: &Tasks, commands: &[Command], request: &ListRequest) -> String {
    Listing { tasks, commands, request, on: None }.as_text()
}

fn as_json(tasks: &Tasks, request: &ListRequest) -> String {
    Listing { tasks, commands: &[], request, on: None }.as_json()
}
