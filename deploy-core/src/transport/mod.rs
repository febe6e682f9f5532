//! Running commands on servers.
//!
//! [`Transport`] is a logged-in server. What runs there is a [`Process`] with three streams and an exit; everything
//! else (scripts, payloads, file transfer, cancellation) is made of these. The `ssh` folder is the only place that
//! names ssh2, `local` is the same thing on this machine.

mod anywhere;
pub(crate) mod cargo;
mod converse;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
mod files;
pub mod local;
mod process;
mod server;
pub mod ssh;

pub use self::anywhere::Anywhere;
pub(crate) use self::files::make_room_for;
#[cfg(test)]
pub(crate) use self::files::without_files;
pub(crate) use self::process::Nobody;
pub use self::process::{Exit, Output, Process, Stdin};
pub use self::server::{Connect, LONGEST_COMMAND, Transport};
pub use crate::event::Traffic;
