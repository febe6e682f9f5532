//! libssh2 itself: a session on its socket, its channels and its errors, in a form that can't be used wrongly.
//!
//! Here stands what is done differently from what libssh2 offers, since it can't be relied on: half-sent packets (`port`),
//! end-of-file and keepalive packets (`wire`), channels (`sys`, the only unsafe code). Nothing in here waits without a
//! deadline or knows what a login or a command is. May use: nothing of the other rooms.

pub(crate) mod fault;
pub(crate) mod format;
pub(crate) mod patience;
pub(crate) mod port;
pub(crate) mod sys;
pub(crate) mod wire;
