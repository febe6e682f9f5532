//! From the registry to what will run: order, servers, barriers. Pure: nothing here contacts anything.

mod alone;
mod filter;
mod legs;
mod order;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::config::Stage;
use crate::error::{Error, Result};
use crate::event::{ServerNo, StepNo, StepOutline};
use crate::registry::Tasks;
use crate::task::{Body, Effect, Rolling, Task, TaskId};

pub(crate) use alone::must_stand_alone;
pub use filter::Filter;
use legs::cut;
use order::Order;
pub(crate) use order::includes;

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
    /// How the tasks of the failure path are run; empty unless the root is a flow, or has one in it.
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
        let task = tasks.get(root).ok_or_else(|| not_there(tasks, root, stage))?;
        if !task.is_filled() {
            return Err(Error::config(format!("nothing is registered on `{root}` in stage `{}`", stage.name))
                .hint(format!("configure a recipe that fills it, or in deploy.toml: [tasks.\"{root}\"] run = \"…\"")));
        }
        let order = Order::of(task, 0, tasks, stage, filter);
        let order = if task.needs_lock() { order.locked() } else { order };
        let (mut steps, edges) = order.finish()?;
        if steps.is_empty() {
            return Err(Error::config(format!("`{root}` is a hook point, and nothing is hooked on it")).hint(format!(
                "hook a task on it, in deploy.toml: [tasks.\"my:task\"] run = \"…\", after = \"{root}\""
            )));
        }
        let flow = tasks.iter().filter(|task| task.is_flow()).find(|flow| includes(tasks, task, flow.id()));
        let failed = flow.and_then(|flow| tasks.get(&flow.as_flow()?.on_failure));
        let (failure_steps, failure_edges) = match failed {
            Some(failed) => Order::of(failed, steps.len(), tasks, stage, filter).finish()?,
            None => Default::default(),
        };
        let several = count_servers(&steps) > 1;
        let legs = cut(&steps, &edges, several);
        let failure_legs = cut(&failure_steps, &failure_edges, several);
        steps.extend(failure_steps);
        let plan = Plan { root: root.clone(), steps, legs, failure_legs };
        plan.check_servers(task, stage, filter)?;
        Ok(plan)
    }

    /// A task that was asked for must run somewhere, and code where there is a release.
    fn check_servers(&self, root: &Task, stage: &Stage, filter: &Filter) -> Result<()> {
        let misplaced =
            |step: &Step| Some((step.task.id.clone(), step.task.on.primary_without_releases(stage)?.label()));
        if let Some((task, server)) = self.steps.iter().find_map(misplaced) {
            return Err(Error::config(format!(
                "`{task}` runs in a release on the primary server `{server}`, which gets none"
            ))
            .hint("take `no_release = true` away, or make another server of the role `primary = true`"));
        }
        let runs_somewhere = |step: &Step| step.is_local() || !step.servers.is_empty();
        let of_root = self.steps.iter().filter(|step| !root.has_body() || step.task.id == root.id);
        let asked = of_root.collect::<Vec<_>>();
        if asked.is_empty() || asked.into_iter().any(runs_somewhere) {
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

    /// Whether no task of it changes anything.
    pub fn only_looks(&self) -> bool {
        self.steps.iter().all(|step| step.task.effect == Effect::Looks)
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

/// A task that the stage doesn't have: its recipe is off there, or deploy.toml gives it to another stage.
fn not_there(tasks: &Tasks, id: &TaskId, stage: &Stage) -> Error {
    let stage = &stage.name;
    let Some(recipe) = tasks.recipe_of(id) else {
        return Error::usage(format!("stage `{stage}` has no task `{id}`"))
            .hint("`cargo xtask tasks` lists what there is");
    };
    Error::usage(format!("`{id}` is a task of the recipe `{recipe}`, which is off in stage `{stage}`")).hint(format!(
        "turn it on in deploy.toml: [stages.{stage}.recipes.{recipe}], or [recipes.{recipe}] for every stage"
    ))
}

fn count_servers(steps: &[Step]) -> usize {
    steps.iter().flat_map(|step| &step.servers).collect::<BTreeSet<_>>().len()
}
