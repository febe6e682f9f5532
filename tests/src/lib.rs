//! The harness of the end-to-end tests: real repositories, real SSH servers, the real binary.
//!
//! A [`Project`] is a folder with a `deploy.toml`, a git [`Repo`] and as many servers as its test needs. Each server is an
//! [`Sshd`] of its own on a loopback port, with fresh keys and a folder to deploy to, the [`Site`]. Everything lives in a
//! [`Sandbox`]: a temporary folder and an environment in which nothing of the machine's own configuration shows.
//! Dropping the project ends every process that it started and removes the folder. Databases are in [`postgres`].
//!
//! ```no_run
//! use e2e::Project;
//!
//! let project = Project::over_ssh(&[("app1", "app web"), ("db1", "db")]);
//! project.xtask("deploy staging").success();
//! assert_eq!(project.server("app1").site.releases().len(), 1);
//! ```
//!
//! The harness panics when it can't do its own work: in a test that is the answer that helps.

mod apache;
mod binary;
mod capistrano;
mod census;
mod clock;
mod http;
mod key;
mod lie;
mod machine;
mod mount;
mod output;
mod place;
pub mod postgres;
mod process;
mod project;
mod proxy;
pub mod rails;
mod reaper;
mod redact;
mod repo;
mod sandbox;
mod server;
mod sessions;
mod site;
mod spy;
mod sshd;
mod terminal;
mod user;

pub use apache::Apache;
pub use binary::{own_tasks, target_folder, xtask};
pub use capistrano::Capistrano;
pub use census::{Census, Started};
pub use clock::{TIMES, slowest};
pub use http::{Response, get as http_get};
pub use key::Key;
pub use lie::{Liar, Lie, OURS, Place, Saying, Told};
pub use machine::{Account, Linger, Machine};
pub use mount::Mount;
pub use output::Output;
pub use process::{Running, wait_until};
pub use project::Project;
pub use proxy::Proxy;
pub use repo::Repo;
pub use sandbox::Sandbox;
pub use server::Server;
pub use site::Site;
pub use spy::Spy;
pub use sshd::Sshd;
pub use terminal::Terminal;
pub use user::{Group, User, current as current_user, is_root};

/// Whether the long trials run too (`cargo xtask test --full`).
pub fn full() -> bool {
    std::env::var_os(FULL).is_some_and(|value| !value.is_empty())
}

/// The variable that asks for the long trials.
pub const FULL: &str = "E2E_FULL";
