//! A conversation that ended in the middle: whether that is because the run has lost the stage's lock.

use crate::conversation::begin;
use crate::error::{Error, ErrorKind};
use crate::flow::lock;
use crate::script::{Report, Shell, TaskScript};
use crate::transport::Transport;

use crate::run::executor::Executor;
use crate::run::program::prepare::Prepared;
use crate::run::server::link::Link;

impl Executor<'_> {
    /// `error`, with which a program ended; where the server's shell was ended because somebody took the lock away, that.
    pub(in crate::run) fn or_lock_lost(&self, link: &Link<'_>, transport: &dyn Transport, error: Error) -> Error {
        let is_cut = !link.slot.is_open() && error.kind() == ErrorKind::Task;
        if !is_cut || !self.lock.held().contains(&link.number) {
            return error;
        }
        let Some(lost) = self.find_loss(link, transport).filter(|lost| !lost.is_empty()) else { return error };
        self.lock.lost(link.number);
        Error::new(ErrorKind::Locked, format!("this run no longer holds the stage's lock{lost}"))
            .hint("see what became of it: cargo xtask deploy status")
    }

    /// What took the lock away, as the server says it in a conversation of its own.
    fn find_loss(&self, link: &Link<'_>, transport: &dyn Transport) -> Option<String> {
        let facts = self.facts().clone();
        let cx = self.cx(link, &facts);
        let task = TaskScript { script: lock::find_loss(&cx), ..TaskScript::default() };
        let shell = Shell { lock: None, ..self.shell(&cx, &[]) };
        let prepared = Prepared { scripts: vec![task], ..Prepared::new(shell) }.compile().ok()?;
        let stop = self.stop();
        let mut lost = None;
        let (conversation, _) =
            begin(&self.place(transport, &prepared), &prepared.errand(&|_, _| true, &stop), &mut |report| {
                if let Report::Fact(name, value) = report
                    && name == lock::LOST
                    && lock::LINE.admits(&value)
                {
                    lost = Some(value);
                }
            });
        // What it says at its end changes nothing of what was found out.
        drop(conversation?.end());
        lost
    }
}
