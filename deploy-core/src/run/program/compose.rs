//! Composing the program of several steps for one server, with what it is fed.

use crate::error::{Error, Result};
use crate::event::StepNo;
use crate::script::{Script, TaskScript};
use crate::task::{ServerCx, Task};

use crate::run::executor::Executor;
use crate::run::program::prepare::{Prepared, task_script};
use crate::run::server::link::Link;

impl Executor<'_> {
    /// Composes the program of `steps` for a server, feeds included.
    pub(in crate::run) fn prepare(&self, link: &Link<'_>, steps: &[StepNo]) -> Result<Prepared> {
        self.compose(link, steps, &|task, cx| task.script_work().map_or_else(Script::new, |work| (work.run)(cx)))
    }

    /// Composes a program of what `body` makes of each of `steps`. Where the run has lost a server that it had locked, it
    /// takes the lock again first.
    pub(in crate::run) fn compose(
        &self,
        link: &Link<'_>,
        steps: &[StepNo],
        body: &dyn Fn(&Task, &ServerCx<'_>) -> Script,
    ) -> Result<Prepared> {
        let facts = self.facts().clone();
        let mut cx = self.cx(link, &facts);
        let again = self.lock_again(link);
        let mut prepared = Prepared::new(self.shell(&cx, steps));
        for step in again.iter().chain(steps) {
            let task = &self.step(*step).task;
            let payload = match task.feed_body() {
                Some(feed) => feed(&cx).map_err(Error::from)?,
                None => None,
            };
            cx.payload = payload.as_ref().map(|payload| payload.bytes);
            let gated = self.waits_for_lock(*step, steps) || self.is_limited(*step);
            prepared.steps.push(*step);
            prepared.scripts.push(TaskScript { gated, ..task_script(task, body(task, &cx), &cx) });
            known(task, &cx)?;
            prepared.payloads.extend(payload);
        }
        prepared.compile()
    }

    /// Whether more servers run the step than may do so at a time.
    pub(in crate::run) fn is_limited(&self, step: StepNo) -> bool {
        let step = self.step(step);
        step.task.most_at_once().is_some_and(|limit| step.servers.len() > limit)
    }
}

/// Fails a task that needs what only other tasks find out.
fn known(task: &Task, cx: &ServerCx<'_>) -> Result<()> {
    let missing: Vec<_> = cx.missing.take().into_iter().map(|name| format!("`{name}`")).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::task(format!("`{}` can't run alone: it needs the facts {}", task.id, missing.join(", ")))
            .hint("run the flow that it is a part of: cargo xtask tasks --flow deploy --all"))
    }
}
