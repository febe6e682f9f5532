//! A plan for programs, as `docs/JSON.md` describes it.

use serde_json::{Value, json};

use crate::event::StepNo;
use crate::plan::{Leg, Plan, Step};
use crate::run::shown;
use crate::task::Explain;

/// The plan, and in a dry run what each task would do.
pub(crate) fn as_json(plan: &Plan, of: &Explain<'_>) -> String {
    let scripts = of.dry_run.then(|| scripts(plan, of));
    let label = |server: &usize| of.stage.servers[*server].label();
    let servers: Vec<_> = plan
        .servers()
        .iter()
        .map(|server| {
            let roles = &of.stage.servers[*server].roles;
            json!({ "server": label(server), "roles": roles, "commands": plan.execs_on(*server) })
        })
        .collect();
    let task = |step: &Step| {
        let place = (!step.is_local()).then(|| step.servers.iter().map(label).collect::<Vec<_>>());
        let mut task = json!({
            "task": step.task.id().as_str(), "about": step.task.about(), "phase": step.phase, "servers": place,
        });
        if let Some(scripts) = &scripts {
            task["does"] = scripts[step.number].clone();
        }
        task
    };
    let steps = |numbers: Vec<StepNo>| numbers.iter().map(|step| task(&plan.steps[*step])).collect::<Vec<_>>();
    let legs = |legs: &[Leg]| legs.iter().map(|leg| steps(leg.steps())).collect::<Vec<_>>();
    let value = json!({
        "format": 1, "task": plan.root.as_str(), "stage": of.stage.name, "servers": servers,
        "legs": legs(&plan.legs), "if_anything_fails": legs(&plan.failure_legs),
    });
    format!("{value:#}\n")
}

/// What each step does, by its number.
fn scripts(plan: &Plan, of: &Explain<'_>) -> Vec<Value> {
    let shown = shown(plan, of);
    let of_step = |step: &Step| {
        let own = shown.iter().filter(|shown| shown.step == step.number);
        let own = own.map(|shown| {
            let servers: Vec<_> = shown.servers.iter().map(|server| of.stage.servers[*server].label()).collect();
            json!({ "servers": servers, "around": shown.around, "text": shown.text })
        });
        Value::from(own.collect::<Vec<_>>())
    };
    plan.steps.iter().map(of_step).collect()
}
