//! From the registry to what will run: order, servers, barriers. Pure: nothing here contacts anything.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::config::{Server, Stage};
use crate::error::{Error, Result};
use crate::event::{ServerNo, StepNo, StepOutline};
use crate::registry::Tasks;
use crate::task::{Body, Rolling, Task, TaskId};

/// What a run will do, step by step.
///
/// A plan is a value: it can be shown, checked and tested without a server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was asked for.
    pub root: TaskId,
    /// Every task that does something, in order. The steps of the failure path stand at the end.
    pub steps: Vec<Step>,
    /// How they are run.
    pub legs: Vec<Leg>,
    /// How the tasks of the failure path are run; empty unless the root is a flow.
    pub failure_legs: Vec<Leg>,
}

/// A task on its servers.
#[derive(Clone, Debug)]
pub struct Step {
    /// The task.
    pub task: Task,
    /// The servers, by their number in the stage. Empty for a task on the controller, and for one whose servers were
    /// all filtered out.
    pub servers: Vec<ServerNo>,
    /// The phase that it belongs to.
    pub phase: &'static str,
    /// The step's number.
    pub number: StepNo,
}

impl Step {
    /// Whether it runs on the controller.
    pub fn is_local(&self) -> bool {
        matches!(self.task.body, Body::Local(_))
    }
}

/// A stretch of a plan between two barriers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Script tasks, fused into one program for each server.
    Scripts {
        /// The tasks, in order; each server runs those that it is among the servers of.
        steps: Vec<StepNo>,
        /// What comes after this barrier has to wait for it, because of a phase's end or of an edge.
        why: Barrier,
    },
    /// One task that talks to its servers.
    OnHost(StepNo),
    /// One task on the controller.
    Local(StepNo),
    /// One script task, group after group.
    Rolling(StepNo, Rolling),
}

impl Leg {
    /// The steps that the leg runs.
    pub fn steps(&self) -> Vec<StepNo> {
        match self {
            Leg::Scripts { steps, .. } => steps.clone(),
            Leg::OnHost(step) | Leg::Local(step) | Leg::Rolling(step, _) => vec![*step],
        }
    }
}

/// Why a leg ends where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// The phase ends.
    Phase(&'static str),
    /// A task runs after another one that runs on other servers.
    Edge(TaskId, TaskId),
    /// What follows needs the controller: a local task, one that talks to servers, one that is fed.
    Controller(TaskId),
    /// What follows goes from server to server.
    Rolling(TaskId),
    /// The plan ends.
    End,
}

/// Which of a stage's servers take part.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Host names; empty: every host.
    pub hosts: Vec<String>,
    /// Roles; empty: every role.
    pub roles: Vec<String>,
}

impl Filter {
    /// Whether `server` takes part: it is one of the hosts and has one of the roles.
    pub fn keeps(&self, server: &Server) -> bool {
        let host =
            self.hosts.is_empty() || self.hosts.iter().any(|host| *host == server.host || *host == server.label());
        host && (self.roles.is_empty() || self.roles.iter().any(|role| server.roles.contains(role)))
    }

    /// Whether every server takes part.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.roles.is_empty()
    }

    /// Fails unless every name is known and at least one server takes part.
    ///
    /// # Errors
    ///
    /// Of kind usage: a host or role that the stage doesn't have, or no server left.
    pub fn check(&self, stage: &Stage) -> Result<()> {
        let hosts = stage.servers.iter().flat_map(|server| [server.host.clone(), server.label()]);
        let roles = stage.servers.iter().flat_map(|server| server.roles.clone());
        known_names("host", &self.hosts, hosts.collect(), stage)?;
        known_names("role", &self.roles, roles.collect(), stage)?;
        if stage.servers.iter().any(|server| self.keeps(server)) {
            return Ok(());
        }
        Err(Error::usage(format!("no server of stage `{}` is one of the hosts and has one of the roles", stage.name))
            .hint(format!("hosts: {}; roles: {}", self.hosts.join(", "), self.roles.join(", "))))
    }
}

