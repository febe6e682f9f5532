//! A session that is logged in: one thread owns it (`actor`), callers have a handle of it (`connection`).
//!
//! Callers send it a `request`, talk with a command through queues (`stdio`), and read what is `shared`; nothing of
//! libssh2 leaves its thread. There, `channels` opens channels one at a time, a `job` is a command on one of them, and a
//! `pump` carries bytes between one and a local socket. May use: `libssh2`, and of `login` its record and the agent.

mod actor;
pub(crate) mod channels;
pub(crate) mod connection;
mod error;
mod job;
pub(crate) mod keepalive;
mod pump;
pub(crate) mod request;
pub(crate) mod shared;
pub(crate) mod stdio;
pub(crate) mod terminal;
mod waker;
