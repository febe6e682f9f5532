//! The order of tasks: hooks before, prerequisites, the task itself, its steps, hooks after; each at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::config::Stage;
use crate::error::{Error, Result};
use crate::event::StepNo;
use crate::registry::Tasks;
use crate::task::{Body, Task, TaskId};

use super::{Filter, Step};

/// Puts the tasks that a root includes in order, depth first.
pub(super) struct Order<'a> {
    root: &'a Task,
    tasks: &'a Tasks,
    stage: &'a Stage,
    filter: &'a Filter,
    /// Every task that takes part.
    planned: BTreeSet<TaskId>,
    /// The task that takes the stage's lock, until it has been put before the first task on a server.
    lock: Option<&'a Task>,
    spans: BTreeMap<TaskId, Span>,
    base: StepNo,
    phase: &'static str,
    steps: Vec<Step>,
}

/// Which steps belong to a task.
#[derive(Clone)]
struct Span {
    /// With its hooks and prerequisites.
    whole: Range<StepNo>,
    /// Its body and its steps.
    own: Range<StepNo>,
    /// Whether its body and its steps have all been ordered.
    is_over: bool,
    /// The task that it was ordered for.
    caller: Option<TaskId>,
}

/// A hook or prerequisite: what is in `then` waits, on all servers, for what is in `first` and runs on other ones.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) names: (TaskId, TaskId),
    pub(super) first: Range<StepNo>,
    pub(super) then: Range<StepNo>,
}

impl<'a> Order<'a> {
    /// Orders `root` and what it includes. The numbers of its steps begin at `base`.
    pub(super) fn of(
        root: &'a Task,
        base: StepNo,
        tasks: &'a Tasks,
        stage: &'a Stage,
        filter: &'a Filter,
    ) -> Order<'a> {
        let planned = planned(tasks, root, &root.without);
        let (spans, steps) = (BTreeMap::new(), Vec::new());
        Order { root, tasks, stage, filter, planned, lock: None, spans, base, phase: "run", steps }
    }

    /// Has the stage's lock taken before the first task on a server.
    pub(super) fn locked(mut self) -> Order<'a> {
        self.lock = self.tasks.iter().find(|task| task.takes_lock());
        self.planned.extend(self.lock.map(|lock| planned(self.tasks, lock, &[])).into_iter().flatten());
        self
    }

    /// The steps in order, and what has to wait for what.
    ///
    /// # Errors
    ///
    /// When a task that is hooked after another one has to run before it for another reason.
    pub(super) fn finish(mut self) -> Result<(Vec<Step>, Vec<Edge>)> {
        self.visit(self.root.id(), None);
        self.lock_only_what_runs();
        let mut edges = Vec::new();
        for id in &self.planned {
            let (Some(task), Some(span)) = (self.tasks.get(id), self.spans.get(id)) else { continue };
            for first in self.tasks.before(id).iter().chain(&task.needs).filter(|first| self.planned.contains(first)) {
                edges.push(self.edge_before(first, id, span));
            }
            for hook in self.tasks.after(id).iter().filter(|hook| self.planned.contains(hook)) {
                edges.push(self.edge_after(id, span, hook)?);
            }
        }
        Ok((self.steps, edges))
    }

    fn end(&self) -> StepNo {
        self.base + self.steps.len()
    }

    fn visit(&mut self, id: &TaskId, caller: Option<&TaskId>) {
        if !self.planned.contains(id) || self.spans.contains_key(id) {
            return;
        }
        let tasks = self.tasks;
        let Some(task) = tasks.get(id) else { return };
        self.phase = task.as_flow().and_then(|flow| flow.phases.first()).map_or(self.phase, |phase| phase.name);
        let (start, caller) = (self.end(), caller.cloned());
        self.spans.insert(id.clone(), Span { whole: start..start, own: start..start, is_over: false, caller });
        for first in tasks.before(id).iter().chain(&task.needs) {
            self.visit(first, Some(id));
        }
        let own = self.end();
        if task.has_body() {
            self.take_lock(task);
            self.push(task);
        }
        for (phase, step) in phased(task) {
            self.phase = phase.unwrap_or(self.phase);
            self.visit(step, Some(id));
        }
        self.close(id, |span, end| *span = Span { own: own..end, is_over: true, ..span.clone() });
        for hook in tasks.after(id) {
            if self.is_due(hook) {
                self.visit(hook, Some(id));
            }
        }
        self.close(id, |_, _| ());
    }

    fn take_lock(&mut self, task: &Task) {
        if !matches!(task.body, Body::Local(_))
            && let Some(lock) = self.lock.take()
        {
            self.visit(lock.id(), Some(task.id()));
        }
    }

    /// The lock is taken on those servers only that the run does something on.
    fn lock_only_what_runs(&mut self) {
        if self.root.takes_lock() {
            return;
        }
        let others = self.steps.iter().filter(|step| !step.task.takes_lock());
        let used: BTreeSet<_> = others.flat_map(|step| step.servers.iter().copied()).collect();
        for step in self.steps.iter_mut().filter(|step| step.task.takes_lock()) {
            step.servers.retain(|server| used.contains(server));
        }
    }

    fn push(&mut self, task: &Task) {
        let servers = match task.body {
            Body::Local(_) => Vec::new(),
            _ => task.on.of(self.stage, |server| self.filter.keeps(server)),
        };
        self.steps.push(Step { task: task.clone(), servers, phase: self.phase, number: self.end() });
    }

    fn close(&mut self, id: &TaskId, change: impl FnOnce(&mut Span, StepNo)) {
        let end = self.end();
        if let Some(span) = self.spans.get_mut(id) {
            span.whole.end = end;
            change(span, end);
        }
    }

    /// Whether every task that `hook` has to come after is over: a hook on several of them runs after the last.
    fn is_due(&self, hook: &TaskId) -> bool {
        let is_over = |id: &TaskId| self.spans.get(id).is_some_and(|span| span.is_over);
        self.planned.iter().filter(|id| self.tasks.after(id).contains(hook)).all(is_over)
    }

    /// A task that is only a hook point, with nothing in it, stands for everything before it and for everything after.
    fn edge_before(&self, first: &TaskId, id: &TaskId, span: &Span) -> Edge {
        let before = self.spans[first].whole.clone();
        Edge {
            names: (first.clone(), id.clone()),
            first: if before.is_empty() { self.base..before.start } else { before },
            then: if span.own.is_empty() { span.own.start..self.end() } else { span.own.clone() },
        }
    }

    fn edge_after(&self, id: &TaskId, span: &Span, hook: &TaskId) -> Result<Edge> {
        let hooked = &self.spans[hook];
        if !hooked.whole.is_empty() && hooked.whole.start < span.own.end {
            return Err(contradiction(id, hook, hooked.caller.as_ref()));
        }
        let is_point = span.whole.start == span.own.end;
        Ok(Edge {
            names: (id.clone(), hook.clone()),
            first: if is_point { self.base } else { span.whole.start }..hooked.whole.start.min(span.whole.end),
            then: if hooked.whole.is_empty() { hooked.whole.start..self.end() } else { hooked.whole.clone() },
        })
    }
}

