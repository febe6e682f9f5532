//! Running a plan: one thread a server, a barrier after every leg, and a way back when something fails.

mod execute;
mod executor;
mod failure;
mod lock;
mod machine;
mod program;
mod pulse;
mod server;

pub use crate::conversation::Stop;
pub use crate::task::{Facts, Host, Local, Options, ServerCx};
pub use executor::{Finished, Run};
pub(crate) use program::prepare::{patience_of, shell_of, task_script};
pub use program::preview::preview;
#[cfg(any(test, feature = "testing"))]
pub(crate) use program::preview::step_program;
pub(crate) use program::preview::{Shown, shown};

#[cfg(test)]
mod tests;
