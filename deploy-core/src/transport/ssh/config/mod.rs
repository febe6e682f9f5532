//! What SSH's own configuration says about a host.
//!
//! `host` asks `ssh -G`, which contacts nobody, and has the settings that are made of its answer and of `deploy.toml`;
//! `file` reads `~/.ssh/config` where there is no `ssh`. The only room that reads the environment.
//! May use: nothing of the other rooms.

mod file;
pub(crate) mod host;
