//! All tasks and hooks that a run could use.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use crate::config::{ConnectionSource, TextTask};
use crate::error::{Error, Result, nearest};
use crate::script::Script;
use crate::task::{Command, Dir, Opt, Servers, Task, TaskId, When};

/// The commands of the tool itself.
pub(crate) const OWN_COMMANDS: [&str; 2] = ["tasks", "doctor"];

/// A crate's worth of tasks. The type is the recipe's configuration: `[recipes.NAME]`.
///
/// [`Default`] is what `cargo xtask tasks` shows where no stage is chosen.
pub trait Recipe: DeserializeOwned + Default {
    /// The name under `[recipes.NAME]`.
    const NAME: &'static str;

    /// Adds the recipe's tasks, hooks and settings.
    fn register(self, tasks: &mut Tasks);
}

/// Tasks and hooks, in the order in which they were registered.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tasks: BTreeMap<TaskId, Task>,
    order: Vec<TaskId>,
    before: BTreeMap<TaskId, Vec<TaskId>>,
    after: BTreeMap<TaskId, Vec<TaskId>>,
    linked_dirs: Vec<String>,
    linked_files: Vec<String>,
    optional_linked_files: Vec<String>,
    made_paths: Vec<String>,
    env: BTreeMap<String, String>,
    prefixes: Vec<(String, String)>,
    database_yml: Option<(String, String)>,
    /// Tasks of recipes that the stage doesn't configure: hooks may name them, to no effect.
    inert: BTreeSet<TaskId>,
    /// The recipe of each task that one brought.
    recipes: BTreeMap<TaskId, &'static str>,
    problems: Vec<String>,
    stage: Option<String>,
}

impl Tasks {
    /// None yet, for the stage `stage`.
    pub(crate) fn of_stage(stage: Option<&str>) -> Tasks {
        Tasks { stage: stage.map(str::to_owned), ..Tasks::default() }
    }

    /// The name of the stage that tasks are registered for; none where they are only listed.
    pub fn stage(&self) -> Option<&str> {
        self.stage.as_deref()
    }