fn known_names(kind: &str, wanted: &[String], known: BTreeSet<String>, stage: &Stage) -> Result<()> {
    let Some(unknown) = wanted.iter().find(|name| !known.contains(*name)) else {
        return Ok(());
    };
    let error = Error::usage(format!("stage `{}` has no {kind} `{unknown}`", stage.name));
    let error = match crate::error::nearest(unknown, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    Err(error.hint(format!("it has {}", known.into_iter().collect::<Vec<_>>().join(", "))))
}

impl Plan {
    /// Plans `root` for the servers of `stage` that `filter` keeps.
    ///
    /// # Errors
    ///
    /// When the registry has problems, the root is an open task that nobody filled, or no server is left for it.
    pub fn new(tasks: &Tasks, root: &TaskId, stage: &Stage, filter: &Filter) -> Result<Plan> {
        if let Some(problem) = tasks.check().into_iter().next() {
            return Err(Error::config(problem));
        }
        let task = tasks.get(root).ok_or_else(|| Error::usage(format!("there is no task `{root}`")))?;
        if !task.is_filled() {
            return Err(Error::config(format!("nothing is registered on `{root}` in stage `{}`", stage.name))
                .hint(format!("configure a recipe that fills it, or in deploy.toml: [tasks.\"{root}\"] run = \"…\"")));
        }
        let mut planner = Planner::new(tasks, stage, filter);
        planner.spans.extend(task.without.iter().map(|id| (id.clone(), 0..0)));
        planner.locks = !task.unlocked;
        planner.visit(root, &mut Vec::new())?;
        planner.lock_only_what_runs();
        let legs = planner.legs(0);
        let failure_from = planner.steps.len();
        if let Some(failed) = &task.on_failure {
            planner.phase = "failure";
            planner.visit(failed, &mut Vec::new())?;
        }
        let failure_legs = planner.legs(failure_from);
        let plan = Plan { root: root.clone(), steps: planner.steps, legs, failure_legs };
        plan.check_servers(task, stage, filter)?;
        Ok(plan)
    }

    /// A task that was asked for must run somewhere.
    fn check_servers(&self, root: &Task, stage: &Stage, filter: &Filter) -> Result<()> {
        if self.steps.iter().any(|step| step.is_local() || !step.servers.is_empty()) {
            return Ok(());
        }
        let roles = root.on.named_roles().join("`, `");
        let which = if roles.is_empty() { "a server".to_owned() } else { format!("a server with role `{roles}`") };
        let filtered = if filter.is_empty() { "" } else { " that the filters leave" };
        Err(Error::usage(format!("`{}` needs {which}, and stage `{}` has none{filtered}", root.id, stage.name)))
    }

    /// The servers that take part in any step, in order.
    pub fn servers(&self) -> Vec<ServerNo> {
        let all: BTreeSet<_> = self.steps.iter().flat_map(|step| step.servers.clone()).collect();
        all.into_iter().collect()
    }

    /// How many commands the plan starts on `server`, when nothing fails.
    pub fn execs_on(&self, server: ServerNo) -> usize {
        let runs = |step: &StepNo| self.steps[*step].servers.contains(&server);
        self.legs.iter().filter(|leg| !matches!(leg, Leg::Local(_)) && leg.steps().iter().any(runs)).count()
    }

    /// The steps, for a run's outline.
    pub fn outline(&self) -> Vec<StepOutline> {
        let step = |step: &Step| StepOutline {
            id: step.task.id.to_string(),
            about: step.task.about.to_string(),
            servers: step.servers.clone(),
        };
        self.steps.iter().map(step).collect()
    }
}

/// A hook or prerequisite between tasks on different servers.
struct Edge {
    first: TaskId,
    second: TaskId,
    /// What must have ended on all servers.
    span: Range<StepNo>,
    /// The step before which it must have.
    before: StepNo,
}

/// Orders tasks depth first: hooks before, prerequisites, the task, its steps, hooks after; each at most once.
struct Planner<'a> {
    tasks: &'a Tasks,
    stage: &'a Stage,
    filter: &'a Filter,
    steps: Vec<Step>,
    /// The steps that belong to each task that was visited: its hooks before, itself, its parts, its hooks after.
    spans: BTreeMap<TaskId, Range<StepNo>>,
    edges: Vec<Edge>,
    phase: &'static str,
    several: bool,
    /// Whether the stage's lock has yet to be taken, before the first task on a server.
    locks: bool,
}

