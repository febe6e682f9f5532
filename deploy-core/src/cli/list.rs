//! The list of tasks, as `cap -T` has it.

use serde_json::{Value, json};

use super::ListRequest;
use crate::registry::Tasks;
use crate::task::{StageArg, Task};

/// How `task` is called.
fn usage(task: &Task) -> String {
    let stage = match task.command.stage {
        StageArg::Word => "STAGE",
        StageArg::Option(_) | StageArg::Any => "[--stage STAGE]",
    };
    format!("cargo xtask {} {stage}", task.id().words().collect::<Vec<_>>().join(" "))
}

/// How the stage is named, for programs.
fn stage(task: &Task) -> Value {
    match task.command.stage {
        StageArg::Word => json!({ "as": "word", "required": true }),
        StageArg::Option(default) => json!({ "as": "option", "required": false, "default": default }),
        StageArg::Any => json!({ "as": "option", "required": false }),
    }
}

/// Whether the list shows the task: hook points of flows and parts of others only where all are asked for.
fn is_shown(task: &Task, request: &ListRequest) -> bool {
    let matches = request.pattern.as_ref().is_none_or(|pattern| {
        let pattern = pattern.to_lowercase();
        task.id().as_str().contains(&pattern.replace('-', "_"))
            || usage(task).contains(&pattern)
            || task.about().to_lowercase().contains(&pattern)
    });
    matches && (request.all || request.pattern.is_some() || task.is_prominent())
}

/// The list for people: how each task is called, and what it does. A family of tasks stands together, flows first.
pub(crate) fn as_text(tasks: &Tasks, commands: &[(String, String)], request: &ListRequest) -> String {
    let shown: Vec<_> = tasks.iter().filter(|task| is_shown(task, request)).collect();
    let mut families: Vec<Vec<(String, String)>> = families(&shown);
    if request.pattern.is_none() {
        let own = commands.iter().map(|(name, about)| (format!("cargo xtask {name}"), about.clone()));
        let hidden = tasks.iter().count() - shown.len();
        let list = match hidden {
            0 => ("cargo xtask tasks".to_owned(), "List the tasks".to_owned()),
            _ => ("cargo xtask tasks --all".to_owned(), format!("List {hidden} more, which these consist of")),
        };
        let about = "Look for what would stand in a deployment's way, and say what mends it";
        let doctor = ("cargo xtask doctor STAGE".to_owned(), about.to_owned());
        families.push(own.chain([doctor, list]).collect());
    }
    if families.is_empty() {
        return "no task matches; `cargo xtask tasks --all` lists them\n".to_owned();
    }
    let width = families.iter().flatten().map(|(usage, _)| usage.len()).max().unwrap_or(0);
    let row = |(usage, about): &(String, String)| format!("{usage:width$}  # {about}\n");
    let family = |rows: &Vec<(String, String)>| rows.iter().map(row).collect::<String>();
    families.iter().map(family).collect::<Vec<_>>().join("\n")
}

/// The tasks by their first word, in the order of registration; in each flows before others, then by name.
fn families(tasks: &[&Task]) -> Vec<Vec<(String, String)>> {
    let mut families: Vec<(String, Vec<&Task>)> = Vec::new();
    for task in tasks {
        let name = task.id().words().next().unwrap_or_default();
        match families.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(task),
            None => families.push((name, vec![task])),
        }
    }
    let rows = |(_, mut members): (String, Vec<&Task>)| {
        members.sort_by_key(|task| (!task.is_flow(), task.id().clone()));
        members.into_iter().map(|task| (usage(task), task.about().to_owned())).collect()
    };
    families.into_iter().map(rows).collect()
}

/// The list for programs.
pub(crate) fn as_json(tasks: &Tasks, request: &ListRequest) -> String {
    let row = |task: &Task| {
        let options: Vec<_> = tasks
            .options_of(task)
            .into_iter()
            .map(|option| json!({ "name": option.name, "value": option.value, "about": option.about }))
            .collect();
        json!({
            "id": task.id().as_str(), "about": task.about(), "usage": usage(task), "stage": stage(task),
            "options": options,
        })
    };
    let rows: Vec<_> = tasks.iter().filter(|task| is_shown(task, request)).map(row).collect();
    format!("{:#}\n", Value::from(rows))
}