    /// Adds `task`. Registration never fails: two tasks of one id are a problem that [`check`](Tasks::check) reports.
    pub fn task(&mut self, task: Task) {
        let id = task.id.clone();
        match self.tasks.entry(id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(task);
                self.order.push(id);
            }
            Entry::Occupied(mut entry) if entry.get().is_open() => {
                let open = entry.get().clone();
                let mut task = task.needs(open.needs);
                task.steps.extend(open.steps);
                let task = open.command.options.into_iter().fold(task, Task::option);
                let command = Command { stage: open.command.stage, ..task.command };
                *entry.get_mut() = Task { about: open.about, command, ..task };
            }
            Entry::Occupied(_) => self.problems.push(format!("the task `{id}` is registered twice")),
        }
    }

    /// Runs `task` before or after another. Hooks at one point run in the order in which they were registered.
    pub fn hook(&mut self, when: When, task: TaskId) {
        let (hooks, point) = match when {
            When::Before(point) => (&mut self.before, point),
            When::After(point) => (&mut self.after, point),
        };
        let hooks = hooks.entry(point).or_default();
        if !hooks.contains(&task) {
            hooks.push(task);
        }
    }

    /// Makes `step` a part of `task`, after the parts that are there already.
    ///
    /// So several recipes can fill one open task, each on servers of its own, and `deploy.toml` or `main.rs` can still
    /// give it a body, which runs before them.
    pub fn step(&mut self, task: &TaskId, step: TaskId) {
        match self.tasks.get_mut(task) {
            Some(task) => task.steps.push(step),
            None => self.problems.push(format!("`{step}` is made a part of `{task}`, which doesn't exist")),
        }
    }

    /// Makes `needed` a prerequisite of `task`: it runs before, wherever `task` is called from.
    pub fn need(&mut self, task: &TaskId, needed: TaskId) {
        match self.tasks.get_mut(task) {
            Some(task) => task.needs.push(needed),
            None => self.problems.push(format!("`{needed}` is made a prerequisite of `{task}`, which doesn't exist")),
        }
    }

    /// Adds an option to the command line of `task`: for a recipe whose tasks read it when the flow `task` runs.
    pub fn option(&mut self, task: &TaskId, option: Opt) {
        match self.tasks.get_mut(task) {
            Some(task) => task.command.options.push(option),
            None => {
                self.problems.push(format!("the option `--{}` is added to `{task}`, which doesn't exist", option.name))
            }
        }
    }

    /// Replaces the task `id` by what `change` makes of it.
    pub fn change(&mut self, id: &TaskId, change: impl FnOnce(Task) -> Task) {
        match self.tasks.remove(id) {
            Some(task) => {
                let _ = self.tasks.insert(id.clone(), change(task));
            }
            None => self.problems.push(format!("`{id}` is changed, which doesn't exist")),
        }
    }

    /// Adds a folder to the stage's `linked_dirs`, unless it, a folder around it or anything inside of it is linked
    /// already.
    pub fn linked_dir(&mut self, dir: impl Into<String>) {
        self.linked_dirs.push(dir.into());
    }

    /// Adds a file to the stage's `linked_files`, unless it is there already.
    pub fn linked_file(&mut self, file: impl Into<String>) {
        self.linked_files.push(file.into());
    }

    /// Adds a file to the stage's `optional_linked_files`, unless it, or a folder around it, is linked already.
    pub fn optional_linked_file(&mut self, file: impl Into<String>) {
        self.optional_linked_files.push(file.into());
    }

    /// Names a path of the release that tasks write, make or remove; with a slash at its end, a folder in which they do. A
    /// release in which a symlink leads the way there elsewhere is refused as soon as its files are known.
    pub fn made_path(&mut self, path: impl Into<String>) {
        self.made_paths.push(path.into());
    }

    /// Sets a variable for all tasks of the stage, unless `default_env` has it.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.env.insert(name.into(), value.into());
    }

    /// Tells the database commands of the application's `file`, and of the section of it that counts, unless `[database]`
    /// says where the connection comes from.
    pub fn database_yml(&mut self, file: impl Into<String>, section: impl Into<String>) {
        self.database_yml = Some((file.into(), section.into()));
    }

    /// Puts `prefix` before `program`, inside the prefixes that are there already.
    pub fn command_prefix(&mut self, program: impl Into<String>, prefix: impl Into<String>) {
        self.prefixes.push((program.into(), prefix.into()));
    }

    /// Reports what is wrong with the configuration of a recipe, so that no task of the stage can run.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// The options of `task`: its own, and those of flows that are steps of it. Those that the check refuses are left out,
    /// so that help and lists still work.
    pub(crate) fn options_of<'t>(&'t self, task: &'t Task) -> Vec<&'t Opt> {
        let flows = task.steps.iter().filter_map(|id| self.get(id)).filter(|step| step.is_flow());
        let all = task.command.options.iter().chain(flows.flat_map(|flow| &flow.command.options));
        let mut options: Vec<&Opt> = Vec::new();
        for option in all.filter(|option| !Opt::TAKEN.contains(&option.name)) {
            if !options.iter().any(|known| known.name == option.name) {
                options.push(option);
            }
        }
        options
    }

    /// Every task, in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.order.iter().map(|id| &self.tasks[id])
    }

    /// The task `id`.
    pub fn get(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// The tasks that run before `id`.
    pub fn before(&self, id: &TaskId) -> &[TaskId] {
        self.before.get(id).map_or(&[], Vec::as_slice)
    }

    /// The tasks that run after `id`.
    pub fn after(&self, id: &TaskId) -> &[TaskId] {
        self.after.get(id).map_or(&[], Vec::as_slice)
    }

    /// The task that `name` means, in any of its spellings (`deploy:check:linked_files`, `deploy check linked-files`).
    ///
    /// # Errors
    ///
    /// When there is none; the nearest one is named.
    pub fn find(&self, name: &str) -> Result<&Task> {
        let wanted = name.replace('-', "_").replace(' ', ":");
        let known = || self.order.iter().map(TaskId::as_str);
        self.tasks.values().find(|task| task.id.as_str() == wanted).ok_or_else(|| {
            let error = Error::usage(format!("there is no task `{name}`"));
            match nearest(&wanted, known()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
            .hint("`cargo xtask tasks --all` lists them")
        })
    }

    /// Adds the tasks of the recipe `name`, which is on.
    pub(crate) fn active(&mut self, name: &'static str, register: impl FnOnce(&mut Tasks)) {
        let known = self.order.len();
        register(self);
        self.recipes.extend(self.order[known..].iter().map(|id| (id.clone(), name)));
    }

    /// Notes the tasks that the recipe `name`, which is off, would add, so that hooks on them are no mistake.
    pub(crate) fn inert(&mut self, name: &'static str, register: impl FnOnce(&mut Tasks)) {
        let mut scratch = self.clone();
        register(&mut scratch);
        for id in scratch.order.into_iter().filter(|id| !self.tasks.contains_key(id)) {
            self.recipes.insert(id.clone(), name);
            self.inert.insert(id);
        }
    }

    /// The recipe that brings the task `id`, whether it is on or not.
    pub(crate) fn recipe_of(&self, id: &TaskId) -> Option<&'static str> {
        self.recipes.get(id).copied()
    }

    /// Adds a task that is written in `deploy.toml`, with its hooks.
    ///
    /// # Errors
    ///
    /// When an id is malformed.
    pub(crate) fn text_task(&mut self, text: &TextTask) -> Result<()> {
        let id = TaskId::parse(&text.id)?;
        let on = match (text.roles.first(), text.primary) {
            (None, _) => Servers::releases(),
            (Some(role), true) => Servers::primary(role).with_releases(),
            (Some(_), false) => Servers::roles(text.roles.clone()).with_releases(),
        };
        let run = text.run.clone();
        let task = Task::script(id.clone(), text.about.clone(), on, move |_| Script::new().opaque(run.clone()))
            .dir(Dir::Release);
        let task = task.envs(&text.env);
        self.task(match &text.as_user {
            Some(user) => task.as_user(user),
            None => task,
        });
        for point in &text.before {
            self.hook(When::Before(TaskId::parse(point)?), id.clone());
        }
        for point in &text.after {
            self.hook(When::After(TaskId::parse(point)?), id.clone());
        }
        Ok(())
    }

    /// Adds to the settings of `stage` what recipes asked for.
    pub(crate) fn apply_settings(&self, settings: &mut crate::config::Settings) {
        let inside = |path: &String, dir: &String| path == dir || path.starts_with(&format!("{dir}/"));
        for dir in &self.linked_dirs {
            let mut linked = settings.linked_dirs.iter().chain(&settings.linked_files);
            if !linked.any(|linked| inside(dir, linked) || inside(linked, dir)) {
                settings.linked_dirs.push(dir.clone());
            }
        }
        for file in &self.linked_files {
            if !settings.linked_files.contains(file) {
                settings.linked_files.push(file.clone());
            }
        }
        for file in &self.optional_linked_files {
            let files = settings.linked_files.iter().chain(&settings.optional_linked_files);
            if !files.chain(&settings.linked_dirs).any(|linked| inside(file, linked)) {
                settings.optional_linked_files.push(file.clone());
            }
        }
        settings.made_paths.extend(self.made_paths.iter().cloned());
        for (name, value) in &self.env {
            settings.default_env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if let Some((file, section)) = self.database_yml.clone().filter(|_| !settings.database.is_configured()) {
            settings.database.connection = Some(ConnectionSource::Rails(file, section));
        }
        for (program, prefix) in &self.prefixes {
            let prefixes = settings.command_prefix.entry(program.clone()).or_default();
            if !prefixes.contains(prefix) {
                prefixes.push(prefix.clone());
            }
        }
    }

    /// The tasks that a run of `task` leads to directly.
    pub(crate) fn leads_to<'t>(&'t self, task: &'t Task) -> impl Iterator<Item = &'t TaskId> {
        self.before(&task.id).iter().chain(&task.needs).chain(&task.steps).chain(self.after(&task.id))
    }

    /// Every problem of the registration: duplicate ids, hooks and prerequisites that name no task, options that the
    /// command line can't have, cycles.
    pub fn check(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        for (hooks, word) in [(&self.before, "before"), (&self.after, "after")] {
            for (point, hooked) in hooks {
                for hook in hooked {
                    self.must_exist(point, &format!("`{hook}` is hooked {word} it"), &mut problems);
                    self.must_exist(hook, &format!("it is hooked {word} `{point}`"), &mut problems);
                }
            }
        }
        for task in self.tasks.values() {
            if task.id.words().next().is_some_and(|word| OWN_COMMANDS.contains(&word.as_str())) {
                problems
                    .push(format!("a task can't be called `{}`: its first word is a command of this tool", task.id));
            }
            let on_failure = task.as_flow().map(|flow| &flow.on_failure);
            for named in task.needs.iter().chain(&task.steps).chain(&task.without).chain(on_failure) {
                self.must_exist(named, &format!("`{}` names it", task.id), &mut problems);
            }
            problems.extend(task.problems());
            if task.id.words().next().as_deref() == Some("tasks") {
                problems.push(format!("the task `{}` can't be called: `cargo xtask tasks` lists tasks", task.id));
            }
        }
        if problems.is_empty() {
            problems.extend(self.order.iter().find_map(|id| cycle_through(self, id)));
        }
        problems
    }

    fn must_exist(&self, id: &TaskId, why: &str, problems: &mut Vec<String>) {
        if self.tasks.contains_key(id) || self.inert.contains(id) {
            return;
        }
        let near = nearest(id.as_str(), self.order.iter().map(TaskId::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        problems.push(format!("there is no task `{id}`, though {why}{near}"));
    }
}

/// The cycle that following hooks, prerequisites and steps from `id` leads into, as text.
fn cycle_through(tasks: &Tasks, id: &TaskId) -> Option<String> {
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
    let found = tasks.get(id).and_then(|task| tasks.leads_to(task).find_map(|next| follow(tasks, next, path, done)));
    path.pop();
    done.insert(id.clone());
    found
}
