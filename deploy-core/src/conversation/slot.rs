//! The conversation with one server, as those share it who talk there and who keeps it alive.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::{Conversation, Errand, Place, begin};
use crate::error::Result;
use crate::script::Report;

/// Room for one conversation.
#[derive(Default)]
pub(crate) struct Slot(Mutex<Option<Conversation>>);

impl Slot {
    /// Runs a program: in the conversation that is there, or else in a new one. See [`begin`].
    ///
    /// # Errors
    ///
    /// As [`begin`].
    pub(crate) fn run(&self, place: &Place<'_>, errand: &Errand<'_>, on: &mut dyn FnMut(Report)) -> Result<()> {
        let mut own = self.own();
        let (conversation, result) = match own.take() {
            Some(conversation) => conversation.run(errand, on),
            None => begin(place, errand, on),
        };
        *own = conversation;
        result
    }

    /// Puts a conversation here.
    pub(crate) fn put(&self, conversation: Option<Conversation>) {
        *self.own() = conversation;
    }

    /// Tells the server that we are here, if that is due, and nobody talks with it who does so anyway.
    pub(crate) fn beat(&self) {
        let mut own = match self.0.try_lock() {
            Ok(own) => own,
            Err(TryLockError::Poisoned(own)) => own.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        own.take_if(|conversation| !conversation.beat());
    }

    /// Whether there is a conversation.
    pub(crate) fn is_open(&self) -> bool {
        self.own().is_some()
    }

    /// Whether the server is still there, as far as is known.
    pub(crate) fn is_alive(&self) -> bool {
        let mut own = self.own();
        own.take_if(|conversation| !conversation.is_alive());
        own.is_some()
    }

    /// Gives the conversation up without a word: the server ends what runs.
    pub(crate) fn abandon(&self) {
        *self.own() = None;
    }

    /// Tells the server that this is the end, and returns what to wait for.
    pub(crate) fn begin_end(&self) -> Option<Conversation> {
        let mut conversation = self.own().take()?;
        conversation.begin_end();
        Some(conversation)
    }

    fn own(&self) -> MutexGuard<'_, Option<Conversation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
