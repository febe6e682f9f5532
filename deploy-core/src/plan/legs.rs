//! Cutting the steps into legs: what can be fused into one program, and where everybody waits.

use super::order::Edge;
use super::{Barrier, Leg, Step};
use crate::event::StepNo;
use crate::task::Body;

/// Cuts `steps` into legs. Where only one server takes part nobody waits for others, and `several` is false.
pub(super) fn cut(steps: &[Step], edges: &[Edge], several: bool) -> Vec<Leg> {
    let mut legs = Vec::new();
    let mut fused: Vec<&Step> = Vec::new();
    for step in steps {
        if let Some(why) = barrier_before(step, &fused, edges, several) {
            legs.push(Leg::Scripts { steps: numbers(&fused), why });
            fused.clear();
        }
        match own_leg(step) {
            Some(leg) => legs.push(leg),
            None => fused.push(step),
        }
    }
    if !fused.is_empty() {
        legs.push(Leg::Scripts { steps: numbers(&fused), why: Barrier::End });
    }
    legs
}

fn numbers(steps: &[&Step]) -> Vec<StepNo> {
    steps.iter().map(|step| step.number).collect()
}

/// The leg that the step has for itself, if it can't be fused. One that runs nowhere needs none.
fn own_leg(step: &Step) -> Option<Leg> {
    match step.task.body {
        Body::Local(_) => Some(Leg::Local(step.number)),
        _ if step.servers.is_empty() => None,
        Body::OnHost(_) => Some(Leg::OnHost(step.number)),
        _ => {
            let rolling = step.task.rolls().filter(|rolling| step.servers.len() > rolling.group);
            rolling.map(|rolling| Leg::Rolling(step.number, rolling))
        }
    }
}

fn barrier_before(step: &Step, fused: &[&Step], edges: &[Edge], several: bool) -> Option<Barrier> {
    let last = fused.last()?;
    let id = || step.task.id.clone();
    match own_leg(step) {
        Some(Leg::Rolling(..)) => Some(Barrier::Rolling(id())),
        Some(_) => Some(Barrier::Controller(id())),
        None if step.task.feed_body().is_some() && !step.servers.is_empty() => Some(Barrier::Controller(id())),
        None if !several => None,
        None if last.phase != step.phase => Some(Barrier::Phase(last.phase)),
        None => {
            let edge = edges.iter().find(|edge| edge.then.contains(&step.number) && waits(step, fused, edge))?;
            Some(Barrier::Edge(edge.names.0.clone(), edge.names.1.clone()))
        }
    }
}

/// Whether the edge makes `step` wait for any of the steps that it would be fused with. On the same servers it needn't:
/// each runs its steps in order.
fn waits(step: &Step, fused: &[&Step], edge: &Edge) -> bool {
    let elsewhere =
        |first: &&&Step| first.servers != step.servers && !first.servers.is_empty() && !step.servers.is_empty();
    fused.iter().filter(elsewhere).any(|first| edge.first.contains(&first.number))
}
