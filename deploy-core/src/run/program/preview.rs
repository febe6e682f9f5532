//! What would run: the very scripts, per server, without contacting any.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use crate::config::Stage;
use crate::error::Result;
use crate::event::{ServerNo, StepNo};
use crate::plan::{Leg, Plan, Step};
use crate::script::{TaskScript, WorkDir, compile};
use crate::secret::{self, STARS};
use crate::task::{Explain, Facts, Options, ScriptWork, ServerCx};

use crate::run::program::masked::masked;
use crate::run::program::prepare::{shell_of, task_script};

/// The scripts of `plan`, in order, and what tasks on this machine say that they would do. Facts that only a run can find
/// out stand as `<name>`.
///
/// # Errors
///
/// When a script can't be compiled.
pub fn preview(plan: &Plan, of: &Explain<'_>) -> Result<String> {
    let Explain { stage, options, .. } = *of;
    let mut text = String::new();
    let legs = plan.legs.iter().map(|leg| ("", leg));
    for (when, leg) in legs.chain(plan.failure_legs.iter().map(|leg| ("if anything fails: ", leg))) {
        let steps: Vec<_> = leg.steps().iter().map(|step| &plan.steps[*step]).collect();
        let names = steps.iter().map(|step| step.task.id().to_string()).collect::<Vec<_>>().join(", ");
        match leg {
            Leg::Local(_) => {
                writeln!(text, "## {when}on this machine: {names}\n").unwrap_or(());
                let page = of.page(&steps[0].task, "  ");
                text.extend([page.as_str(), if page.is_empty() { "" } else { "\n" }]);
            }
            Leg::OnHost(_) => {
                let servers: Vec<_> = steps[0].servers.iter().map(|server| stage.servers[*server].label()).collect();
                writeln!(text, "## {when}{}: {names} (talks to the server; no script to show)\n", servers.join(", "))
                    .unwrap_or(());
            }
            Leg::Scripts { .. } | Leg::Rolling(..) => scripts(&mut text, when, &steps, plan, stage, options)?,
        }
    }
    Ok(text)
}

/// What a step does on servers that are alike, as a person reads it.
pub(crate) struct Shown {
    /// Which step.
    pub(crate) step: StepNo,
    /// Where: nowhere but on this machine, where it is empty.
    pub(crate) servers: Vec<ServerNo>,
    /// What surrounds its commands: the folder, the user, variables.
    pub(crate) around: Vec<String>,
    /// Its commands, or what it says of itself.
    pub(crate) text: String,
}

/// What each step of `plan` does, in order; servers where it does the same stand together.
pub(crate) fn shown(plan: &Plan, of: &Explain<'_>) -> Vec<Shown> {
    let prefixes = shell_of(of.stage).command_prefix;
    let mut all: Vec<Shown> = Vec::new();
    for step in &plan.steps {
        if step.is_local() {
            let text = of.page(&step.task, "");
            all.push(Shown { step: step.number, servers: Vec::new(), around: Vec::new(), text });
        }
        for server in step.servers.iter().copied() {
            let script = script_of(step, server, plan, of.stage, of.options);
            let around: Vec<_> = script.iter().flat_map(around).collect();
            let text = script.map_or("(talks to the server)\n".to_owned(), |task| task.script.typed(&prefixes));
            let is_same =
                |known: &&mut Shown| known.step == step.number && known.text == text && known.around == around;
            match all.iter_mut().find(is_same) {
                Some(known) => known.servers.push(server),
                None => all.push(Shown { step: step.number, servers: vec![server], around, text }),
            }
        }
    }
    all
}

/// What surrounds the commands of a task, a line each.
fn around(task: &TaskScript) -> Vec<String> {
    let dir = match &task.dir {
        WorkDir::Home => None,
        WorkDir::In(dir) => Some(format!("in {dir}")),
        WorkDir::FirstOf(dirs) => dirs.first().map(|dir| format!("in {dir}")),
    };
    let user = task.as_user.as_ref().map(|user| format!("as {user}"));
    let shown = |name: &str, value: &str| if secret::is_name(name) { STARS.to_owned() } else { value.to_owned() };
    let env = task.env.iter().map(|(name, value)| format!("with {name}={}", shown(name, value)));
    dir.into_iter().chain(user).chain(env).collect()
}

/// The program of each server that runs any of `steps`; servers with the same program share one.
fn scripts(
    text: &mut String,
    when: &str,
    steps: &[&Step],
    plan: &Plan,
    stage: &Stage,
    options: &Options,
) -> Result<()> {
    let mut programs: Vec<(Vec<ServerNo>, String, Vec<u8>)> = Vec::new();
    for server in plan.servers() {
        let own: Vec<_> = steps.iter().copied().filter(|step| step.servers.contains(&server)).collect();
        if own.is_empty() {
            continue;
        }
        let names = own.iter().map(|step| step.task.id().to_string()).collect::<Vec<_>>().join(", ");
        let program = program(&own, server, plan, stage, options)?;
        match programs.iter_mut().find(|(_, _, known)| *known == program) {
            Some((servers, ..)) => servers.push(server),
            None => programs.push((vec![server], names, program)),
        }
    }
    for (servers, names, program) in programs {
        let labels: Vec<_> = servers.iter().map(|server| stage.servers[*server].label()).collect();
        writeln!(text, "## {when}{}: {names}\n{}", labels.join(", "), String::from_utf8_lossy(&program)).unwrap_or(());
    }
    Ok(())
}

/// The program of one step alone on a server.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn step_program(
    step: &Step,
    server: ServerNo,
    plan: &Plan,
    stage: &Stage,
    options: &Options,
) -> Result<Vec<u8>> {
    program(&[step], server, plan, stage, options)
}

fn program(steps: &[&Step], server: ServerNo, plan: &Plan, stage: &Stage, options: &Options) -> Result<Vec<u8>> {
    let scripts: Vec<_> = steps.iter().filter_map(|step| script_of(step, server, plan, stage, options)).collect();
    let shell = shell_of(stage);
    masked(&scripts, &shell, &compile(&scripts, &shell)?)
}

/// What the step runs on the server, when nothing is known of that.
fn script_of(step: &Step, server: ServerNo, plan: &Plan, stage: &Stage, options: &Options) -> Option<TaskScript> {
    let ScriptWork { run, feed, .. } = step.task.script_work()?;
    let cx = ServerCx {
        stage,
        server: &stage.servers[server],
        number: server,
        facts: &Facts::default(),
        options,
        root: Path::new(""),
        work_dir: Path::new(""),
        preview: true,
        missing: RefCell::default(),
        payload: feed.as_ref().map(|_| 0),
        servers: plan.servers().len(),
    };
    Some(task_script(&step.task, run(&cx), &cx))
}
