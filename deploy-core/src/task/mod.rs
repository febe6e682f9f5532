//! Tasks, as data: what they are called, which servers they run on, and what they do there.

mod command_line;
mod cx;
mod machine;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use command_line::{Opt, StageArg};
pub(crate) use cx::talk;
pub use cx::{Explain, Facts, Host, Local, Options, ServerCx};
pub(crate) use machine::{Found, Held, Job, Machine, Reach};

use crate::config::{Server, Stage};
use crate::error::{Error, Result};
use crate::script::{Hold, Script};

/// The name of a task: words of letters, digits and underscores, joined by colons (`deploy:symlink:release`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Cow<'static, str>);

impl TaskId {
    /// The id `id`. A malformed one doesn't compile where it stands in a `const`:
    ///
    /// ```compile_fail
    /// # use deploy_core::task::TaskId;
    /// const WARM: TaskId = TaskId::new("cache warm");
    /// ```
    ///
    /// # Panics
    ///
    /// When `id` is malformed.
    pub const fn new(id: &'static str) -> TaskId {
        assert!(is_well_formed(id), "a task id is words of a-z, 0-9 and _, joined by colons");
        TaskId(Cow::Borrowed(id))
    }

    /// The id that `text` spells.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn parse(text: &str) -> Result<TaskId> {
        match is_well_formed(text) {
            true => Ok(TaskId(Cow::Owned(text.to_owned()))),
            false => Err(Error::config(format!("`{text}` is no task id"))
                .hint("a task id is words of a-z, 0-9 and _, joined by colons: `cache:clear`")),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words as they stand on the command line: `deploy`, `symlink`, `release`.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.0.split(':').map(|word| word.replace('_', "-"))
    }
}

const fn is_well_formed(id: &str) -> bool {
    let bytes = id.as_bytes();
    let mut at = 0;
    let mut word_is_empty = true;
    while at < bytes.len() {
        match bytes[at] {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => word_is_empty = false,
            b':' if !word_is_empty => word_is_empty = true,
            _ => return false,
        }
        at += 1;
    }
    !word_is_empty
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// Which servers of a stage a task runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers {
    roles: Option<Vec<String>>,
    primary: bool,
    with_releases: bool,
}

impl Servers {
    /// Every server, also those that get no release.
    pub fn all() -> Servers {
        Servers { roles: None, primary: false, with_releases: false }
    }

    /// Every server that gets releases.
    pub fn releases() -> Servers {
        Servers { with_releases: true, ..Servers::all() }
    }

    /// The servers of a role.
    pub fn role(role: impl Into<String>) -> Servers {
        Servers::roles([role])
    }

    /// The servers that have any of `roles`.
    pub fn roles<R: Into<String>>(roles: impl IntoIterator<Item = R>) -> Servers {
        Servers { roles: Some(roles.into_iter().map(Into::into).collect()), ..Servers::all() }
    }

    /// One server of a role: the one flagged `primary`, else the first. Filters such as `--hosts` don't change which
    /// one it is: where they leave it out, the task runs nowhere.
    pub fn primary(role: impl Into<String>) -> Servers {
        Servers { primary: true, ..Servers::role(role) }
    }

    /// Only those of them that get releases.
    #[must_use]
    pub fn with_releases(self) -> Servers {
        Servers { with_releases: true, ..self }
    }

    /// The numbers, in the stage, of the servers that are meant, among those that `kept` keeps.
    pub fn of(&self, stage: &Stage, kept: impl Fn(&Server) -> bool) -> Vec<usize> {
        let has_role = |server: &Server| match &self.roles {
            None => true,
            Some(roles) => roles.iter().any(|role| server.roles.contains(role)),
        };
        let mut chosen: Vec<_> = stage.servers.iter().enumerate().filter(|(_, server)| has_role(server)).collect();
        if self.primary {
            let primary = chosen.iter().position(|(_, server)| server.primary).unwrap_or(0);
            chosen = chosen.get(primary).copied().into_iter().collect();
        }
        let runs = |server: &Server| kept(server) && !(self.with_releases && server.no_release);
        chosen.into_iter().filter(|(_, server)| runs(server)).map(|(number, _)| number).collect()
    }

    /// The primary server that would be meant, if it gets no release though only servers with releases are.
    pub(crate) fn primary_without_releases<'s>(&self, stage: &'s Stage) -> Option<&'s Server> {
        let anywhere = Servers { with_releases: false, ..self.clone() };
        let chosen = anywhere.of(stage, |_| true).first().map(|number| &stage.servers[*number]);
        chosen.filter(|server| self.primary && self.with_releases && server.no_release)
    }

    /// The roles that are named.
    pub fn named_roles(&self) -> &[String] {
        self.roles.as_deref().unwrap_or_default()
    }
}

