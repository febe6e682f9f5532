//! The stage's lock as a run sees it: taking it on every server, and knowing where it is held.

mod loss;
pub(super) mod state;
mod taking;
