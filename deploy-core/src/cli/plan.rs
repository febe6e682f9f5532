//! A plan for people: what runs where, and where everybody waits.

use std::fmt::Write as _;

use crate::config::Stage;
use crate::event::ServerNo;
use crate::plan::{Barrier, Leg, Plan, Step};
use crate::task::Explain;

/// The plan, leg by leg. What one leg has for a server travels there as one command. A place is named where it changes.
pub(crate) fn describe(plan: &Plan, of: &Explain<'_>) -> String {
    let page = Page::new(plan, *of);
    let mut text = format!("`{}` in stage `{}`\n\n", plan.root, of.stage.name);
    // Tasks that run on this machine alone say themselves which servers they reach.
    if !page.servers.is_empty() {
        text.push_str(&page.servers());
    }
    plan.legs.iter().for_each(|leg| text.push_str(&page.leg(leg)));
    if !plan.failure_legs.is_empty() {
        text.push_str("\nif anything fails\n");
        plan.failure_legs.iter().for_each(|leg| text.push_str(&page.leg(leg)));
    }
    text
}

struct Page<'p> {
    plan: &'p Plan,
    of: Explain<'p>,
    stage: &'p Stage,
    /// The servers that take part.
    servers: Vec<ServerNo>,
    /// How wide the names of tasks are.
    width: usize,
}

impl<'p> Page<'p> {
    fn new(plan: &'p Plan, of: Explain<'p>) -> Page<'p> {
        let width = plan.steps.iter().map(|step| step.task.id().as_str().len()).max().unwrap_or(0);
        Page { plan, of, stage: of.stage, servers: plan.servers(), width }
    }

    fn servers(&self) -> String {
        let rows: Vec<[String; 3]> = self
            .stage
            .servers
            .iter()
            .enumerate()
            .map(|(number, server)| {
                let part = match (self.servers.contains(&number), self.plan.execs_on(number)) {
                    (false, _) => "takes no part".to_owned(),
                    (true, 1) => "1 command".to_owned(),
                    (true, count) => format!("{count} commands"),
                };
                [server.label(), server.roles.join(", "), part]
            })
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        rows.iter().map(|[label, roles, part]| format!("  {label:first$}  {roles:second$}  {part}\n")).collect()
    }

    fn leg(&self, leg: &Leg) -> String {
        let mut text = "\n".to_owned();
        let mut shown = String::new();
        for step in leg.steps().iter().map(|step| &self.plan.steps[*step]) {
            let place = self.place(step);
            let row = format!(
                "  {:width$}  {}",
                step.task.id().as_str(),
                if place == shown { "" } else { &place },
                width = self.width
            );
            let _ = writeln!(text, "{}", row.trim_end());
            text.push_str(&self.of.page(&step.task, "    "));
            shown = place;
        }
        if let Leg::Rolling(_, rolling) = leg {
            let servers =
                if rolling.group == 1 { "one server".to_owned() } else { format!("{} servers", rolling.group) };
            let _ =
                writeln!(text, "  {:width$}  {servers} at a time, {:?} apart", "", rolling.wait, width = self.width);
        }
        if let Leg::Scripts { why, .. } = leg {
            text.push_str(&reason(why).map(|why| format!("  -- all wait: {why}\n")).unwrap_or_default());
        }
        text
    }

    fn place(&self, step: &Step) -> String {
        let label = |server: &ServerNo| self.stage.servers[*server].label();
        match step.servers.len() {
            _ if step.is_local() => "on this machine".to_owned(),
            0 => "on no server".to_owned(),
            n if n == self.servers.len() && n > 2 => format!("on all {n} servers"),
            _ => format!("on {}", step.servers.iter().map(label).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Why everybody waits, where that isn't plain from what follows.
fn reason(barrier: &Barrier) -> Option<String> {
    match barrier {
        Barrier::Phase(phase) => Some(format!("the phase `{phase}` ends")),
        Barrier::Edge(first, second) => Some(format!("`{second}` comes after `{first}`, which runs elsewhere")),
        Barrier::Rolling(task) => Some(format!("`{task}` goes from server to server")),
        Barrier::Controller(_) | Barrier::End => None,
    }
}
