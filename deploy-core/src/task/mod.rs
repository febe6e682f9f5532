//! Tasks, as data: what they are called, which servers they run on, and what they do there.
//!
//! A [`Task`] is made by what it does: [`script`](Task::script), [`on_host`](Task::on_host), [`local`](Task::local),
//! [`group`](Task::group). What else it is, is said by the methods after that:
//!
//! ```
//! use deploy_core::prelude::*;
//! use deploy_core::task::Effect;
//! use std::time::Duration;
//!
//! const RELOAD: TaskId = TaskId::new("nginx:reload");
//! const CHECK: TaskId = TaskId::new("nginx:check");
//!
//! let xtask = Xtask::new()
//!     .task(Task::script(CHECK, "Check the settings of nginx", Servers::role("web"), |_| sh!("nginx -t")).effect(Effect::Looks))
//!     .task(
//!         Task::script(RELOAD, "Reload nginx", Servers::role("web"), |_| sh!("systemctl reload nginx"))
//!             .needs([CHECK])
//!             .as_user("root")
//!             .rolling(1, Duration::from_secs(2)),
//!     )
//!     .hook(When::After(flow::PUBLISHED), RELOAD);
//! xtask.check().unwrap();
//! ```

mod body;
mod command_line;
mod cx;
mod fact;
mod id;
mod machine;
pub(crate) mod names;
mod nature;
mod servers;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use body::{Body, ExplainBody, FeedBody, Flow, HoldBody, HostBody, LocalBody, LocalWork};
pub use body::{Payload, Phase, Rolling};
pub(crate) use body::{ScriptBody, ScriptWork, Spread};
pub(crate) use command_line::Command;
pub use command_line::{Opt, StageArg};
pub(crate) use cx::talk;
pub use cx::{Explain, Facts, Host, Local, Options, ServerCx};
pub use fact::Kind;
pub use id::{TaskId, When};
pub(crate) use machine::{Found, Held, Job, Machine, Reach};
pub use nature::{Dir, Effect, Output};
pub use servers::Servers;

use crate::script::{Hold, Script};

/// A named unit of work.
///
/// ```
/// use deploy_core::sh;
/// use deploy_core::task::{Servers, Task, TaskId};
///
/// const WARM: TaskId = TaskId::new("cache:warm");
/// let task = Task::script(WARM, "Warm the page cache", Servers::role("web"), |cx| {
///     sh!("curl -fsS -o /dev/null {}", format!("http://{}/", cx.server.host))
/// });
/// ```
#[derive(Clone)]
#[must_use]
pub struct Task {
    pub(crate) id: TaskId,
    pub(crate) about: Cow<'static, str>,
    pub(crate) on: Servers,
    pub(crate) body: Body,
    pub(crate) steps: Vec<TaskId>,
    pub(crate) needs: Vec<TaskId>,
    pub(crate) without: Vec<TaskId>,
    pub(crate) effect: Effect,
    pub(crate) dir: Dir,
    pub(crate) as_user: Option<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) command: Command,
    /// What the facts may be that it reports.
    pub(crate) reports: BTreeMap<&'static str, Kind>,
    pub(crate) sets: BTreeSet<&'static str>,
    /// What was said of it that its kind can't have.
    pub(crate) mistakes: BTreeSet<&'static str>,
}

impl Task {
    fn new(id: TaskId, about: impl Into<Cow<'static, str>>, on: Servers, body: Body) -> Task {
        Task {
            id,
            about: about.into(),
            on,
            body,
            steps: Vec::new(),
            needs: Vec::new(),
            without: Vec::new(),
            effect: Effect::Changes,
            dir: Dir::Home,
            as_user: None,
            env: BTreeMap::new(),
            command: Command::default(),
            reports: BTreeMap::new(),
            sets: BTreeSet::new(),
            mistakes: BTreeSet::new(),
        }
    }

