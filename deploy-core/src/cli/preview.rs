//! A dry run for people: what each task would do, task by task. Servers where it is the same stand together.

use crate::plan::Plan;
use crate::run::{Shown, shown};
use crate::task::Explain;

/// What stands at the end.
const MORE: &str = "With -v: the programs as they would be sent, with the shell functions that these call.\n";

/// What the tasks of `plan` would do, in order.
pub(crate) fn describe(plan: &Plan, of: &Explain<'_>) -> String {
    let failure: Vec<_> = plan.failure_legs.iter().flat_map(|leg| leg.steps()).collect();
    let page = |shown: &Shown| {
        let when = if failure.contains(&shown.step) { "if anything fails: " } else { "" };
        let place = match shown.servers.as_slice() {
            [] => "on this machine".to_owned(),
            servers => servers.iter().map(|server| of.stage.servers[*server].label()).collect::<Vec<_>>().join(", "),
        };
        let mut text = format!("## {when}{}: {place}\n", plan.steps[shown.step].task.id());
        shown.around.iter().for_each(|line| text.push_str(&format!("({line})\n")));
        text.extend([&shown.text, "\n"]);
        text
    };
    let env = of.stage.settings.default_env.iter().map(|(name, value)| format!("{name}={value}\n"));
    let env = env.collect::<String>();
    let env = if env.is_empty() { env } else { format!("## everywhere\n{env}\n") };
    env + &shown(plan, of).iter().map(page).collect::<String>() + MORE
}
