//! From the command line to the exit code: the builder that a workspace's `main.rs` fills.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::{self, DoctorRequest, Listing, Mode, Parsed, Request, RunRequest};
use crate::config::{Config, LoadRequest, Stage};
use crate::database;
use crate::doctor::Doctor;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Outline};
use crate::flow;
use crate::plan::{Plan, must_stand_alone};
use crate::registry::{OWN_COMMANDS, Recipe, Tasks};
use crate::run::{Run, Stop, preview};
use crate::script::nonce;
use crate::task::names::beginning;
use crate::task::{Explain, Facts, Output, Task, TaskId, When};
use crate::transport::local::{Local, become_program};
use crate::transport::ssh::Ssh;
use crate::transport::{self, Anywhere, make_room_for};
use crate::ui::{self, Ask, Format, LogFile, Settings, ShownOn, Surroundings, Terminal, Ui, Verbosity};

type Registration = Box<dyn Fn(&mut Tasks, Option<&Stage>) -> Result<()> + Send + Sync>;

/// A workspace's deployment tool: the flows of this crate, and what `main.rs` adds to them.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use deploy_core::prelude::*;
///
/// const WARM: TaskId = TaskId::new("cache:warm");
///
/// fn main() -> ExitCode {
///     Xtask::new()
///         .task(Task::script(WARM, "Warm the page cache", Servers::role("web"), |cx| {
///             sh!("curl -fsS -o /dev/null {}", format!("http://{}/", cx.server.host))
///         }))
///         .hook(When::After(flow::PUBLISHED), WARM)
///         .run()
/// }
/// ```
#[must_use]
pub struct Xtask {
    registrations: Vec<Registration>,
    recipes: Vec<&'static str>,
    bundles: BTreeMap<String, Vec<String>>,
}

/// A recipe that others belong to, such as those of a framework. Where it is on in a stage, so are they, with their
/// defaults; their own tables tune them, and `enabled = false` turns one off.
pub trait Bundle: Recipe {
    /// Adds them, in the order in which they register.
    fn recipes(xtask: Xtask) -> Xtask;
}

impl Default for Xtask {
    fn default() -> Xtask {
        Xtask::new()
    }
}

impl Xtask {
    /// The flows `deploy` and `deploy:rollback`, and nothing else.
    pub fn new() -> Xtask {
        Xtask { registrations: Vec::new(), recipes: Vec::new(), bundles: BTreeMap::new() }
    }

    /// Adds a recipe. It takes part in the stages whose configuration has `[recipes.NAME]`. Of two with the same name
    /// the first stays, so that one of your own may stand in for one that a bundle brings.
    pub fn recipe<R: Recipe>(mut self) -> Xtask {
        if self.recipes.contains(&R::NAME) {
            return self;
        }
        self.recipes.push(R::NAME);
        self.add(|tasks, stage| {
            match stage.map(|stage| stage.recipe(R::NAME)) {
                None => tasks.active(R::NAME, |tasks| R::default().register(tasks)),
                Some(Some(table)) => {
                    let recipe = table.read::<R>()?;
                    tasks.active(R::NAME, |tasks| recipe.register(tasks));
                }
                Some(None) => tasks.inert(R::NAME, |tasks| R::default().register(tasks)),
            }
            Ok(())
        })
    }

    /// Adds a bundle: its recipes, then itself. They take part in the stages whose configuration has the bundle's table.
    pub fn bundle<B: Bundle>(mut self) -> Xtask {
        let members = B::recipes(Xtask::new()).recipes;
        self.bundles.insert(B::NAME.to_owned(), members.into_iter().map(str::to_owned).collect());
        B::recipes(self).recipe::<B>()
    }

    /// Adds a task.
    pub fn task(self, task: Task) -> Xtask {
        self.add(move |tasks, _| {
            tasks.task(task.clone());
            Ok(())
        })
    }

    /// Runs `task` before or after another one.
    pub fn hook(self, when: When, task: TaskId) -> Xtask {
        self.add(move |tasks, _| {
            tasks.hook(when.clone(), task.clone());
            Ok(())
        })
    }

    fn add(mut self, registration: impl Fn(&mut Tasks, Option<&Stage>) -> Result<()> + Send + Sync + 'static) -> Xtask {
        self.registrations.push(Box::new(registration));
        self
    }

    /// Reports every problem of the registration: for the test that each workspace should have.
    ///
    /// # Errors
    ///
    /// Lists the problems: two tasks of one id, hooks on tasks that don't exist, tasks that run in a circle.
    pub fn check(&self) -> Result<()> {
        problems_as_error(&self.tasks(None)?)
    }

