//! The tree of a flow: its tasks, what they consist of, and what is hooked on them.

use std::fmt::Write as _;

use crate::registry::Tasks;
use crate::task::{Task, TaskId};

/// The tree below `root`. With `all`, prerequisites and what only details show too.
pub(crate) fn flow_tree(tasks: &Tasks, root: &Task, all: bool) -> String {
    let mut text = format!("{}\n", root.id().words().next().unwrap_or_default());
    let tree = Tree { tasks, all, without: &root.without };
    let root = match root.steps.as_slice() {
        // A flow that consists of another one has the tree of that.
        [step] => tasks.get(step).filter(|step| step.is_flow()).unwrap_or(root),
        _ => root,
    };
    if all {
        tree.list("before", root.needs.iter().chain(tasks.before(root.id())), 1, &mut text);
    }
    root.steps.iter().for_each(|step| tree.task(step, 1, &mut text));
    text
}

struct Tree<'a> {
    tasks: &'a Tasks,
    all: bool,
    without: &'a [TaskId],
}

impl Tree<'_> {
    /// The task `id` and, on the level of a flow's own tasks, what belongs to it.
    fn task(&self, id: &TaskId, depth: usize, text: &mut String) {
        let Some(task) = self.tasks.get(id).filter(|task| self.is_shown(task)) else { return };
        let _ = writeln!(text, "{:width$}{id}", "", width = depth * 2);
        if depth > 1 && !self.all {
            return;
        }
        let needs = task.needs.iter().filter(|_| self.all);
        self.list("before", self.tasks.before(id).iter().chain(needs), depth + 1, text);
        task.steps.iter().for_each(|step| self.task(step, depth + 1, text));
        self.list("after", self.tasks.after(id).iter(), depth + 1, text);
    }

    fn list<'t>(&self, title: &str, ids: impl Iterator<Item = &'t TaskId>, depth: usize, text: &mut String) {
        let ids: Vec<_> = ids.filter(|id| self.tasks.get(id).is_some_and(|task| self.is_shown(task))).collect();
        if !ids.is_empty() {
            let _ = writeln!(text, "{:width$}[{title}]", "", width = depth * 2);
            ids.into_iter().for_each(|id| self.task(id, depth + 1, text));
        }
    }

    fn is_shown(&self, task: &Task) -> bool {
        task.is_filled() && !self.without.contains(task.id()) && (self.all || !task.command.hidden)
    }
}
