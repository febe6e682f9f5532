//! Connecting by TCP, in a way that an interruption ends.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketType};

use crate::transport::ssh::libssh2::patience::Patience;
use crate::transport::ssh::libssh2::wire::wait_for;

/// Connects to `address` within `time`. The socket doesn't block.
pub(super) fn connect(address: &SocketAddr, time: Duration, patience: &Patience) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = net::SocketFlags::CLOEXEC | net::SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    match net::connect(&socket, address) {
        Err(Errno::INPROGRESS) => wait_until_connected(&socket, time, patience)?,
        result => result?,
    }
    Ok(socket.into())
}

fn wait_until_connected(socket: impl AsFd, time: Duration, patience: &Patience) -> io::Result<()> {
    let end = Instant::now() + time;
    while let Some(glance) = patience.glance() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)];
        wait_for(&mut fds, Some(glance.min(left)));
        if !fds[0].revents().is_empty() {
            return Ok(net::sockopt::socket_error(&socket)??);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::libssh2::patience::Interruption;
    use std::net::TcpListener;
    use std::sync::atomic::Ordering;

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(60), &Interruption::default())
    }

    #[test]
    fn a_listener_is_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(connect(&address, Duration::from_secs(60), &patience()).unwrap().peer_addr().unwrap(), address);
    }

    #[test]
    fn who_refuses_is_an_error_at_once() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = connect(&address, Duration::from_secs(60), &patience()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    /// Nobody answers there, or nothing leads there: what is for documentation belongs to no one.
    const NOBODY: &str = "192.0.2.1:22";

    #[test]
    fn an_interruption_ends_the_waiting() {
        let flag = Interruption::default();
        let patience = Patience::new(Duration::from_secs(60), &flag);
        flag.store(true, Ordering::SeqCst);
        let began = Instant::now();
        assert!(connect(&NOBODY.parse().unwrap(), Duration::from_secs(60), &patience).is_err());
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
