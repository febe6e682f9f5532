//! The list of tasks, as `cap -T` has it.

use serde_json::json;

use crate::registry::Tasks;
use crate::task::Task;

use super::ListRequest;

/// How `task` is called.
fn usage(task: &Task) -> String {
    format!("cargo xtask {} STAGE", task.id().words().collect::<Vec<_>>().join(" "))
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

/// The list for people: how each task is called, and what it does.
pub(crate) fn as_text(tasks: &Tasks, commands: &[(String, String)], request: &ListRequest) -> String {
    let mut rows: Vec<_> = tasks
        .iter()
        .filter(|task| is_shown(task, request))
        .map(|task| (usage(task), task.about().to_owned()))
        .collect();
    rows.sort();
    let own = [("tasks", "List the tasks"), ("doctor STAGE", "Look for what would stand in a deployment's way")];
    let own = own.map(|(name, about)| (name.to_owned(), about.to_owned()));
    for (name, about) in own.iter().chain(commands).filter(|_| request.pattern.is_none()) {
        rows.push((format!("cargo xtask {name}"), about.clone()));
    }
    let width = rows.iter().map(|(usage, _)| usage.len()).max().unwrap_or(0);
    let mut text: String = rows.iter().map(|(usage, about)| format!("{usage:width$}  # {about}\n")).collect();
    let hidden = tasks.iter().count() - tasks.iter().filter(|task| is_shown(task, request)).count();
    if request.pattern.is_none() && hidden > 0 {
        text.push_str(&format!("{:width$}  # {hidden} more, which these consist of\n", "cargo xtask tasks --all"));
    }
    if rows.is_empty() {
        text = "no task matches; `cargo xtask tasks --all` lists them\n".to_owned();
    }
    text
}

/// The list for programs.
pub(crate) fn as_json(tasks: &Tasks, request: &ListRequest) -> String {
    let row = |task: &Task| {
        let options: Vec<_> = task
            .options
            .iter()
            .map(|option| json!({ "name": option.name, "value": option.value, "about": option.about }))
            .collect();
        json!({ "id": task.id().as_str(), "about": task.about(), "usage": usage(task), "options": options })
    };
    let rows: Vec<_> = tasks.iter().filter(|task| is_shown(task, request)).map(row).collect();
    format!("{:#}\n", serde_json::Value::from(rows))
}
