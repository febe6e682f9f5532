//! Tasks that talk to a server: they run scripts of their own, one after the other.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::event::StepNo;
use crate::script::{Script, TaskScript};
use crate::task::{Body, Host, HostBody, Payload};
use crate::transport::Transport;

use super::execute::{Executor, Failed};
use super::link::Link;
use super::prepare::{Prepared, task_script};
use super::watch::Watch;

impl Executor<'_> {
    pub(super) fn on_host(&self, link: &Link<'_>, step: StepNo) -> Vec<Failed> {
        let Body::OnHost(body) = &self.step(step).task.body else { return Vec::new() };
        let transport = match link.transport() {
            Ok(transport) => transport,
            Err(error) => return vec![Failed { server: Some(link.number), step: None, error }],
        };
        let facts = self.facts().clone();
        let run = |script: Script, payload: Option<Payload>| self.host_script(link, &*transport, script, payload, step);
        let host = Host { cx: self.cx(link, &facts), run: &run };
        self.began().insert((step, link.number));
        self.bracket(step, Some(link.number), || call_host(body, &host)).into_iter().collect()
    }

    /// Runs one script of an imperative task; its failure is that task's.
    fn host_script(
        &self,
        link: &Link<'_>,
        transport: &dyn Transport,
        script: Script,
        payload: Option<Payload>,
        step: StepNo,
    ) -> Result<BTreeMap<String, String>> {
        let facts = self.facts().clone();
        let cx = self.cx(link, &facts);
        let task = TaskScript {
            payload: payload.as_ref().map(|payload| payload.bytes),
            ..task_script(&self.step(step).task, script, &cx)
        };
        let mut prepared = Prepared { steps: vec![step], scripts: vec![task], ..Prepared::new(self.run.stage)? };
        prepared.payloads.extend(payload);
        let prepared = prepared.compile()?;
        let mut watch = Watch::new(self, link, &prepared).quietly();
        let stop = self.stop();
        let running = self.running(link, transport, &prepared, &stop);
        running.run(&|_, _| true, &mut |report| watch.report(report))?;
        match watch.failures.pop() {
            Some(failed) => Err(failed.error),
            None => Ok(watch.found),
        }
    }
}

fn call_host(body: &HostBody, host: &Host<'_>) -> Result<()> {
    body(host).map_err(Error::from)
}
