//! The way to a server: TCP, a jump host or a `ProxyCommand`, and the handshake over it.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use ssh2::{Error as Fault, MethodType};

use super::error;
use super::limits::Permit;
use super::proxy_command::ProxyProcess;
use super::tcp;
use crate::error::{Error, out_of_files};
use crate::transport::ssh::config::host::{HostConfig, Proxy};
use crate::transport::ssh::libssh2::fault::is_hang_up;
use crate::transport::ssh::libssh2::patience::Patience;
use crate::transport::ssh::libssh2::wire::{self, Wire};
use crate::transport::ssh::login::record::{Algorithms, Login};
use crate::transport::ssh::session::connection::{Connection, Undialed};

/// How long to wait after the first handshake that a busy server cut short; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How many handshakes are tried. A server may take offence at more.
const HANDSHAKES: u32 = 5;

/// How large the buffers of a local socket are that carries a connection.
const SOCKET_BUFFER: usize = 1 << 20;

/// What a connection runs through besides the network.
pub(crate) enum Route {
    /// Nothing.
    Direct,
    /// A jump host, which stays logged in as long as somebody needs it.
    #[expect(dead_code, reason = "held, not used")]
    Jump(Arc<Connection>),
    /// A `ProxyCommand`.
    Command(ProxyProcess),
}

impl Route {
    /// The `ProxyCommand`, where it is one.
    pub(crate) fn process(&self) -> Option<&ProxyProcess> {
        match self {
            Route::Command(process) => Some(process),
            _ => None,
        }
    }
}

/// A server that is to be reached.
pub(crate) struct Destination<'a> {
    pub(crate) label: &'a str,
    pub(crate) config: &'a HostConfig,
    /// The jump host, logged in, where there is one.
    pub(crate) bastion: Option<Arc<Connection>>,
    /// The host key algorithms to offer.
    pub(crate) host_keys: &'a str,
    pub(crate) permit: &'a Permit<'a>,
    pub(crate) patience: &'a Patience,
}

/// What is done as soon as the server has shown its host key: judging it, and beginning to log in.
pub(crate) type Greet<'a> = dyn FnMut(&mut Wire, &mut Login) -> Result<(), Error> + 'a;

/// Why a try failed, and what may help.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

/// What may help against a [`Failure`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing.
    None,
    /// The server seems to be too busy for us: to try again a little later.
    Wait,
    /// The jump host is busy with another server: another connection to it.
    OtherConnection,
}

impl Failure {
    fn new(error: Error, remedy: Remedy) -> Failure {
        Failure { error, remedy }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::new(error, Remedy::None)
    }
}

