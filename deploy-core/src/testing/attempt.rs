//! A task that is about to be run on a site.

use std::collections::VecDeque;
use std::fs;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ran::Ran;
use super::site::{Loaded, Site};
use crate::event::Events;
use crate::flow;
use crate::plan::Filter;
use crate::run::{Run, Stop};
use crate::script::nonce;
use crate::task::Options;
use crate::ui::Ask;

/// A task of a [`Site`] with what the command line and the user would add.
#[must_use]
pub struct Attempt<'s> {
    site: &'s Site,
    task: String,
    options: Options,
    filter: Filter,
    facts: Vec<(String, String)>,
    answers: Answers,
}

impl Site {
    /// Runs a task as `cargo xtask` would, without options.
    pub fn run(&self, task: &str) -> Ran {
        self.task(task).run()
    }

    /// A task that is about to be run, to give it options, facts and answers.
    pub fn task(&self, task: &str) -> Attempt<'_> {
        Attempt::new(self, task)
    }
}

impl<'s> Attempt<'s> {
    pub(super) fn new(site: &'s Site, task: &str) -> Attempt<'s> {
        Attempt {
            site,
            task: task.to_owned(),
            options: Options::new(),
            filter: Filter::default(),
            facts: Vec::new(),
            answers: Answers::default(),
        }
    }

    /// Adds `--name value`. The task must have the option.
    pub fn option(mut self, name: &str, value: &str) -> Attempt<'s> {
        self.options.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds the switch `--name`. The task must have it.
    pub fn switch(self, name: &str) -> Attempt<'s> {
        self.option(name, "true")
    }

    /// Runs on these servers only, as with `--hosts`.
    pub fn hosts(mut self, hosts: &[&str]) -> Attempt<'s> {
        self.filter.hosts.extend(hosts.iter().map(|host| (*host).to_owned()));
        self
    }

    /// Has a fact about the run known from the beginning, as if an earlier task had found it out.
    pub fn fact(mut self, name: &str, value: &str) -> Attempt<'s> {
        self.facts.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers the next question that has no answer yet. Without any answer the run is one without a terminal.
    pub fn answer(self, text: &str) -> Attempt<'s> {
        self.answers.add(text);
        self
    }

    /// Runs it.
    pub fn run(self) -> Ran {
        let loaded = self.site.load();
        self.check_options(&loaded);
        let plan = self.site.plan(&loaded, &self.task, &self.filter);
        let nonce = nonce().unwrap_or_else(|error| panic!("{error}"));
        let mut facts = flow::lock::facts(&loaded.stage, &plan, &nonce);
        facts.run.extend(self.facts);
        let _ = fs::remove_dir_all(self.site.calls());
        fs::create_dir(self.site.calls()).expect("a folder for calls");
        let (sender, events) = channel();
        let run = Run {
            config: &loaded.config,
            stage: &loaded.stage,
            plan: &plan,
            options: self.options,
            connect: &self.site.machines(),
            events: Events::to(sender),
            ask: &self.answers,
            stop: Stop::default(),
            lock_wait: Duration::ZERO,
            facts,
        };
        let finished = run.execute();
        self.site.refuse_undeclared();
        let events = events.iter().map(|(_, event)| event).collect();
        Ran::new(&loaded, &plan, finished, events, super::call::noted(&self.site.calls()), self.answers.asked())
    }

    /// A test must not give what nobody could type.
    fn check_options(&self, loaded: &Loaded) {
        let task = loaded.tasks.find(&self.task).unwrap_or_else(|error| panic!("{error}"));
        let has =
            |name: &String| name == "yes" || loaded.tasks.options_of(task).iter().any(|option| option.name == name);
        let unknown = self.options.keys().find(|name| !has(name));
        assert!(unknown.is_none(), "`{}` has no option `--{}`", self.task, unknown.unwrap_or(&String::new()));
    }
}

/// A user who gives the answers that are prepared, in order, and writes the questions down.
#[derive(Default)]
struct Answers {
    prepared: Mutex<VecDeque<String>>,
    asked: Mutex<Vec<String>>,
}

impl Answers {
    fn add(&self, answer: &str) {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer.to_owned());
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ask for Answers {
    fn text(&self, question: &str) -> Option<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(question.to_owned());
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn secret(&self, question: &str) -> Option<String> {
        self.text(question)
    }

    fn confirm(&self, question: &str) -> Option<bool> {
        self.text(question).map(|answer| matches!(answer.as_str(), "y" | "yes"))
    }
}
