//! What a run on a site did.

use super::call::Call;
use super::site::Loaded;
use crate::event::{Event, Outcome};
use crate::plan::Plan;
use crate::run::Finished;

/// A run that is over.
#[derive(Debug)]
#[must_use]
pub struct Ran {
    hosts: Vec<String>,
    ids: Vec<String>,
    finished: Finished,
    events: Vec<Event>,
    calls: Vec<Call>,
    questions: Vec<String>,
}

impl Ran {
    pub(super) fn new(
        loaded: &Loaded,
        plan: &Plan,
        finished: Finished,
        events: Vec<Event>,
        calls: Vec<Call>,
        questions: Vec<String>,
    ) -> Ran {
        let hosts = loaded.stage.servers.iter().map(|server| server.host.clone()).collect();
        let ids = plan.steps.iter().map(|step| step.task.id().to_string()).collect();
        Ran { hosts, ids, finished, events, calls, questions }
    }

    /// Fails the test, with all that was written, unless the run succeeded.
    pub fn succeeded(&self) {
        if let Some(error) = &self.finished.error {
            panic!("the run failed: {error}\n{}", self.output().join("\n"));
        }
    }

    /// What the user reads of why it failed, hints and the last lines of output included. Fails the test when it
    /// succeeded.
    pub fn failure(&self) -> String {
        let Some(error) = &self.finished.error else {
            panic!("the run succeeded: {:?}\n{}", self.calls, self.output().join("\n"));
        };
        let tail = |event: &Event| match event {
            Event::StepFinished { outcome: Outcome::Failed(failure), .. } => failure.tail.clone(),
            _ => Vec::new(),
        };
        let tails: Vec<_> = self.events.iter().flat_map(tail).collect();
        [error.to_string(), tails.join("\n")].join("\n")
    }

    /// The calls of stand-in programs, in their order; that between servers is by chance.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The calls on the server `host`.
    pub fn calls_on(&self, host: &str) -> Vec<Call> {
        self.calls.iter().filter(|call| call.server() == host).cloned().collect()
    }

    /// The fact `name` about the server `host`, else about the run.
    pub fn fact(&self, host: &str, name: &str) -> Option<&str> {
        self.finished.facts.get(self.number(host), name)
    }

    /// The tasks that began, in the order in which they first did, those of the failure path included.
    pub fn order(&self) -> Vec<&str> {
        let mut order = Vec::new();
        for event in &self.events {
            if let Event::StepStarted { step, .. } = event
                && !order.contains(&self.ids[*step].as_str())
            {
                order.push(&self.ids[*step]);
            }
        }
        order
    }

    /// Why `task` had nothing to do on the server `host`; `None` where it had something to do, or didn't run.
    pub fn skipped(&self, task: &str, host: &str) -> Option<&str> {
        let wanted = self.number(host);
        self.events.iter().find_map(|event| match event {
            Event::StepFinished { step, server: Some(server), outcome: Outcome::Skipped(why), .. }
                if *server == wanted && self.ids[*step] == task =>
            {
                Some(why.as_str())
            }
            _ => None,
        })
    }

    /// What tasks told the user: their notes and warnings.
    pub fn notes(&self) -> Vec<&str> {
        let note = |event| match event {
            &Event::Note { ref text, .. } | &Event::Warning { ref text, .. } => Some(text.as_str()),
            _ => None,
        };
        self.events.iter().filter_map(note).collect()
    }

    /// The lines that tasks wrote, on both streams.
    pub fn output(&self) -> Vec<String> {
        let line = |event: &Event| match event {
            Event::Output { line, .. } => Some(String::from_utf8_lossy(line).into_owned()),
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }

    /// What the run printed as its answer.
    pub fn printed(&self) -> &str {
        &self.finished.printed
    }

    /// The questions that were asked, answered or not.
    pub fn questions(&self) -> &[String] {
        &self.questions
    }

    /// How many commands the run started on the server `host`.
    pub fn execs(&self, host: &str) -> u64 {
        self.finished.traffic[self.number(host)].execs
    }

    fn number(&self, host: &str) -> usize {
        let number = self.hosts.iter().position(|known| known == host);
        number.unwrap_or_else(|| panic!("the site has no server `{host}`"))
    }
}
