//! What would run: the very scripts, per server, without contacting any.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use crate::config::Stage;
use crate::error::Result;
use crate::event::ServerNo;
use crate::plan::{Leg, Plan, Step};
use crate::task::{Explain, Facts, Options, ScriptWork, ServerCx};

use crate::run::program::prepare::{shell_of, task_script};
use crate::run::program::shown::shown;

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
    let facts = Facts::default();
    let mut scripts = Vec::new();
    for step in steps {
        let Some(ScriptWork { run, feed, .. }) = step.task.script_work() else { continue };
        let cx = ServerCx {
            stage,
            server: &stage.servers[server],
            number: server,
            facts: &facts,
            options,
            root: Path::new(""),
            work_dir: Path::new(""),
            preview: true,
            missing: RefCell::default(),
            payload: feed.as_ref().map(|_| 0),
            servers: plan.servers().len(),
        };
        scripts.push(task_script(&step.task, run(&cx), &cx));
    }
    shown(&scripts, &shell_of(stage))
}
