//! For the unit tests of recipes: a whole stage on this machine, without a server.
//!
//! A [`Site`] is a stage that has the recipe, with servers that are folders. [`Site::run`] runs a task there as
//! `cargo xtask` would: the planner, the executor, the lock and the scripts are the real ones, and a real shell runs
//! them. The programs that they call are stand-ins, which note what they were told.
//!
//! ```
//! use deploy_core::prelude::*;
//! use deploy_core::testing::Site;
//! use serde::Deserialize;
//!
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
//!             Script::new().run(Cmd::new("systemctl").args(["restart", "--", &self.unit]))
//!         }));
//!     }
//! }
//!
//! let site = Site::of::<Systemd>("unit = 'shop'").servers(&["app1 app", "db1 db no_release"]);
//! site.program("systemctl", "");
//! let run = site.run("deploy");
//! run.succeeded();
//! assert_eq!(run.calls(), ["systemctl restart -- shop"]);
//! assert_eq!(run.calls()[0].server(), "app1");
//!
//! site.program("systemctl", "echo 'Unit shop.service not found.' >&2; exit 5");
//! assert!(site.run("deploy:restart").failure().contains("Unit shop.service not found."));
//! ```
//!
//! Flows run as well. They need no repository: what a commit would hold is what [`Site::file`] has put there.
//!
//! Whatever a test of a recipe doesn't expect panics: a script, too, that calls a program which the test doesn't declare, other
//! than ordinary Unix tools and git.

mod attempt;
mod call;
mod machine;
mod ran;
mod site;
mod table;
mod undeclared;

pub use attempt::Attempt;
pub use call::Call;
pub use ran::Ran;
pub use site::Site;
pub use table::{check_table, refusal};

/// The shells that servers have: what stands for `sh` on a [`Site`]. Tests that run under each need all three.
pub const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

#[cfg(test)]
mod tests;