    /// Does what the process's command line asks for, and returns the process's exit code.
    pub fn run(self) -> ExitCode {
        // First of all: no program that is started from here on must take cargo's word to us for its own.
        if let Ok(program) = env::current_exe() {
            transport::cargo::leave(&program, env::args_os().skip(1), &env::vars_os().collect::<Vec<_>>());
        }
        let surroundings = Surroundings::detect();
        let args: Vec<_> = env::args_os().skip(1).collect();
        match self.dispatch(&args, surroundings) {
            Ok(code) => code,
            Err(error) => {
                ui::report(&error, surroundings);
                error.exit_code()
            }
        }
    }

    fn dispatch(&self, args: &[OsString], surroundings: Surroundings) -> Result<ExitCode> {
        let tasks = self.tasks(None)?;
        let mut load = self.load_request(&tasks, surroundings)?;
        load.file = cli::config_file(args);
        // Tasks of deploy.toml have a place in the command line, but a broken file must not keep anybody from reading help.
        let config = Config::load(&load);
        let known = config.as_ref().ok().inspect(|config| config.keep_secrets());
        let tasks = with_text_tasks(tasks, known)?;
        let commands = known.map_or(&[][..], |config| &config.commands);
        let stages: Vec<_> = known.iter().flat_map(|config| &config.stages).map(|stage| stage.name.clone()).collect();
        match cli::parse(args, &tasks, commands, &stages)? {
            Parsed::Clap(error) => clap_exit(&error, config.err(), surroundings),
            Parsed::Request(Request::Tasks(request)) => {
                let on = known.and_then(|config| self.tasks_that_are_on(config));
                list(&Listing { tasks: &tasks, commands, request: &request, on }, surroundings)
            }
            Parsed::Request(Request::Command(name, args)) => run_command(&config?, &name, &args),
            Parsed::Request(Request::Doctor(request)) => {
                self.examine(&overridden(config, load, &request.set)?, &request, surroundings)
            }
            Parsed::Request(Request::Run(request)) => {
                self.run_task(&overridden(config, load, &request.set)?, &request, surroundings)
            }
        }
    }

    fn load_request(&self, tasks: &Tasks, surroundings: Surroundings) -> Result<LoadRequest> {
        let start = env::current_dir().map_err(|error| Error::usage("the current folder is gone").because(error))?;
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Ok(LoadRequest {
            start,
            file: None,
            set: Vec::new(),
            env: env::vars_os().collect(),
            user: variable("USER")
                .or_else(|| variable("LOGNAME"))
                .or_else(user_name)
                .unwrap_or_else(|| "unknown".to_owned()),
            reserved_stages: cli::words(tasks, Some("deploy")),
            reserved_commands: cli::words(tasks, None).into_iter().chain(OWN_COMMANDS.map(str::to_owned)).collect(),
            recipes: self.recipe_names(),
            bundles: self.bundles(),
            color: surroundings.colour && surroundings.stderr_is_terminal,
        })
    }

