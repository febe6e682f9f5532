//! Proving who we are.
//!
//! `candidates` orders the keys of files (`keys`) and of the agent (`agent`), `auth` tries them and then what a person
//! types (`interactive`), and `record` keeps how it went, for the log and the doctor. Passphrases and passwords are asked
//! for once a run, and end here. May use: `libssh2`, `config`, and `trust`'s record of the host key.

pub(crate) mod agent;
pub(crate) mod auth;
pub(crate) mod candidates;
pub(crate) mod interactive;
mod key_container;
mod key_text;
pub(crate) mod keys;
pub(crate) mod record;
