//! A plan for people: what runs where, and where everybody waits.

use std::fmt::Write as _;

use crate::config::Stage;
use crate::event::ServerNo;
use crate::plan::{Barrier, Leg, Plan, Step};

/// The plan, leg by leg.
pub(crate) fn describe(plan: &Plan, stage: &Stage) -> String {
    let servers = plan.servers();
    let mut text = format!("`{}` in stage `{}`\n", plan.root, stage.name);
    for server in &servers {
        let own = &stage.servers[*server];
        let _ = writeln!(text, "  {} ({}): {} commands", own.label(), own.roles.join(", "), plan.execs_on(*server));
    }
    let all = servers.len();
    for leg in &plan.legs {
        self::leg(leg, plan, stage, all, &mut text);
    }
    if !plan.failure_legs.is_empty() {
        text.push_str("\nif anything fails\n");
        plan.failure_legs.iter().for_each(|leg| self::leg(leg, plan, stage, all, &mut text));
    }
    text
}

fn leg(leg: &Leg, plan: &Plan, stage: &Stage, all: usize, text: &mut String) {
    text.push('\n');
    let steps: Vec<_> = leg.steps().iter().map(|step| &plan.steps[*step]).collect();
    let width = plan.steps.iter().map(|step| step.task.id().as_str().len()).max().unwrap_or(0);
    for step in steps {
        let _ = writeln!(text, "  {:width$}  {}", step.task.id().as_str(), place(step, stage, all));
    }
    if let Leg::Rolling(_, rolling) = leg {
        let _ = writeln!(text, "  {:width$}  {} at a time, {:?} between", "", rolling.group, rolling.wait);
    }
    if let Leg::Scripts { why, .. } = leg
        && let Some(why) = reason(why)
    {
        let _ = writeln!(text, "  -- {why}");
    }
}

fn place(step: &Step, stage: &Stage, all: usize) -> String {
    let label = |server: &ServerNo| stage.servers[*server].label();
    match step.servers.len() {
        _ if step.is_local() => "on this machine".to_owned(),
        0 => "on no server".to_owned(),
        n if n == all && n > 1 => "on every server".to_owned(),
        _ => step.servers.iter().map(label).collect::<Vec<_>>().join(", "),
    }
}

fn reason(barrier: &Barrier) -> Option<String> {
    match barrier {
        Barrier::Phase(phase) => Some(format!("all servers wait for each other: phase `{phase}` ends")),
        Barrier::Edge(first, second) => {
            Some(format!("all servers wait for each other: `{second}` comes after `{first}`, which runs elsewhere"))
        }
        Barrier::Controller(task) => Some(format!("back here, for `{task}`")),
        Barrier::Rolling(task) => Some(format!("all servers wait for each other: `{task}` goes from server to server")),
        Barrier::End => None,
    }
}
