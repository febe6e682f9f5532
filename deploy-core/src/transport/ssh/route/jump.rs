//! Jump hosts: who they are, and one login for all servers behind them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::config::SshConfigFile;
use crate::error::Error;
use crate::transport::ssh::config::host::Query;
use crate::transport::ssh::session::connection::Connection;

/// One host of a `ProxyJump` list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Jump {
    pub(crate) query: Query,
    /// The hosts before it, nearest first; `None`: its own configuration decides.
    pub(crate) before: Option<String>,
}

impl Jump {
    /// The last host of `list`, as in `ssh -J`: `[user@]host[:port]` or `ssh://…`, separated by commas.
    pub(crate) fn last_of(list: &str, file: &SshConfigFile) -> Jump {
        let (before, last) = match list.rsplit_once(',') {
            Some((before, last)) => (Some(before.trim().to_owned()), last),
            None => (None, list),
        };
        let last = last.trim();
        let last = last.strip_prefix("ssh://").unwrap_or(last).trim_end_matches('/');
        let (user, place) = match last.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, last),
        };
        let (host, port) = split_port(place);
        Jump { query: Query { host: host.to_owned(), user, port, file: file.clone() }, before }
    }
}

/// Splits `host:port`; an IPv6 address with a port stands in brackets.
fn split_port(place: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match place.split_once(':') {
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (place, None),
        },
        _ => (place, None),
    }
}

/// The jump hosts that this run is logged in to, by the list that leads to them. One connection to each is enough, unless
/// a server behind it keeps it busy.
#[derive(Default)]
pub(crate) struct Bastions {
    slots: Mutex<HashMap<(String, usize), SharedSlot>>,
}

type SharedSlot = Arc<Mutex<Slot>>;

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Open(Weak<Connection>),
    /// Nobody tries again: a hundred servers behind it would mean a hundred failed logins.
    Closed(Arc<Error>),
}

impl Bastions {
    /// The connection number `number` to the jump host at the end of `list`; `log_in` makes it at the first time, while
    /// others wait.
    pub(crate) fn get(
        &self,
        list: &str,
        number: usize,
        log_in: impl FnOnce() -> Result<Connection, Error>,
    ) -> Result<Arc<Connection>, Arc<Error>> {
        let slot = self.slot(list, number);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Slot::Closed(error) => return Err(Arc::clone(error)),
            Slot::Open(connection) => {
                if let Some(connection) = connection.upgrade() {
                    return Ok(connection);
                }
            }
            Slot::Empty => {}
        }
        match log_in().map(Arc::new).map_err(Arc::new) {
            Ok(connection) => {
                *slot = Slot::Open(Arc::downgrade(&connection));
                Ok(connection)
            }
            Err(error) => {
                *slot = Slot::Closed(Arc::clone(&error));
                Err(error)
            }
        }
    }

    fn slot(&self, list: &str, number: usize) -> SharedSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((list.to_owned(), number)).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jump(list: &str) -> (Option<String>, String, Option<u16>, Option<String>) {
        let Jump { query, before } = Jump::last_of(list, &SshConfigFile::Default);
        (query.user, query.host, query.port, before)
    }

    #[test]
    fn the_last_host_of_a_list_is_reached_through_those_before() {
        assert_eq!(jump("bastion"), (None, "bastion".into(), None, None));
        assert_eq!(jump("me@a:2222, b"), (None, "b".into(), None, Some("me@a:2222".into())));
        assert_eq!(jump("a,b,me@c"), (Some("me".into()), "c".into(), None, Some("a,b".into())));
    }

    #[test]
    fn hosts_may_have_users_and_ports() {
        assert_eq!(jump("me@host:2222"), (Some("me".into()), "host".into(), Some(2222), None));
        assert_eq!(jump("ssh://me@host:2222/"), (Some("me".into()), "host".into(), Some(2222), None));
        assert_eq!(jump("me@corp@host"), (Some("me@corp".into()), "host".into(), None, None));
    }

    #[test]
    fn addresses_of_ipv6_keep_their_colons() {
        assert_eq!(jump("[::1]:2222"), (None, "::1".into(), Some(2222), None));
        assert_eq!(jump("fe80::1"), (None, "fe80::1".into(), None, None));
    }

    #[test]
    fn a_jump_host_that_failed_once_is_not_tried_again() {
        let bastions = Bastions::default();
        let first = bastions.get("a", 0, || Err(Error::connection("refused"))).err().unwrap();
        let second = bastions.get("a", 0, || panic!("tried again")).err().unwrap();
        assert_eq!((first.message(), second.message()), ("refused", "refused"));
    }
}
