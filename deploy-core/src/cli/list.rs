//! The list of tasks, as `cap -T` has it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ListRequest;
use crate::config::Command;
use crate::registry::Tasks;
use crate::task::{StageArg, Task, TaskId};

/// What is used every day, and stands first.
const EVERYDAY: [&str; 4] = ["deploy", "deploy:rollback", "deploy:status", "deploy:restart"];

/// How a command is called, and what it does.
type Row = (String, String);

/// What is to be listed.
pub(crate) struct Listing<'a> {
    /// Every task, of recipes that are off too.
    pub(crate) tasks: &'a Tasks,
    /// The project's own commands.
    pub(crate) commands: &'a [Command],
    /// What was asked for.
    pub(crate) request: &'a ListRequest,
    /// The tasks that do something in any stage, where that is known.
    pub(crate) on: Option<BTreeSet<TaskId>>,
}

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

impl Listing<'_> {
    /// The list for people: how each task is called, and what it does. A family of tasks stands together, flows first.
    pub(crate) fn as_text(&self) -> String {
        let shown: Vec<_> = self.tasks.iter().filter(|task| self.is_shown(task)).collect();
        let families = match self.request.pattern {
            Some(_) => self.families(&shown),
            None => self.everything(&shown),
        };
        if families.is_empty() {
            return "no task matches; `cargo xtask tasks --all` lists them\n".to_owned();
        }
        let width = families.iter().flatten().map(|(usage, _)| usage.len()).max().unwrap_or(0);
        let row = |(usage, about): &Row| format!("{usage:width$}  # {about}\n");
        let family = |rows: &Vec<Row>| rows.iter().map(row).collect::<String>();
        families.iter().map(family).collect::<Vec<_>>().join("\n")
    }

    /// Whether the list shows the task: hook points of flows, parts of others and what is off only where all are asked for.
    fn is_shown(&self, task: &Task) -> bool {
        let matches = self.request.pattern.as_ref().is_none_or(|pattern| {
            let pattern = pattern.to_lowercase();
            task.id().as_str().contains(&pattern.replace('-', "_"))
                || usage(task).contains(&pattern)
                || task.about().to_lowercase().contains(&pattern)
        });
        let unasked = || task.is_prominent() && self.is_on(task);
        matches && (self.request.all || self.request.pattern.is_some() || unasked())
    }

    fn is_on(&self, task: &Task) -> bool {
        self.on.as_ref().is_none_or(|on| on.contains(task.id()))
    }

    /// What is used every day, the families of all others, and what else there is.
    fn everything(&self, shown: &[&Task]) -> Vec<Vec<Row>> {
        let (everyday, others): (Vec<_>, Vec<&Task>) =
            shown.iter().copied().partition(|task| EVERYDAY.contains(&task.id().as_str()));
        let everyday = EVERYDAY.iter().filter_map(|id| everyday.iter().find(|task| task.id().as_str() == *id));
        let about = "Look for what would stand in a deployment's way, and say what mends it";
        let doctor = ("cargo xtask doctor STAGE".to_owned(), about.to_owned());
        let first = everyday.map(|task| self.row(task)).chain([doctor]).collect();
        let own = self.commands.iter().map(|own| (format!("cargo xtask {}", own.name), own.about.clone()));
        let last = own.chain([self.list_of_more(shown.len())]).collect();
        [vec![first], self.families(&others), vec![last]].concat()
    }

    /// How to see what isn't shown.
    fn list_of_more(&self, shown: usize) -> Row {
        let hidden = self.tasks.iter().count() - shown;
        if hidden == 0 {
            return ("cargo xtask tasks".to_owned(), "List the tasks".to_owned());
        }
        let off = self.tasks.iter().filter(|task| !self.is_on(task)).filter_map(|task| self.tasks.recipe_of(task.id()));
        let off = off.map(|recipe| format!("`{recipe}`")).collect::<BTreeSet<_>>();
        let off = match off.len() {
            0 => String::new(),
            1 => format!(", and those of the recipe {}, which is off", off.into_iter().collect::<String>()),
            _ => format!(", and those of recipes that are off: {}", off.into_iter().collect::<Vec<_>>().join(", ")),
        };
        ("cargo xtask tasks --all".to_owned(), format!("List {hidden} more, which these consist of{off}"))
    }

    /// The tasks by their first word, in the order of registration; in each flows before others, then by name.
    fn families(&self, tasks: &[&Task]) -> Vec<Vec<Row>> {
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
            members.into_iter().map(|task| self.row(task)).collect()
        };
        families.into_iter().map(rows).collect()
    }

    fn row(&self, task: &Task) -> Row {
        let about = match self.tasks.recipe_of(task.id()).filter(|_| !self.is_on(task)) {
            Some(recipe) => format!("{} (the recipe `{recipe}` is off)", task.about()),
            None => task.about().to_owned(),
        };
        (usage(task), about)
    }

    /// The list for programs.
    pub(crate) fn as_json(&self) -> String {
        let row = |task: &Task| {
            let options: Vec<_> = self
                .tasks
                .options_of(task)
                .into_iter()
                .map(|option| json!({ "name": option.name, "value": option.value, "about": option.about }))
                .collect();
            json!({
                "id": task.id().as_str(), "about": task.about(), "usage": usage(task), "stage": stage(task),
                "options": options, "recipe": self.tasks.recipe_of(task.id()), "on": self.is_on(task),
            })
        };
        let rows: Vec<_> = self.tasks.iter().filter(|task| self.is_shown(task)).map(row).collect();
        format!("{:#}\n", Value::from(rows))
    }
}
