//! Deployments in Capistrano's model, as a library for a workspace's own `xtask`.
//!
//! A project has a binary of its own, which `cargo xtask` runs. This is all of it:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use deploy_core::Xtask;
//!
//! fn main() -> ExitCode {
//!     Xtask::new().run()
//! }
//! ```
//!
//! It reads `deploy.toml` at the workspace's root, and then `cargo xtask deploy STAGE` and
//! `cargo xtask deploy rollback STAGE` work.
//!
//! # Adding to it
//!
//! Everything that runs is a [`Task`](task::Task), and [`Xtask`] takes more of them. Most are scripts: pure functions
//! that compose shell from settings. Their values are quoted; where they stand is a matter of hooks.
//!
//! ```
//! use deploy_core::prelude::*;
//!
//! const WARM: TaskId = TaskId::new("cache:warm");
//!
//! let xtask = Xtask::new()
//!     .task(Task::script(WARM, "Warm the page cache", Servers::role("web"), |cx| {
//!         sh!("curl -fsS -o /dev/null {}", format!("http://{}/", cx.server.host))
//!     }))
//!     .hook(When::After(flow::PUBLISHED), WARM);
//! xtask.check().unwrap();
//! ```
//!
//! The task is on the command line as well: `cargo xtask cache warm STAGE`. Where a script can't do it, there are
//! [`Task::on_host`](task::Task::on_host), which talks to each server, and [`Task::local`](task::Task::local), which
//! runs on the controller.
//!
//! Tasks that several projects share are a [`Recipe`](registry::Recipe): a type that is its own configuration.
//!
//! ```
//! use deploy_core::prelude::*;
//! use serde::Deserialize;
//!
//! /// `[recipes.systemd]`
//! #[derive(Default, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Systemd {
//!     unit: String,
//! }
//!
//! impl Recipe for Systemd {
//!     const NAME: &'static str = "systemd";
//!
//!     fn register(self, tasks: &mut Tasks) {
//!         tasks.task(Task::script(flow::RESTART, "Restart the unit", Servers::role("app"), move |_| {
//!             Script::new().run(Cmd::new("systemctl").args(["--user", "restart", "--", &self.unit]))
//!         }));
//!     }
//! }
//!
//! Xtask::new().recipe::<Systemd>().check().unwrap();
//! ```
//!
//! The folder `examples` has whole programs: `minimal.rs`, `custom_task.rs` and `custom_recipe.rs`. With the feature
//! `testing` there is the module `testing`, in which the unit tests of a recipe run its tasks without a server.
//!
//! # What to know
//!
//! * The scripts of a phase are fused into one program for each server, so a further script task costs no further round
//!   trip. Tasks that talk to a server, or run on the controller, end such a program.
//! * A script's function is also called to show what would run (`--dry-run`), when no server has been asked anything:
//!   facts that only a run finds out are placeholders then. It does no input or output itself.
//! * A task runs once in a run, at the first place that calls for it.
//! * Errors are [`error::Error`]; what a body returns by `anyhow` becomes the failure of its task.

mod cli;
pub mod config;
mod conversation;
pub mod database;
pub mod doctor;
pub mod error;
pub mod event;
pub mod flow;
pub mod layout;
pub mod plan;
pub mod registry;
mod repository;
pub mod run;
pub mod script;
mod secret;
pub mod task;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transport;
pub mod ui;
mod xtask;

pub use xtask::{Bundle, Xtask};

/// What a `main.rs` needs to add tasks.
pub mod prelude {
    pub use crate::registry::{Recipe, Tasks};
    pub use crate::script::{Arg, Cmd, Script};
    pub use crate::task::{
        Dir, Effect, Host, Kind, Local, Look, Opt, Output, Phase, ServerCx, Servers, Task, TaskId, When,
    };
    pub use crate::{Bundle, Xtask, flow, sh};
}

/// The programs in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