fn contradiction(point: &TaskId, hook: &TaskId, caller: Option<&TaskId>) -> Error {
    let reason = caller.map(|caller| format!(", as a part of `{caller}` or for it")).unwrap_or_default();
    Error::config(format!("`{hook}` is hooked after `{point}`, but runs before that is over{reason}"))
        .hint("a task runs once: take one of the two away")
}

/// The task's steps with the phase that each begins, if the task is a flow.
fn phased(task: &Task) -> Vec<(Option<&'static str>, &TaskId)> {
    let Some(flow) = task.as_flow() else { return task.steps.iter().map(|id| (None, id)).collect() };
    flow.phases.iter().flat_map(|phase| phase.tasks.iter().map(|id| (Some(phase.name), id))).collect()
}

/// The tasks that a run of `root` includes. What nobody filled, what the stage doesn't configure and what stands in
/// `without` takes no part, and neither do its hooks.
fn planned(tasks: &Tasks, root: &Task, without: &[TaskId]) -> BTreeSet<TaskId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![root.id()];
    while let Some(id) = open.pop() {
        let Some(task) = tasks.get(id).filter(|task| task.is_filled() && !without.contains(id)) else { continue };
        if seen.insert(id.clone()) {
            open.extend(tasks.leads_to(task));
        }
    }
    seen
}

/// Whether a run of `root` includes the task `id`.
pub(crate) fn includes(tasks: &Tasks, root: &Task, id: &TaskId) -> bool {
    planned(tasks, root, &root.without).contains(id)
}
