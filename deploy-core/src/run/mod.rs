//! Running a plan: one thread a server, a barrier after every leg, and a way back when something fails.

mod compose;
mod execute;
mod executor;
mod failure;
mod hints;
mod host;
mod limits;
mod link;
mod lock_state;
mod locking;
mod machine;
mod prepare;
mod preview;
mod pulse;
mod tail;
mod watch;

pub use crate::conversation::Stop;
pub use crate::task::{Facts, Host, Local, Options, ServerCx};
pub use executor::{Finished, Run};
pub(crate) use prepare::{patience_of, shell_of};
pub use preview::preview;
#[cfg(any(test, feature = "testing"))]
pub(crate) use preview::step_program;

#[cfg(test)]
mod tests;