    /// A task that runs a script on each of its servers. `body` does no input or output: it is also called to show what
    /// would run. Nearly every task is of this kind, since scripts of a phase are fused into one round trip.
    pub fn script(
        id: TaskId,
        about: impl Into<Cow<'static, str>>,
        on: Servers,
        body: impl Fn(&ServerCx<'_>) -> Script + Send + Sync + 'static,
    ) -> Task {
        Task::new(id, about, on, Body::Script(ScriptWork::new(Arc::new(body))))
    }

    /// A task that does what a script can't (upload, stream, talk back), on all of its servers at once.
    pub fn on_host(
        id: TaskId,
        about: impl Into<Cow<'static, str>>,
        on: Servers,
        body: impl Fn(&Host<'_>) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> Task {
        Task::new(id, about, on, Body::OnHost(Arc::new(body)))
    }

    /// A task that runs on the controller, once.
    pub fn local(
        id: TaskId,
        about: impl Into<Cow<'static, str>>,
        body: impl Fn(&mut Local<'_>) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> Task {
        Task::new(id, about, Servers::all(), Body::Local(LocalWork { run: Arc::new(body), explained: None }))
    }

    /// A task that consists of others, or that is only there to be hooked.
    pub fn group(id: TaskId, about: impl Into<Cow<'static, str>>, steps: impl IntoIterator<Item = TaskId>) -> Task {
        Task { steps: steps.into_iter().collect(), ..Task::new(id, about, Servers::releases(), Body::Group) }
    }

    /// A task that has no body until a recipe, `main.rs` or `deploy.toml` gives it one. Recipes that may stand beside
    /// others give it [steps](crate::registry::Tasks::step) instead.
    pub fn open(id: TaskId, about: impl Into<Cow<'static, str>>) -> Task {
        Task::new(id, about, Servers::releases(), Body::Open)
    }

    /// A flow: phases with a barrier after each, and a task that runs when any of it fails.
    pub fn flow(
        id: TaskId,
        about: impl Into<Cow<'static, str>>,
        phases: impl IntoIterator<Item = Phase>,
        on_failure: TaskId,
    ) -> Task {
        let phases = phases.into_iter().collect::<Vec<_>>();
        let steps = phases.iter().flat_map(|phase| phase.tasks.clone()).collect();
        Task { steps, ..Task::new(id, about, Servers::releases(), Body::Flow(Flow { phases, on_failure })) }
    }

    /// Tasks that must have run before this one, wherever it is called from.
    pub fn needs(mut self, tasks: impl IntoIterator<Item = TaskId>) -> Task {
        self.needs.extend(tasks);
        self
    }

    /// Tasks that are left out when this one is run, though others include them.
    pub fn without(mut self, tasks: impl IntoIterator<Item = TaskId>) -> Task {
        self.without.extend(tasks);
        self
    }

    /// How to take back on a server what this task did there, when it failed on another one.
    pub fn undo(self, body: impl Fn(&ServerCx<'_>) -> Script + Send + Sync + 'static) -> Task {
        self.script_with("has an undo and no script", |work| work.undo = Some(Arc::new(body)))
    }

    /// What the script reads with `deploy_payload`. It is made right before the script goes to the server, when the
    /// facts of all earlier tasks are known.
    pub fn feed(self, body: impl Fn(&ServerCx<'_>) -> anyhow::Result<Option<Payload>> + Send + Sync + 'static) -> Task {
        self.script_with("has a feed and no script", |work| work.feed = Some(Arc::new(body)))
    }

    /// Runs on `group` servers at a time, with `wait` between the groups. It takes the place of a [`limit`](Task::limit).
    pub fn rolling(self, group: usize, wait: Duration) -> Task {
        self.spread(Spread::Rolling(Rolling { group: group.max(1), wait }))
    }

    /// Runs on at most `servers` servers at the same time. It takes the place of [`rolling`](Task::rolling).
    pub fn limit(self, servers: usize) -> Task {
        self.spread(Spread::AtMost(servers.max(1)))
    }

    fn spread(self, spread: Spread) -> Task {
        let mistake = "is rolling or limited, which only tasks with a script can be";
        self.script_with(mistake, |work| work.spread = spread)
    }

    fn script_with(mut self, mistake: &'static str, change: impl FnOnce(&mut ScriptWork)) -> Task {
        if let Body::Script(work) = &mut self.body {
            change(work);
        } else {
            self.mistakes.insert(mistake);
        }
        self
    }

    /// Runs in `dir`.
    pub fn dir(self, dir: Dir) -> Task {
        Task { dir, ..self }
    }

    /// Runs as another user, through `sudo -n`.
    pub fn as_user(self, user: impl Into<String>) -> Task {
        Task { as_user: Some(user.into()), ..self }
    }

    /// Sets a variable for this task. `$NAME` in the value expands on the server.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Task {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets several variables, as [`env`](Task::env) does one.
    pub fn envs<N: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Task {
        variables.into_iter().fold(self, |task, (name, value)| task.env(name, value))
    }

    /// Adds an option to the command line of this task: the body, and those of all tasks in the run, can read it. A flow
    /// that includes the task doesn't have the option, unless it is [added](crate::registry::Tasks::option) there too, or
    /// to a flow that is a part of it.
    pub fn option(mut self, option: Opt) -> Task {
        self.command.options.push(option);
        self
    }

    /// Has the stage named by `--stage` on the command line; where nothing is said, `default` is meant. The option `stage`
    /// has a value only where something was said.
    pub fn stage_option(mut self, default: &'static str) -> Task {
        self.command.stage = StageArg::Option(default);
        self
    }

    /// Has the stage named by `--stage`, for a task that is about all stages where nothing is said. It runs in the first
    /// stage then, and the option `stage` has no value.
    pub fn any_stage(mut self) -> Task {
        self.command.stage = StageArg::Any;
        self
    }

    /// What `--plan` and `--dry-run` show of a task on the controller: in a few lines what it would do where, and in a dry
    /// run also its scripts. Secrets don't belong there. Like all of a plan it contacts no server.
    pub fn explained(mut self, body: impl Fn(&Explain<'_>) -> String + Send + Sync + 'static) -> Task {
        if let Body::Local(work) = &mut self.body {
            work.explained = Some(Arc::new(body));
        } else {
            self.mistakes.insert("is explained, which only tasks on the controller can be");
        }
        self
    }

    /// What the program goes on to hold on the server until the run is over.
    pub(crate) fn hold(self, body: impl Fn(&ServerCx<'_>) -> Hold + Send + Sync + 'static) -> Task {
        self.script_with("holds something and has no script", |work| work.hold = Some(Arc::new(body)))
    }

    /// What the task does to the stage. Without it, it [changes](Effect::Changes) something there.
    ///
    /// ```
    /// use deploy_core::prelude::*;
    /// use deploy_core::task::{Effect, Output};
    ///
    /// const DISK: TaskId = TaskId::new("disk:free");
    /// let task = Task::script(DISK, "Show how much room is left", Servers::all(), |_| sh!("df -h"))
    ///     .effect(Effect::Looks)
    ///     .output(Output::Answer);
    /// ```
    pub fn effect(self, effect: Effect) -> Task {
        Task { effect, ..self }
    }

    /// What the output is for, when the task is run by its name. Without it, to [watch](Output::Progress) the run.
    pub fn output(mut self, output: Output) -> Task {
        self.command.output = output;
        self
    }

    /// Hides the task from lists and trees, unless they are asked for `--all`: a part of others that few will call by
    /// its name.
    pub fn hidden(mut self) -> Task {
        self.command.hidden = true;
        self
    }

    /// Says that the task does something only in a run of `flow`: where it is called by its name, that is refused.
    pub fn part_of(mut self, flow: TaskId) -> Task {
        self.command.part_of = Some(flow);
        self
    }

    /// Has the task, run by its name, answer for the servers that could be reached, where others could not. They are in
    /// [`Local::lost`], and the run fails in the end all the same.
    pub fn partial(mut self) -> Task {
        self.command.partial = true;
        self
    }

    /// The id.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// The one line of description.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Whether lists show it where not everything is asked for: it is neither a part of others nor only a hook point.
    pub(crate) fn is_prominent(&self) -> bool {
        !self.command.hidden && self.command.part_of.is_none() && !matches!(self.body, Body::Group)
    }

    /// Whether it is a flow.
    pub fn is_flow(&self) -> bool {
        matches!(self.body, Body::Flow(_))
    }

    /// Whether a run of it does anything: false only for an open task that nobody filled.
    pub fn is_filled(&self) -> bool {
        !self.is_open() || !self.steps.is_empty()
    }

    /// Whether it can still be given a body.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.body, Body::Open)
    }

    /// What is wrong with the task itself.
    pub(crate) fn problems(&self) -> Vec<String> {
        let id = &self.id;
        let mut problems: Vec<_> = self.mistakes.iter().map(|mistake| format!("the task `{id}` {mistake}")).collect();
        for (number, Opt { name, .. }) in self.command.options.iter().enumerate() {
            if Opt::TAKEN.contains(name) {
                problems.push(format!("the option `--{name}` of the task `{id}` is one that every task has"));
            } else if self.command.options[..number].iter().any(|known| known.name == *name) {
                problems.push(format!("the task `{id}` has two options `--{name}`"));
            }
        }
        problems
    }

    /// Whether it takes the stage's lock: the planner puts it before everything that changes something.
    pub(crate) fn takes_lock(&self) -> bool {
        self.script_work().is_some_and(|work| work.hold.is_some())
    }

    /// Whether a run of it by its name has to hold the stage's lock.
    pub(crate) fn needs_lock(&self) -> bool {
        matches!(self.effect, Effect::Changes | Effect::Prepares) && !self.takes_lock()
    }

    /// Whether it must not begin before the lock is held on all servers.
    pub(crate) fn waits_for_all_locks(&self) -> bool {
        matches!(self.effect, Effect::Changes | Effect::Elsewhere) && !self.takes_lock()
    }

    /// Its script, and what belongs to it.
    pub(crate) fn script_work(&self) -> Option<&ScriptWork> {
        if let Body::Script(work) = &self.body { Some(work) } else { None }
    }

    /// What its script reads with `deploy_payload`.
    pub(crate) fn feed_body(&self) -> Option<&FeedBody> {
        self.script_work()?.feed.as_ref()
    }

    /// How to take it back.
    pub(crate) fn undo_body(&self) -> Option<&ScriptBody> {
        self.script_work()?.undo.as_ref()
    }

    /// What its program goes on to hold.
    pub(crate) fn hold_body(&self) -> Option<&HoldBody> {
        self.script_work()?.hold.as_ref()
    }

    /// How many servers may run it at the same time, if not all.
    pub(crate) fn most_at_once(&self) -> Option<usize> {
        match self.script_work()?.spread {
            Spread::AtMost(servers) => Some(servers),
            Spread::All | Spread::Rolling(_) => None,
        }
    }

    /// Group after group, if it runs so.
    pub(crate) fn rolls(&self) -> Option<Rolling> {
        match self.script_work()?.spread {
            Spread::Rolling(rolling) => Some(rolling),
            Spread::All | Spread::AtMost(_) => None,
        }
    }

    /// What it says of itself in a plan.
    pub(crate) fn explanation(&self) -> Option<&ExplainBody> {
        if let Body::Local(work) = &self.body { work.explained.as_ref() } else { None }
    }

    /// The phases and the failure path, if it is a flow.
    pub(crate) fn as_flow(&self) -> Option<&Flow> {
        if let Body::Flow(flow) = &self.body { Some(flow) } else { None }
    }

    /// The same without what fed its script.
    pub(crate) fn without_feed(self) -> Task {
        self.script_with("has no script that could be fed", |work| work.feed = None)
    }

    /// Whether it does something itself, rather than through others.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.body, Body::Group | Body::Flow(_) | Body::Open)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("on", &self.on)
            .field("steps", &self.steps)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}
