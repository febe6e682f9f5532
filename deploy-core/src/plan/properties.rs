//! What holds for every plan, whatever is registered.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::testing::{group, id, local, on_host, rolling, script, stage};
use super::{Filter, Leg, Plan};
use crate::config::Stage;
use crate::registry::Tasks;
use crate::task::{Task, TaskId, When};

const COUNT: usize = 9;

fn name(number: usize) -> String {
    format!("t{number}")
}

fn task(number: usize, kind: u8, on: u8) -> Task {
    let on = ["all", "app", "db", "primary app"][usize::from(on % 4)];
    match kind % 8 {
        0 | 1 => group(&name(number), ""),
        2 => local(&name(number)),
        3 => on_host(&name(number), on),
        4 => rolling(&name(number), on, 1),
        _ => script(&name(number), on),
    }
}

/// Tasks that lead to others of greater number only, so that there is no circle.
fn registries() -> impl Strategy<Value = Tasks> {
    let kinds = prop::collection::vec((any::<u8>(), any::<u8>()), COUNT);
    let edges = prop::collection::vec((0..COUNT, 0..COUNT, 0..5_u8), 0..16);
    (kinds, edges).prop_map(|(kinds, edges)| {
        let mut tasks = Tasks::default();
        for (number, (kind, on)) in kinds.into_iter().enumerate() {
            let targets = |wanted: &[u8]| -> Vec<TaskId> {
                let from_here = edges
                    .iter()
                    .filter(|(from, to, kind)| from.min(to) == &number && from != to && wanted.contains(kind));
                from_here.map(|(from, to, _)| id(&name(*from.max(to)))).collect()
            };
            let mut task = if number == 0 { group(&name(0), "") } else { task(number, kind, on) };
            task.steps.extend(targets(&[0, 1]));
            tasks.task(task.needs(targets(&[2])));
            targets(&[3]).into_iter().for_each(|hook| tasks.hook(When::Before(id(&name(number))), hook));
            targets(&[4]).into_iter().for_each(|hook| tasks.hook(When::After(id(&name(number))), hook));
        }
        tasks
    })
}

fn fleet() -> Stage {
    stage(&["a app", "b app db", "c db"])
}

/// The plan of everything; nothing when the hooks contradict each other.
fn planned(tasks: &Tasks, filter: &Filter) -> Option<Plan> {
    match Plan::new(tasks, &id("t0"), &fleet(), filter) {
        Ok(plan) => Some(plan),
        Err(error)
            if ["is hooked after", "needs a server", "is a hook point"]
                .iter()
                .any(|text| error.message().contains(text)) =>
        {
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn position(plan: &Plan, id: &TaskId) -> Option<usize> {
    plan.steps.iter().position(|step| step.task.id() == id)
}

fn leg_of(plan: &Plan, step: usize) -> usize {
    plan.legs.iter().position(|leg| leg.steps().contains(&step)).unwrap()
}

/// The steps of what runs before `id` is over.
fn inside(tasks: &Tasks, plan: &Plan, id: &TaskId) -> BTreeSet<usize> {
    let Some(task) = tasks.get(id) else { return BTreeSet::new() };
    let below = tasks.before(id).iter().chain(&task.needs).chain(&task.steps);
    let mut steps: BTreeSet<_> = below.flat_map(|id| inside(tasks, plan, id)).collect();
    steps.extend(position(plan, id));
    steps
}

fn hooks(tasks: &Tasks, plan: &Plan) -> Vec<(TaskId, TaskId)> {
    let mut pairs = Vec::new();
    for id in tasks.iter().map(Task::id).filter(|id| position(plan, id).is_some()) {
        let task = tasks.get(id).unwrap();
        pairs.extend(tasks.before(id).iter().chain(&task.needs).map(|first| (first.clone(), id.clone())));
        pairs.extend(tasks.after(id).iter().map(|hook| (id.clone(), hook.clone())));
    }
    pairs.retain(|(first, then)| position(plan, first).is_some() && position(plan, then).is_some());
    pairs
}

proptest! {
    #[test]
    fn every_step_appears_once(tasks in registries()) {
        let Some(plan) = planned(&tasks, &Filter::default()) else { return Ok(()) };
        let ids: BTreeSet<_> = plan.steps.iter().map(|step| step.task.id().clone()).collect();
        prop_assert_eq!(ids.len(), plan.steps.len());
        prop_assert!(plan.steps.iter().enumerate().all(|(number, step)| step.number == number));
    }

    #[test]
    fn hooks_and_prerequisites_hold(tasks in registries()) {
        let Some(plan) = planned(&tasks, &Filter::default()) else { return Ok(()) };
        for (first, then) in hooks(&tasks, &plan) {
            prop_assert!(position(&plan, &first) < position(&plan, &then), "{:?} before {:?} in {}", first, then, plan.shape());
        }
        for point in tasks.iter().map(Task::id) {
            let inside = inside(&tasks, &plan, point);
            let after = tasks.after(point).iter().filter_map(|hook| position(&plan, hook));
            for hook in after.filter(|_| plan.order().len() > 1 && reached(&tasks, point)) {
                prop_assert!(inside.iter().all(|step| *step < hook), "{:?} in {}", point, plan.shape());
            }
        }
    }

    #[test]
    fn hooks_between_different_servers_wait(tasks in registries()) {
        let Some(plan) = planned(&tasks, &Filter::default()) else { return Ok(()) };
        for (first, then) in hooks(&tasks, &plan) {
            let [first, then] = [first, then].map(|id| position(&plan, &id).unwrap());
            let [a, b] = [first, then].map(|step| &plan.steps[step].servers);
            if a != b && !a.is_empty() && !b.is_empty() {
                prop_assert!(leg_of(&plan, first) < leg_of(&plan, then), "{} and {} in {}", first, then, plan.shape());
            }
        }
    }

    #[test]
    fn legs_are_the_steps_in_order(tasks in registries()) {
        let Some(plan) = planned(&tasks, &Filter::default()) else { return Ok(()) };
        let of_legs: Vec<_> = plan.legs.iter().flat_map(Leg::steps).collect();
        prop_assert_eq!(of_legs, (0..plan.steps.len()).collect::<Vec<_>>());
    }

    #[test]
    fn one_server_never_needs_more_legs_than_many(tasks in registries()) {
        let one = Filter { hosts: vec!["b".to_owned()], roles: Vec::new() };
        let (Some(many), Some(one)) = (planned(&tasks, &Filter::default()), planned(&tasks, &one)) else { return Ok(()) };
        prop_assert_eq!(one.order(), many.order());
        prop_assert!(one.legs.len() <= many.legs.len(), "{} and {}", one.shape(), many.shape());
        prop_assert!(one.execs_on(1) <= many.execs_on(1));
    }
}

/// Whether a run of `t0` includes `wanted`.
fn reached(tasks: &Tasks, wanted: &TaskId) -> bool {
    let mut open = vec![id("t0")];
    while let Some(id) = open.pop() {
        if id == *wanted {
            return true;
        }
        let task = tasks.get(&id).unwrap();
        open.extend(tasks.before(&id).iter().chain(&task.needs).chain(&task.steps).chain(tasks.after(&id)).cloned());
    }
    false
}