impl Destination<'_> {
    /// Connects and shakes hands; tries again when the server seems to be too busy for us. Nobody has logged in
    /// anywhere before that, so no failed login is repeated.
    ///
    /// # Errors
    ///
    /// Name the server, the step and the likely cause.
    pub(crate) fn reach(&self, login: &mut Login, greet: &mut Greet<'_>) -> Result<(Wire, Route), Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..HANDSHAKES {
            let has_time = self.patience.left().is_some_and(|left| 2 * pause < left);
            match self.try_to_reach(login, greet) {
                Err(failure) if failure.remedy == Remedy::Wait && has_time => {
                    self.patience.sleep(pause + jitter(pause));
                    pause *= 2;
                }
                result => return result,
            }
        }
        self.try_to_reach(login, greet)
    }

    fn try_to_reach(&self, login: &mut Login, greet: &mut Greet<'_>) -> Result<(Wire, Route), Failure> {
        login.connections += 1;
        let (socket, route) = self.connect()?;
        let mut wire = Wire::new(socket).map_err(|fault| {
            Error::connection(format!("failed to prepare a session for `{}`", self.label)).because(fault)
        })?;
        login.round_trip = self.shake_hands(&mut wire, &route, login, greet)?;
        self.permit.note_answer();
        describe(&wire, login);
        Ok((wire, route))
    }

    fn connect(&self) -> Result<(OwnedFd, Route), Failure> {
        match (&self.bastion, &self.config.proxy) {
            (Some(bastion), _) => {
                let stream = self.connect_through(bastion)?;
                Ok((stream.into(), Route::Jump(Arc::clone(bastion))))
            }
            (None, Some(Proxy::Command { command, shell })) => {
                let (process, stream) = ProxyProcess::start(command, shell).map_err(|error| {
                    Error::connection(format!("failed to start the ProxyCommand of `{}`", self.label)).because(error)
                })?;
                enlarge(&stream);
                Ok((stream.into(), Route::Command(process)))
            }
            _ => Ok((self.connect_directly()?.into(), Route::Direct)),
        }
    }

    fn connect_through(&self, bastion: &Connection) -> Result<UnixStream, Failure> {
        let HostConfig { host, port, .. } = self.config;
        let stream = bastion.dial(host, *port, self.patience).map_err(|undialed| {
            let (reason, remedy) = match undialed {
                Undialed::Busy => ("it is busy with others".into(), Remedy::OtherConnection),
                Undialed::Failed(reason) => (reason, Remedy::None),
            };
            let jump = &bastion.login().host;
            let error =
                Error::connection(format!("failed to connect to `{host}` port {port} from the jump host `{jump}`"))
                    .because(anyhow::anyhow!(reason))
                    .hint(format!("does `{jump}` know and reach `{host}`? does its `AllowTcpForwarding` permit it?"));
            Failure::new(error, remedy)
        })?;
        enlarge(&stream);
        Ok(stream)
    }

    fn connect_directly(&self) -> Result<TcpStream, Failure> {
        let addresses = self.addresses()?;
        let mut last = io::Error::other("it has no address of the wanted kind");
        for (index, address) in addresses.iter().enumerate() {
            match self.connect_to(address, addresses.len() - index) {
                Ok(stream) => {
                    wire::tune(stream.as_fd());
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        let is_busy = last.kind() == io::ErrorKind::ConnectionRefused && self.permit.has_answered();
        Err(Failure::new(self.unreachable(last), if is_busy { Remedy::Wait } else { Remedy::None }))
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let HostConfig { host, port, address_family, .. } = self.config;
        match (host.as_str(), *port).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.filter(|address| address_family.includes(address)).collect()),
            Err(cause) => {
                // The resolver doesn't say that it can't open its own files.
                let cause = out_of_files().unwrap_or(cause);
                // Name servers hiccup. The standard library keeps the number of the error to itself.
                let is_hiccup = cause.to_string().contains("Temporary failure");
                let error =
                    Error::connection(format!("failed to find the address of `{host}` (server `{}`)", self.label))
                        .because(cause)
                        .hint("is the name right in deploy.toml or ~/.ssh/config? is the network up?");
                Err(Failure::new(error, if is_hiccup { Remedy::Wait } else { Remedy::None }))
            }
        }
    }

    /// Connects to one address. An address that swallows everything gets its share of the time, and the rest theirs.
    fn connect_to(&self, address: &SocketAddr, left: usize) -> io::Result<TcpStream> {
        let share = self.patience.left().ok_or(io::ErrorKind::TimedOut)? / left as u32;
        tcp::connect(address, share, self.patience)
    }

    fn unreachable(&self, cause: io::Error) -> Error {
        let HostConfig { host, port, .. } = self.config;
        let error = Error::connection(format!("failed to connect to `{host}` port {port} (server `{}`)", self.label));
        match cause.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => error
                .because(anyhow::anyhow!("no answer in time"))
                .hint("is the machine up? does a firewall drop the packets?"),
            io::ErrorKind::ConnectionRefused => {
                error.because(cause).hint(format!("does sshd listen on port {port} there?"))
            }
            _ => error.because(cause),
        }
    }

    fn shake_hands(
        &self,
        wire: &mut Wire,
        route: &Route,
        login: &mut Login,
        greet: &mut Greet<'_>,
    ) -> Result<Duration, Failure> {
        let shaken = wire
            .session
            .method_pref(MethodType::HostKey, self.host_keys)
            .map_err(Unshaken::Fault)
            .and_then(|()| wire.shake_hands(self.patience, |wire| greet(wire, login).map_err(Unshaken::Unwelcome)));
        shaken.map_err(|unshaken| match unshaken {
            Unshaken::Unwelcome(error) => error.into(),
            Unshaken::Fault(fault) => {
                let is_busy = is_hang_up(&fault) && route.process().is_none();
                let error = error::handshake_failed(self.label, &wire.session, &fault, route.process());
                Failure::new(error, if is_busy { Remedy::Wait } else { Remedy::None })
            }
        })
    }
}

/// Why nobody shook hands.
enum Unshaken {
    Fault(Fault),
    /// We don't want to, for the server isn't the right one.
    Unwelcome(Error),
}

impl From<Fault> for Unshaken {
    fn from(fault: Fault) -> Unshaken {
        Unshaken::Fault(fault)
    }
}

/// Writes down what both sides agreed on.
fn describe(wire: &Wire, login: &mut Login) {
    let method = |kind| wire.session.methods(kind).unwrap_or_default().to_owned();
    login.banner = wire.session.banner().unwrap_or_default().to_owned();
    login.algorithms = Algorithms {
        key_exchange: method(MethodType::Kex),
        host_key: method(MethodType::HostKey),
        cipher: method(MethodType::CryptCs),
        mac: method(MethodType::MacCs),
    };
}

/// A local socket that carries a connection must hold a good part of a window, or each end waits for the other.
fn enlarge(stream: &UnixStream) {
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(stream, SOCKET_BUFFER);
}

/// Some part of `pause`, so that many who were sent away don't come back together.
fn jitter(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    pause.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