/// Where a hook stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Before this task begins.
    Before(TaskId),
    /// After this task and everything that belongs to it has ended.
    After(TaskId),
}

/// What a script task runs: a pure function of settings and of facts that earlier phases found out.
pub type ScriptBody = Arc<dyn Fn(&ServerCx<'_>) -> Script + Send + Sync>;

/// What a task that talks to a server runs.
pub type HostBody = Arc<dyn Fn(&Host<'_>) -> anyhow::Result<()> + Send + Sync>;

/// What a task on the controller runs.
pub type LocalBody = Arc<dyn Fn(&mut Local<'_>) -> anyhow::Result<()> + Send + Sync>;

/// Makes what a script reads with `deploy_payload`, for one server.
pub type FeedBody = Arc<dyn Fn(&ServerCx<'_>) -> anyhow::Result<Option<Payload>> + Send + Sync>;

/// What the program of a script task goes on to hold.
pub type HoldBody = Arc<dyn Fn(&ServerCx<'_>) -> Hold + Send + Sync>;

/// Says what a task on the controller would do.
pub type ExplainBody = Arc<dyn Fn(&Explain<'_>) -> String + Send + Sync>;

/// What a task does.
#[derive(Clone)]
pub enum Body {
    /// Nothing of its own: it has steps, or is there to be hooked.
    Group,
    /// Nothing yet: a recipe or `deploy.toml` fills it, or gives it steps. Without either it takes no part in a run.
    Open,
    /// Shell on each server, fused with the tasks around it.
    Script(ScriptBody),
    /// Rust that talks to each server.
    OnHost(HostBody),
    /// Rust on the controller, once.
    Local(LocalBody),
}

/// Bytes that go to a server's standard input.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The file that holds them.
    pub file: PathBuf,
    /// How many they are.
    pub bytes: u64,
}

/// Server after server, or group after group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// How many servers run the task at a time; at least one.
    pub group: usize,
    /// How long to wait between groups.
    pub wait: Duration,
}

/// Which directory a script task runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dir {
    /// Where the login shell begins.
    #[default]
    Home,
    /// The release: the one that is being made or reverted to; else the live one.
    Release,
    /// This path.
    Path(String),
}

/// A stretch of a flow that ends in a barrier over all servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What the barrier is called in `--plan`: `check`, `update`, `switch`.
    pub name: &'static str,
    /// The tasks, in order.
    pub tasks: Vec<TaskId>,
}

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
    pub(crate) phases: Vec<Phase>,
    pub(crate) on_failure: Option<TaskId>,
    pub(crate) without: Vec<TaskId>,
    pub(crate) undo: Option<ScriptBody>,
    pub(crate) feed: Option<FeedBody>,
    pub(crate) rolling: Option<Rolling>,
    pub(crate) limit: Option<usize>,
    pub(crate) dir: Dir,
    pub(crate) as_user: Option<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) options: Vec<Opt>,
    pub(crate) stage_arg: StageArg,
    pub(crate) hold: Option<HoldBody>,
    pub(crate) explained: Option<ExplainBody>,
    pub(crate) harmless: bool,
    pub(crate) unlocked: bool,
    pub(crate) answers: bool,
    pub(crate) prints_result: bool,
    pub(crate) detail: bool,
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
            phases: Vec::new(),
            on_failure: None,
            without: Vec::new(),
            undo: None,
            feed: None,
            rolling: None,
            limit: None,
            dir: Dir::Home,
            as_user: None,
            env: BTreeMap::new(),
            options: Vec::new(),
            stage_arg: StageArg::Word,
            hold: None,
            explained: None,
            harmless: false,
            unlocked: false,
            answers: false,
            prints_result: false,
            detail: false,
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
        Task::new(id, about, on, Body::Script(Arc::new(body)))
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
        Task::new(id, about, Servers::all(), Body::Local(Arc::new(body)))
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
        let group = Task::new(id, about, Servers::releases(), Body::Group);
        Task { steps, phases, on_failure: Some(on_failure), ..group }
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
        Task { undo: Some(Arc::new(body)), ..self }
    }

    /// What the script reads with `deploy_payload`. It is made right before the script goes to the server, when the
    /// facts of all earlier tasks are known.
    pub fn feed(self, body: impl Fn(&ServerCx<'_>) -> anyhow::Result<Option<Payload>> + Send + Sync + 'static) -> Task {
        Task { feed: Some(Arc::new(body)), ..self }
    }

    /// Runs on `group` servers at a time, with `wait` between the groups.
    pub fn rolling(self, group: usize, wait: Duration) -> Task {
        Task { rolling: Some(Rolling { group: group.max(1), wait }), ..self }
    }

    /// Runs on at most `servers` servers at the same time.
    pub fn limit(self, servers: usize) -> Task {
        Task { limit: Some(servers.max(1)), ..self }
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
        self.options.push(option);
        self
    }

    /// Has the stage named by `--stage` on the command line; where nothing is said, `default` is meant. The option `stage`
    /// has a value only where something was said.
    pub fn stage_option(self, default: &'static str) -> Task {
        Task { stage_arg: StageArg::Option(default), ..self }
    }

    /// Has the stage named by `--stage`, for a task that is about all stages where nothing is said. It runs in the first
    /// stage then, and the option `stage` has no value.
    pub fn any_stage(self) -> Task {
        Task { stage_arg: StageArg::Any, ..self }
    }

    /// What `--plan` and `--dry-run` show of a task on the controller: in a few lines what it would do where, and in a dry
    /// run also its scripts. Secrets don't belong there. Like all of a plan it contacts no server.
    pub fn explained(self, body: impl Fn(&Explain<'_>) -> String + Send + Sync + 'static) -> Task {
        Task { explained: Some(Arc::new(body)), ..self }
    }

    /// What the program goes on to hold on the server until the run is over.
    pub(crate) fn hold(self, body: impl Fn(&ServerCx<'_>) -> Hold + Send + Sync + 'static) -> Task {
        Task { hold: Some(Arc::new(body)), ..self }
    }

    /// Says that the task changes nothing that another run could mind: it need not wait until the stage's lock is held on
    /// all servers.
    pub fn harmless(self) -> Task {
        Task { harmless: true, ..self }
    }

    /// Says that a run of this task changes nothing, and takes no lock.
    pub fn unlocked(self) -> Task {
        Task { unlocked: true, ..self }
    }

    /// Says that the task is there to print an answer: how it is found out isn't shown.
    pub fn answers(self) -> Task {
        Task { answers: true, ..self }
    }

    /// Says that a run of this task by its name has a result for programs: standard output has what [`Local::print`]
    /// printed and nothing else, and the run is shown on standard error. With `--format json` the result is an event.
    pub fn prints_result(self) -> Task {
        Task { prints_result: true, ..self }
    }

    /// Shows the task only where `--all` is asked for: a part of others that few will call by name.
    pub fn detail(self) -> Task {
        Task { detail: true, ..self }
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
        !self.detail && (self.is_flow() || !matches!(self.body, Body::Group))
    }

    /// Whether it is a flow.
    pub fn is_flow(&self) -> bool {
        !self.phases.is_empty()
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
        let mut problems = Vec::new();
        if !matches!(self.body, Body::Script(_)) && self.feed.is_some() {
            problems.push(format!("the task `{id}` has a feed and no script"));
        }
        if !matches!(self.body, Body::Script(_)) && (self.rolling.is_some() || self.limit.is_some()) {
            problems.push(format!("the task `{id}` is rolling or limited, which only tasks with a script can be"));
        }
        if !matches!(self.body, Body::Local(_)) && self.explained.is_some() {
            problems.push(format!("the task `{id}` is explained, which only tasks on the controller can be"));
        }
        for (number, Opt { name, .. }) in self.options.iter().enumerate() {
            if Opt::TAKEN.contains(name) {
                problems.push(format!("the option `--{name}` of the task `{id}` is one that every task has"));
            } else if self.options[..number].iter().any(|known| known.name == *name) {
                problems.push(format!("the task `{id}` has two options `--{name}`"));
            }
        }
        problems
    }

    /// Whether it takes the stage's lock: the planner puts it before everything that changes something.
    pub(crate) fn takes_lock(&self) -> bool {
        self.hold.is_some()
    }

    /// Whether it does something itself, rather than through others.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.body, Body::Group | Body::Open)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_words_joined_by_colons() {
        for good in ["deploy", "deploy:check:linked_files", "a1:b_2"] {
            assert!(TaskId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ":", "a:", ":a", "a::b", "A", "a b", "a-b", "ä"] {
            assert!(TaskId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_the_command_line_have_dashes() {
        let words: Vec<_> = TaskId::new("deploy:check:linked_files").words().collect();
        assert_eq!(words, ["deploy", "check", "linked-files"]);
    }
}
