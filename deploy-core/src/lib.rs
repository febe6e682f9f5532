//! Deployments in Capistrano's model, as a library for a workspace's own `xtask`.

mod cli;
pub mod config;
pub mod error;
pub mod event;
pub mod flow;
pub mod layout;
pub mod plan;
pub mod registry;
mod repository;
pub mod run;
pub mod script;
pub mod task;
pub mod transport;
pub mod ui;
mod xtask;

pub use xtask::Xtask;

/// What a `main.rs` needs to add tasks.
pub mod prelude {
    pub use crate::registry::{Recipe, Tasks};
    pub use crate::script::{Arg, Cmd, Script};
    pub use crate::task::{Dir, Servers, Task, TaskId, When};
    pub use crate::{Xtask, flow, sh};
}
