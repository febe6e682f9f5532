//! The few calls to libssh2 that ssh2 doesn't offer, and the only unsafe code of the workspace.
//!
//! ssh2 owns the session. Its channels are not used: they free themselves without the session's lock, can't tell a
//! missing exit status from a zero, and the server's own channels (a forwarded agent) don't come as one. [`Channel`]
//! is all of these. It is neither `Send` nor `Sync`, so the compiler keeps it on the thread that owns the session.
//!
//! All calls are meant for a session in non-blocking mode; `Ok(None)` says that the call would block and must be
//! repeated, with the same arguments, before anything else that sends.

#![expect(unsafe_code, reason = "libssh2's C interface; every block says why it is sound")]

mod agent;
mod auth;
mod callbacks;
mod channel;
mod code;
mod ffi;
mod intake;
mod watch;

pub(crate) use self::agent::AgentChannels;
pub(crate) use self::auth::{Demand, ask_for_methods, log_in_with_key};
pub(crate) use self::callbacks::{counting_packets, sending_only};
pub(crate) use self::channel::{Channel, Side};
pub(crate) use self::code::{code, fault, pending};
pub(crate) use self::intake::Intake;
pub(crate) use self::watch::Watch;
