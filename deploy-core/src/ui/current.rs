//! The current task: the one that is being shown while servers work on several.

use std::collections::HashSet;

use crate::event::{Event, Outcome, Outline, ServerNo, StepNo};

/// Follows a run and knows the current task: the first one of the plan that is not over.
///
/// Every server runs its tasks in the plan's order. So a task is over on a server when it finished there, when the
/// server has begun a later one, and when the server failed or was lost. A task of the controller is over when it
/// finished or anything later began.
#[derive(Debug, Default)]
pub(super) struct CurrentTask {
    /// The servers of each task; none for the controller's.
    steps: Vec<Vec<ServerNo>>,
    servers: Vec<Progress>,
    /// How far the run is anywhere.
    furthest: Option<StepNo>,
    finished: HashSet<(StepNo, Option<ServerNo>)>,
    current: StepNo,
}

/// How far a server is.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The latest task that it began.
    reached: Option<StepNo>,
    /// It failed or was lost, and has begun nothing since.
    out: bool,
}

impl CurrentTask {
    pub(super) fn new(outline: &Outline) -> CurrentTask {
        CurrentTask {
            steps: outline.steps.iter().map(|step| step.servers.clone()).collect(),
            servers: vec![Progress::default(); outline.servers.len()],
            ..CurrentTask::default()
        }
    }

    /// The first task that is not over; the number of tasks when all are.
    pub(super) fn step(&self) -> StepNo {
        self.current
    }

    /// Takes note of `event`.
    pub(super) fn follow(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, server } => self.started(*step, *server),
            Event::StepFinished { step, server, outcome, .. } => self.finished(*step, *server, outcome),
            Event::Disconnected { server, .. } => self.is_out(*server),
            Event::Finished { .. } => self.current = self.steps.len(),
            _ => return,
        }
        while self.current < self.steps.len() && self.is_over(self.current) {
            self.current += 1;
        }
    }

    fn started(&mut self, step: StepNo, server: Option<ServerNo>) {
        self.furthest = self.furthest.max(Some(step));
        if let Some(progress) = server.and_then(|server| self.servers.get_mut(server)) {
            progress.reached = progress.reached.max(Some(step));
            progress.out = false;
        }
        // A server that was out may come back for the failure path, whose tasks then are not over after all.
        self.current = self.current.min(step);
    }

    fn finished(&mut self, step: StepNo, server: Option<ServerNo>, outcome: &Outcome) {
        self.finished.insert((step, server));
        if let (Outcome::Failed(_), Some(server)) = (outcome, server) {
            self.is_out(server);
        }
    }

    fn is_out(&mut self, server: ServerNo) {
        if let Some(progress) = self.servers.get_mut(server) {
            progress.out = true;
        }
    }

    fn is_over(&self, step: StepNo) -> bool {
        let servers = &self.steps[step];
        if servers.is_empty() {
            return self.finished.contains(&(step, None)) || self.furthest > Some(step);
        }
        servers.iter().all(|server| {
            let progress = self.servers.get(*server).cloned().unwrap_or_default();
            self.finished.contains(&(step, Some(*server))) || progress.out || progress.reached > Some(step)
        })
    }
}
