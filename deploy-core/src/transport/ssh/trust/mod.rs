//! Whether a server is the one that it should be.
//!
//! `known_hosts` reads OpenSSH's files (revoked keys, wildcards, changed keys: libssh2's own reader gets them wrong);
//! `host_key` judges what a server shows, before anything of a login is sent. Nothing in here talks to a server.
//! May use: `libssh2` (data types of the protocol) and `config`.

mod error;
pub(crate) mod host_key;
pub(crate) mod known_hosts;