    /// The names of the recipes, which stages may configure.
    pub(crate) fn recipe_names(&self) -> Vec<String> {
        self.recipes.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The recipes of each bundle, by its name.
    pub(crate) fn bundles(&self) -> BTreeMap<String, Vec<String>> {
        self.bundles.clone()
    }

    /// All tasks, for a stage: recipes that it doesn't configure take no part.
    fn tasks(&self, stage: Option<&Stage>) -> Result<Tasks> {
        let mut tasks = core_tasks(stage);
        for registration in &self.registrations {
            registration(&mut tasks, stage)?;
        }
        if let Some(stage) = stage {
            flow::git::tune(&mut tasks, &stage.settings);
            database::tune(&mut tasks, &stage.settings);
            stage.tasks.iter().try_for_each(|task| tasks.text_task(task))?;
        }
        Ok(tasks)
    }

    /// The stage with the settings that recipes add, and its tasks.
    pub(crate) fn stage(&self, stage: &Stage) -> Result<(Stage, Tasks)> {
        let mut stage = stage.clone();
        let tasks = self.tasks(Some(&stage))?;
        problems_as_error(&tasks)?;
        tasks.apply_settings(&mut stage.settings);
        Ok((stage, tasks))
    }

    /// The tasks that do something in any stage; `None` where that can't be told.
    fn tasks_that_are_on(&self, config: &Config) -> Option<BTreeSet<TaskId>> {
        let stages: Option<Vec<_>> = config.stages.iter().map(|stage| self.stage(stage).ok()).collect();
        let filled = |tasks: &Tasks| -> Vec<TaskId> {
            tasks.iter().filter(|task| task.is_filled()).map(|task| task.id().clone()).collect()
        };
        Some(stages?.iter().flat_map(|(_, tasks)| filled(tasks)).collect())
    }

    /// The configuration with what recipes add to the settings of every stage: a task may deal with several.
    fn with_recipes(&self, config: &Config) -> Result<Config> {
        let stages = config.stages.iter().map(|stage| Ok(self.stage(stage)?.0)).collect::<Result<_>>()?;
        Ok(Config { stages, ..config.clone() })
    }

    fn examine(&self, config: &Config, request: &DoctorRequest, surroundings: Surroundings) -> Result<ExitCode> {
        let (stage, _) = self.stage(config.stage(&request.stage)?)?;
        request.filter.check(&stage)?;
        let (stop, interrupted) = watch_signals()?;
        let ask = Arc::new(Terminal::alone(surroundings, interrupted));
        let doctor = Doctor { config, stage: &stage, filter: &request.filter, ask, stop };
        let diagnosis = doctor.examine()?;
        if request.json {
            ui::print_json(&diagnosis.json())?;
        } else {
            ui::print_page(&diagnosis.lines(request.quiet), surroundings)?;
        }
        Ok(ExitCode::from(diagnosis.exit_code()))
    }

    fn run_task(&self, config: &Config, request: &RunRequest, surroundings: Surroundings) -> Result<ExitCode> {
        let (stage, tasks) = self.stage(request.stage.find(config)?)?;
        request.filter.check(&stage)?;
        if request.mode == Mode::Run {
            must_stand_alone(&tasks, &request.task, &stage.name)?;
        }
        let plan = Plan::new(&tasks, &request.task, &stage, &request.filter)?;
        let config = &self.with_recipes(config)?;
        let explain =
            Explain { config, stage: &stage, options: &request.options, dry_run: request.mode == Mode::DryRun };
        match request.mode {
            Mode::Plan => ui::print_data(&cli::describe_plan(&plan, &explain), surroundings)?,
            Mode::DryRun => ui::print_data(&preview(&plan, &explain)?, surroundings)?,
            Mode::Run => return execute(config, &stage, &plan, request, surroundings),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What the system calls the user whose process this is.
fn user_name() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut entries = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    entries.find(|entry| entry.get(2) == Some(&uid.as_str())).map(|entry| entry[0].to_owned())
}

/// `tasks`, and those that any stage of deploy.toml has.
fn with_text_tasks(mut tasks: Tasks, config: Option<&Config>) -> Result<Tasks> {
    for task in config.into_iter().flat_map(|config| &config.stages).flat_map(|stage| &stage.tasks) {
        if !tasks.iter().any(|known| known.id().as_str() == task.id && !known.is_open()) {
            tasks.text_task(task)?;
        }
    }
    Ok(tasks)
}

/// The configuration with what `--set` says, read anew only where it says anything.
fn overridden(config: Result<Config>, load: LoadRequest, set: &[String]) -> Result<Config> {
    match set {
        [] => config,
        set => Config::load(&LoadRequest { set: set.to_vec(), ..load }).inspect(Config::keep_secrets),
    }
}

fn core_tasks(stage: Option<&Stage>) -> Tasks {
    let mut tasks = Tasks::of_stage(stage.map(|stage| stage.name.as_str()));
    flow::register(&mut tasks);
    database::register(&mut tasks);
    tasks
}

fn problems_as_error(tasks: &Tasks) -> Result<()> {
    let problems = tasks.check();
    match problems.as_slice() {
        [] => Ok(()),
        [problem] => Err(Error::config(problem.clone())),
        _ => Err(Error::config(format!("{} problems in the tasks", problems.len())).detail(problems.join("\n"))),
    }
}

/// What clap has to say. A broken configuration may be why a word isn't known, so it is told instead.
fn clap_exit(error: &clap::Error, broken: Option<Error>, surroundings: Surroundings) -> Result<ExitCode> {
    match broken {
        Some(broken) if error.kind() == clap::error::ErrorKind::InvalidSubcommand => Err(broken),
        _ => {
            ui::print_usage(error, surroundings)?;
            Ok(if error.use_stderr() { ExitCode::from(ErrorKind::Usage.exit_code()) } else { ExitCode::SUCCESS })
        }
    }
}

fn list(list: &Listing<'_>, surroundings: Surroundings) -> Result<ExitCode> {
    let Listing { tasks, request, .. } = list;
    let text = match (&request.flow, request.json) {
        (Some(flow), _) => cli::flow_tree(tasks, tasks.find(flow)?, request.all),
        (None, true) => return ui::print_json(&list.as_json()).map(|()| ExitCode::SUCCESS),
        (None, false) => list.as_text(),
    };
    ui::print_data(&text, surroundings)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a command of the project with the terminal, and ends as it ends.
fn run_command(config: &Config, name: &str, args: &[String]) -> Result<ExitCode> {
    let command = config.commands.iter().find(|command| command.name == name);
    let run = command.map_or(&[][..], |command| command.run.as_slice());
    let [program, own @ ..] = run else {
        return Err(Error::config(format!("the command `{name}` runs nothing")));
    };
    match become_program(&config.root, program, own.iter().chain(args))? {}
}

fn execute(
    config: &Config,
    stage: &Stage,
    plan: &Plan,
    request: &RunRequest,
    surroundings: Surroundings,
) -> Result<ExitCode> {
    make_room_for(plan.servers().len())?;
    // What changes nothing would only push out what somebody may look for.
    let log = if plan.only_looks() {
        None
    } else {
        Some(LogFile::create(&config.work_dir, &stage.name, request.task.as_str())?)
    };
    let outline = outline(stage, plan, log.as_ref());
    let settings = settings(plan, request, surroundings);
    let facts = flow::lock::facts(stage, plan, &nonce()?);
    let screen = Ui::start(settings, log);
    let (stop, interrupted) = watch_signals()?;
    let ask: Arc<dyn Ask> = Arc::new(screen.terminal(Arc::clone(&interrupted)));
    let events = screen.events();
    let start = Instant::now();
    events.emit(Event::Started(outline));
    let ssh = Ssh::new(Arc::clone(&ask), events.clone()).interrupted_by(interrupted);
    let connect = Anywhere { ssh, local: Local::new(&config.root) };
    let run = Run {
        config,
        stage,
        plan,
        options: request.options.clone(),
        connect: &connect,
        events: events.clone(),
        ask: &*ask,
        stop,
        lock_wait: request.lock_wait,
        facts,
    };
    let finished = run.execute();
    if !finished.printed.is_empty() {
        events.emit(Event::Result { text: finished.printed.clone() });
    }
    events.emit(Event::Finished {
        elapsed: start.elapsed(),
        error: finished.error.as_ref().map(ToString::to_string),
        summary: match finished.error {
            None => summary(plan, &finished.facts),
            Some(_) => format!("`{}` failed", plan.root),
        },
        traffic: finished.traffic,
    });
    drop(events);
    screen.finish();
    if settings.format != Format::Json {
        ui::print_data(&finished.printed, surroundings)?;
    }
    match finished.error {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(match flow::live_now(stage, &finished.facts) {
            Some(live) => error.and_detail(&live),
            None => error,
        }),
    }
}

fn outline(stage: &Stage, plan: &Plan, log: Option<&LogFile>) -> Outline {
    Outline {
        task: plan.root.to_string(),
        stage: stage.name.clone(),
        servers: stage.servers.iter().map(|server| server.label()).collect(),
        steps: plan.outline(),
        log_file: log.map(|log| log.path().to_owned()),
    }
}

/// How the run is shown, as the command line and its task want it.
fn settings(plan: &Plan, request: &RunRequest, surroundings: Surroundings) -> Settings {
    let asked = plan.steps.iter().map(|step| &step.task).find(|task| task.id() == &plan.root);
    let is_for = |output| asked.is_some_and(|task| task.command.output == output);
    Settings {
        format: request.format,
        verbosity: if is_for(Output::Answer) { Verbosity::Quiet } else { request.verbosity },
        shown_on: if is_for(Output::Data) { ShownOn::Stderr } else { ShownOn::Stdout },
        surroundings,
    }
}

/// What the run did, in one line.
fn summary(plan: &Plan, facts: &Facts) -> String {
    let several = |servers: usize| if servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") };
    let servers = plan.servers().len();
    let about = |name: &str| facts.run.get(name).cloned().unwrap_or_default();
    // Also by a flow that has the deploy in it.
    let switched = flow::switched(plan).len();
    let deploys = facts.run.contains_key("new_release") && switched > 0;
    if plan.root == flow::ROLLBACK {
        format!("rolled back to {} on {}", about("release"), several(switched))
    } else if deploys {
        let revision = about("revision");
        let (release, branch, revision) = (about("release"), about("branch"), beginning(&revision, 7));
        format!("deployed {release} ({branch} at {revision}) to {}", several(switched))
    } else if servers == 0 {
        format!("`{}` ran", plan.root)
    } else {
        format!("`{}` ran on {}", plan.root, several(servers))
    }
}

/// Ctrl-C, SIGTERM and a closed terminal ask the run to stop; a second time they end the process at once. While a program
/// has the terminal, Ctrl-C is meant for the program.
fn watch_signals() -> Result<(Stop, Arc<AtomicBool>)> {
    let (stop, interrupted) = (Stop::default(), Arc::new(AtomicBool::new(false)));
    let failed = |error| Error::task("can't watch for signals").because(anyhow::Error::from(error));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
    let (own_stop, own_flag) = (stop.clone(), Arc::clone(&interrupted));
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGINT && ui::is_lent() {
                continue;
            }
            let kind = if signal == SIGINT { ErrorKind::Interrupted } else { ErrorKind::Terminated };
            if own_flag.swap(true, Ordering::SeqCst) {
                ui::take_back();
                std::process::exit(kind.exit_code().into());
            }
            own_stop.now(kind);
        }
    });
    Ok((stop, interrupted))
}
