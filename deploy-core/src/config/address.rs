//! Addresses as `ssh` takes them: `user@host:port`.

use super::names;
use super::source::Span;

/// `user@host:port`, taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Address {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Address {
    /// Stands for a host that could not be read. It is like no other: no two of them are the same machine.
    pub(super) fn unknown(place: Span) -> Address {
        Address { user: None, host: format!("{}:{}", place.source, place.start), port: None }
    }

    pub(super) fn parse(text: &str) -> Option<Address> {
        let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
        let (host, port) = split_port(rest)?;
        let port = match port {
            Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port != 0)?),
            None => None,
        };
        let good = names::is_host(host) && user.is_none_or(names::is_user);
        good.then(|| Address { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

/// A host and the port behind it: `host`, `host:22`, `[::1]:22`, `::1`.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if names::is_ipv6(text) {
        return Some((text, None));
    }
    let Some(bracketed) = text.strip_prefix('[') else {
        return Some(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))));
    };
    let (host, rest) = bracketed.split_once(']')?;
    match rest {
        "" => names::is_ipv6(host).then_some((host, None)),
        _ => Some((host, Some(rest.strip_prefix(':')?))).filter(|_| names::is_ipv6(host)),
    }
}
