//! The ways to a server: TCP, jump hosts (`ProxyJump`), a program (`ProxyCommand`), and the handshake at their end.
//!
//! `destination` goes one of them; `jump` shares the connections to jump hosts, `proxy_command` runs the program, and
//! `limits` keeps the number of logins at one address below what sshd takes for an attack. Nobody is logged in in here.
//! May use: `libssh2`, `config`, `session` (a jump host is one), and `login`'s record.

pub(crate) mod destination;
pub(crate) mod error;
pub(crate) mod jump;
pub(crate) mod limits;
mod proxy_command;
mod tcp;
