//! After a failure: taking back what the unfinished phase did, the failure path, and one error for everything.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorKind};
use crate::event::{ServerNo, StepNo};
use crate::plan::{Leg, Step};
use crate::script::Script;

use crate::run::executor::{Executor, Failed};
use crate::run::server::link::Link;

/// How many hints the error at the end of a run gives. Each failure's own are shown with it.
const MOST_HINTS: usize = 4;

impl Executor<'_> {
    /// After a failure: takes back what the unfinished phase did, runs the failure path, and sums up.
    pub(in crate::run) fn failed(&self, leg: &Leg, failures: Vec<Failed>) -> Error {
        let reasons: Vec<_> = failures.iter().map(|failed| failed.error.message().to_owned()).collect();
        self.facts().run.insert("failure".to_owned(), reasons.join("; "));
        self.go_on_although_stopped();
        let later = self.failure_path(&self.to_undo(leg, &failures));
        self.sum_up(failures, later)
    }

    /// The steps of the phases that failed that began somewhere and know how to be taken back, the last one first.
    fn to_undo(&self, leg: &Leg, failures: &[Failed]) -> Vec<StepNo> {
        // Where servers failed before any task, the leg says in which phase: with several servers it has only one.
        let steps = failures.iter().filter_map(|failed| failed.step.or(leg.steps().first().copied()));
        let phases: BTreeSet<_> = steps.map(|step| self.step(step).phase).collect();
        let failed_phase = |step: &Step| phases.contains(step.phase) && step.task.undo_body().is_some();
        let began = self.began();
        let began = |step: &Step| began.iter().any(|(number, _)| *number == step.number);
        self.run
            .plan
            .steps
            .iter()
            .filter(|step| failed_phase(step) && began(step))
            .map(|step| step.number)
            .rev()
            .collect()
    }

    fn failure_path(&self, undo: &[StepNo]) -> Vec<Failed> {
        std::thread::scope(|scope| {
            let has_begun = |link: &&Link<'_>| undo.iter().any(|step| self.began().contains(&(*step, link.number)));
            for link in self.links.iter().filter(|link| link.is_down()).filter(has_begun) {
                scope.spawn(|| link.connect());
            }
        });
        let mut failures = self.on_each(&self.servers, &|link| self.undo(link, undo));
        for leg in &self.run.plan.failure_legs {
            failures.extend(self.leg(leg).into_iter().filter(|failed| !self.was_down(failed)));
        }
        failures
    }

    /// Whether the failure only says again that a server can't be reached.
    fn was_down(&self, failed: &Failed) -> bool {
        failed.step.is_none() && self.links.iter().any(|link| Some(link.number) == failed.server && link.is_down())
    }

    fn undo(&self, link: &Link<'_>, steps: &[StepNo]) -> Vec<Failed> {
        let steps: Vec<_> = steps.iter().copied().filter(|step| self.began().contains(&(*step, link.number))).collect();
        if steps.is_empty() {
            return Vec::new();
        }
        // The lock alone has no way back: it is freed with the conversation.
        let prepare = || {
            self.compose(link, &steps, &|task, cx| match (task.undo_body(), task.script_work()) {
                (Some(undo), _) => undo(cx),
                (None, Some(work)) if task.takes_lock() => (work.run)(cx),
                _ => Script::new(),
            })
        };
        match link.transport().and_then(|transport| Ok((transport, prepare()?))) {
            Ok((transport, prepared)) => self.run_program(link, &*transport, &prepared),
            Err(error) => vec![Failed { server: Some(link.number), step: steps.first().copied(), error }],
        }
    }

    /// One error for everything that went wrong, server by server.
    pub(in crate::run) fn sum_up(&self, failures: Vec<Failed>, later: Vec<Failed>) -> Error {
        let kind = failures.iter().map(|failed| failed.error.kind()).min_by_key(severity).unwrap_or(ErrorKind::Task);
        let servers: BTreeSet<_> = failures.iter().filter_map(|failed| failed.server).collect();
        let root = &self.run.plan.root;
        let message = match (kind, servers.len()) {
            (ErrorKind::Interrupted | ErrorKind::Terminated, _) => format!("`{root}` was interrupted"),
            (_, 0) => format!("`{root}` failed"),
            (_, n) => format!("`{root}` failed on {n} of {} servers", self.servers.len()),
        };
        let mut detail = self.describe(&failures, "");
        detail.push_str(&self.describe(&later, "afterwards, "));
        let mut seen = BTreeSet::new();
        let hints =
            failures.iter().flat_map(|failed| failed.error.hint_texts()).filter(|hint| seen.insert(hint.as_str()));
        let hints: Vec<_> = hints.take(MOST_HINTS).cloned().chain(self.way_without(kind, &servers)).collect();
        Error::new(kind, message).detail(detail).hints(hints)
    }

    /// How to go on without the servers that are gone, where there are others.
    fn way_without(&self, kind: ErrorKind, gone: &BTreeSet<ServerNo>) -> Option<String> {
        let plan = self.run.plan;
        let is_flow = plan.failure_legs.iter().any(|leg| !leg.steps().is_empty());
        if kind != ErrorKind::Connection || !is_flow || gone.is_empty() || gone.len() == self.servers.len() {
            return None;
        }
        let command = plan.root.words().collect::<Vec<_>>().join(" ");
        let servers = &self.run.stage.servers;
        let name = |server: &ServerNo| {
            let server = &servers[*server];
            let is_alone = servers.iter().filter(|other| other.host == server.host).count() == 1;
            if is_alone { format!("!{}", server.host) } else { format!("!{}", server.label()) }
        };
        let gone: Vec<_> = gone.iter().map(name).collect();
        let stage = &self.run.stage.name;
        Some(format!(
            "to leave what is gone as it is, and go on with the others: `cargo xtask {command} {stage} --hosts '{}'`",
            gone.join(",")
        ))
    }

    /// The failures, server by server; what several servers say in the same words is said once.
    fn describe(&self, failures: &[Failed], when: &str) -> String {
        let mut said: Vec<(Vec<String>, String)> = Vec::new();
        for failed in failures {
            let place = failed.server.map_or("here".to_owned(), |server| self.run.stage.servers[server].label());
            let text = self.words(failed, when);
            match said.iter_mut().find(|(_, known)| *known == text) {
                Some((places, _)) => places.push(place),
                None => said.push((vec![place], text)),
            }
        }
        said.into_iter().map(|(places, text)| format!("  {}: {text}", places.join(", "))).collect()
    }

    fn words(&self, failed: &Failed, when: &str) -> String {
        let what = failed.step.map(|step| format!("`{}`: ", self.step(step).task.id)).unwrap_or_default();
        let mut text = format!("{when}{what}{}\n", failed.error.message());
        for line in failed.error.detail_text().into_iter().flat_map(str::lines) {
            text.push_str(&format!("      {line}\n"));
        }
        for cause in failed.error.causes() {
            text.push_str(&format!("      cause: {}\n", cause.trim_end().replace('\n', "\n             ")));
        }
        text
    }
}

/// Which of several failures decides the exit code: an interruption, then a task, then a connection.
fn severity(kind: &ErrorKind) -> u8 {
    match kind {
        ErrorKind::Interrupted | ErrorKind::Terminated => 0,
        ErrorKind::Locked => 1,
        ErrorKind::Config | ErrorKind::Usage => 2,
        ErrorKind::Task => 3,
        ErrorKind::Connection => 4,
    }
}