impl<'a> Planner<'a> {
    fn new(tasks: &'a Tasks, stage: &'a Stage, filter: &'a Filter) -> Planner<'a> {
        let several = stage.servers.iter().filter(|server| filter.keeps(server)).count() > 1;
        let (spans, steps, edges) = (BTreeMap::new(), Vec::new(), Vec::new());
        Planner { tasks, stage, filter, spans, steps, edges, phase: "run", several, locks: false }
    }

    fn servers(&self, task: &Task) -> Vec<ServerNo> {
        match task.body {
            Body::Local(_) => Vec::new(),
            _ => task.on.of(self.stage, |server| self.filter.keeps(server)),
        }
    }

    fn visit(&mut self, id: &TaskId, path: &mut Vec<TaskId>) -> Result<()> {
        if self.tasks.is_inert(id) {
            return Ok(());
        }
        let task = self.tasks.get(id).ok_or_else(|| Error::config(format!("there is no task `{id}`")))?;
        if !task.is_filled() || self.spans.contains_key(id) {
            return Ok(());
        }
        let start = self.steps.len();
        self.spans.insert(id.clone(), start..start);
        path.push(id.clone());
        for hook in self.tasks.before(id).iter().chain(&task.needs) {
            self.visit(hook, path)?;
            self.edge(hook, id);
        }
        if task.has_body() {
            if self.locks && !matches!(task.body, Body::Local(_)) {
                self.locks = false;
                self.visit(&crate::flow::lock::LOCK, path)?;
            }
            let (servers, number) = (self.servers(task), self.steps.len());
            self.steps.push(Step { task: task.clone(), servers, phase: self.phase, number });
        }
        for (phase, step) in phased(task) {
            self.phase = phase.unwrap_or(self.phase);
            self.visit(step, path)?;
        }
        for hook in self.tasks.after(id) {
            self.spans.insert(id.clone(), start..self.steps.len());
            self.edge(id, hook);
            self.visit(hook, path)?;
        }
        self.spans.insert(id.clone(), start..self.steps.len());
        path.pop();
        Ok(())
    }

    /// The lock is taken on those servers only that the run does something on.
    fn lock_only_what_runs(&mut self) {
        let is_lock = |step: &Step| step.task.id == crate::flow::lock::LOCK;
        let others = self.steps.iter().filter(|step| !is_lock(step));
        let used: BTreeSet<ServerNo> = others.flat_map(|step| step.servers.iter().copied()).collect();
        for step in self.steps.iter_mut().filter(|step| is_lock(step)) {
            step.servers.retain(|server| used.contains(server));
        }
    }

    /// What comes next waits for `first` on all servers, if the two run on different ones. A task that is only a hook
    /// point stands for everything before it.
    fn edge(&mut self, first: &TaskId, second: &TaskId) {
        let [Some(first), Some(second)] = [first, second].map(|id| self.tasks.get(id)) else { return };
        let runs_on_servers = |task: &Task| task.is_filled() && !matches!(task.body, Body::Local(_));
        if !runs_on_servers(first) || !runs_on_servers(second) || self.servers(first) == self.servers(second) {
            return;
        }
        let before = self.steps.len();
        let span = self.spans.get(&first.id).cloned().filter(|span| !span.is_empty()).unwrap_or(0..before);
        self.edges.push(Edge { first: first.id.clone(), second: second.id.clone(), span, before });
    }

    /// Cuts the steps from `from` on into legs.
    fn legs(&self, from: StepNo) -> Vec<Leg> {
        let mut legs = Vec::new();
        let mut fused: Vec<StepNo> = Vec::new();
        for step in &self.steps[from..] {
            if let Some(why) = self.barrier_before(step, &fused) {
                legs.push(Leg::Scripts { steps: std::mem::take(&mut fused), why });
            }
            match self.own_leg(step) {
                Some(leg) => legs.push(leg),
                None => fused.push(step.number),
            }
        }
        if !fused.is_empty() {
            legs.push(Leg::Scripts { steps: fused, why: Barrier::End });
        }
        legs
    }

    /// The leg that the step has for itself, if it can't be fused.
    fn own_leg(&self, step: &Step) -> Option<Leg> {
        match step.task.body {
            Body::Local(_) => Some(Leg::Local(step.number)),
            Body::OnHost(_) => Some(Leg::OnHost(step.number)),
            _ => {
                let rolling = step.task.rolling.filter(|rolling| step.servers.len() > rolling.group);
                rolling.map(|rolling| Leg::Rolling(step.number, rolling))
            }
        }
    }

    fn barrier_before(&self, step: &Step, fused: &[StepNo]) -> Option<Barrier> {
        let last = *fused.last()?;
        let id = || step.task.id.clone();
        match self.own_leg(step) {
            Some(Leg::Rolling(..)) => return Some(Barrier::Rolling(id())),
            Some(_) => return Some(Barrier::Controller(id())),
            None if step.task.feed.is_some() => return Some(Barrier::Controller(id())),
            None => {}
        }
        if !self.several {
            return None;
        }
        if self.steps[last].phase != step.phase {
            return Some(Barrier::Phase(self.steps[last].phase));
        }
        let lies_here = |edge: &&Edge| edge.before > last && edge.before <= step.number;
        let waits = |edge: &&Edge| fused.iter().any(|step| edge.span.contains(step));
        let edge = self.edges.iter().find(|edge| lies_here(edge) && waits(edge));
        edge.map(|edge| Barrier::Edge(edge.first.clone(), edge.second.clone()))
    }
}

/// The task's steps with the phase that each begins, if the task is a flow.
fn phased(task: &Task) -> Vec<(Option<&'static str>, &TaskId)> {
    match task.is_flow() {
        true => task.phases.iter().flat_map(|phase| phase.tasks.iter().map(|id| (Some(phase.name), id))).collect(),
        false => task.steps.iter().map(|id| (None, id)).collect(),
    }
}

/// The task `id` and every task that a run of it includes.
pub(crate) fn members(tasks: &Tasks, id: &TaskId) -> BTreeSet<TaskId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![id.clone()];
    while let Some(id) = open.pop() {
        let Some(task) = tasks.get(&id) else { continue };
        if seen.insert(id.clone()) {
            let next = tasks.before(&id).iter().chain(&task.needs).chain(&task.steps).chain(tasks.after(&id));
            open.extend(next.cloned());
        }
    }
    seen
}

/// The cycle that following hooks, prerequisites and steps from `id` leads into, as text.
pub(crate) fn cycle_through(tasks: &Tasks, id: &TaskId) -> Option<String> {
    let mut done = BTreeSet::new();
    follow(tasks, id, &mut Vec::new(), &mut done)
}

fn follow(tasks: &Tasks, id: &TaskId, path: &mut Vec<TaskId>, done: &mut BTreeSet<TaskId>) -> Option<String> {
    if let Some(at) = path.iter().position(|visited| visited == id) {
        let chain: Vec<_> = path[at..].iter().chain([id]).map(|id| format!("`{id}`")).collect();
        return Some(format!("tasks run in a circle: {}", chain.join(" → ")));
    }
    if done.contains(id) {
        return None;
    }
    path.push(id.clone());
    let task = tasks.get(id)?;
    let next = tasks.before(id).iter().chain(&task.needs).chain(&task.steps).chain(tasks.after(id));
    let found = next.cloned().collect::<Vec<_>>().iter().find_map(|next| follow(tasks, next, path, done));
    path.pop();
    done.insert(id.clone());
    found
}
