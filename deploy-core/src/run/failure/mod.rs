//! What follows a failure: its likely cause, the end of what was said, and the way back.

pub(super) mod hints;
pub(super) mod tail;
mod way_back;
