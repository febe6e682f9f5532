//! Tasks that talk to a server: they run scripts of their own, one after the other.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, StepNo};
use crate::script::{Script, TaskScript};
use crate::task::{Body, Host, HostBody, Payload, talk};
use crate::transport::Transport;

use crate::run::executor::{Executor, Failed};
use crate::run::program::prepare::{Prepared, task_script};
use crate::run::server::link::Link;
use crate::run::server::watch::Watch;

impl Executor<'_> {
    pub(in crate::run) fn on_host(&self, link: &Link<'_>, step: StepNo) -> Vec<Failed> {
        let Body::OnHost(body) = &self.step(step).task.body else { return Vec::new() };
        let transport = match link.transport() {
            Ok(transport) => transport,
            Err(error) => return vec![Failed { server: Some(link.number), step: None, error }],
        };
        let facts = self.facts().clone();
        let run = |script: Script, payload: Option<Payload>| self.host_script(link, &*transport, script, payload, step);
        let console = |command: &str| self.host_console(link, &*transport, command);
        let host = Host { cx: self.cx(link, &facts), run: &run, console: &console };
        self.began().insert((step, link.number));
        self.bracket(step, Some(link.number), || call_host(body, &host)).into_iter().collect()
    }

    /// Lends a command of an imperative task the user's terminal.
    fn host_console(&self, link: &Link<'_>, transport: &dyn Transport, command: &str) -> Result<i32> {
        self.run.events.emit(Event::Detail { server: Some(link.number), text: command.to_owned() });
        talk(self.run.ask, transport, command).inspect_err(|error| {
            if error.kind() == ErrorKind::Connection {
                link.lost(error);
            }
        })
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
        let mut prepared = Prepared { steps: vec![step], scripts: vec![task], ..Prepared::new(self.shell(&cx, &[])) };
        prepared.payloads.extend(payload);
        let prepared = prepared.compile()?;
        let mut watch = Watch::new(self, link, &prepared).quietly();
        let stop = self.stop();
        let errand = prepared.errand(&|_, _| true, &stop);
        let ended = link.slot.run(&self.place(transport, &prepared), &errand, &mut |report| watch.report(report));
        ended.map_err(|error| self.or_lock_lost(link, transport, error))?;
        match watch.failures.pop() {
            Some(failed) => Err(failed.error),
            None => Ok(watch.found),
        }
    }
}

fn call_host(body: &HostBody, host: &Host<'_>) -> Result<()> {
    body(host).map_err(Error::from)
}
