//! Servers over SSH, by libssh2.
//!
//! A login is a straight line in the caller's thread: settings, TCP, handshake, host key, authentication. After it, one
//! thread owns the session and everything on it ([`actor`]); callers have queues and a way to wake it, and nothing of
//! libssh2 ever leaves it.

mod actor;
mod agent;
mod auth;
mod channels;
mod config;
mod connection;
mod error;
mod job;
mod keepalive;
mod keys;
mod known_hosts;
mod login;
mod stdio;
mod sys;
mod waker;
mod wire;
mod wire_format;

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ssh2::MethodType;

pub use connection::Connection;
pub use known_hosts::Place;
pub use login::{Algorithms, Attempt, AttemptOutcome, HostKeyRecord, Login};

use auth::Authentication;
use config::{HostConfig, Query};
use keys::KeyRing;
use known_hosts::{HostKey, KnownHosts, LookupName, Verdict, lookup_name};
use wire::Wire;

use crate::config::{self as settings, Server, Stage};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::transport::{Connect, Transport};
use crate::ui::Ask;

/// How long a login may take where nothing else is set.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may be silent before it is probed, where nothing else is set.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Logs in to servers as `ssh` would: the same configuration, keys, agent and known hosts.
pub struct Ssh {
    ask: Arc<dyn Ask>,
    events: Events,
    keys: KeyRing,
    configs: Mutex<Vec<(Query, HostConfig)>>,
}

impl Ssh {
    /// Passphrases and passwords are asked for through `ask`; how logins went is told to `events`.
    pub fn new(ask: Arc<dyn Ask>, events: Events) -> Ssh {
        Ssh { ask, events, keys: KeyRing::default(), configs: Mutex::default() }
    }

    /// Logs in to `server`, and tells how it went also when it failed.
    pub fn log_in(&self, stage: &Stage, server: &Server) -> (Login, Result<Connection, Error>) {
        let mut login = Login::default();
        let result = self.try_to_log_in(&stage.settings.ssh, server, &mut login);
        (login, result)
    }

    fn try_to_log_in(&self, ssh: &settings::Ssh, server: &Server, login: &mut Login) -> Result<Connection, Error> {
        let started = Instant::now();
        let label = server.label();
        let config = self.config(ssh, server)?;
        (login.host, login.port, login.user) = (config.host.clone(), config.port, config.user.clone());
        login.config = config.source.clone();
        let timeout = ssh.connect_timeout.or(config.connect_timeout).unwrap_or(CONNECT_TIMEOUT);
        let deadline = started + timeout;
        let mut wire = self.reach(&label, &config, deadline, login)?;
        let (known, name) = known_hosts(&label, &config)?;
        shake_hands(&label, &mut wire, &known.algorithms(&name), deadline, login)?;
        verify(&label, &wire, &known, &name, &config, login)?;
        Authentication {
            wire: &mut wire,
            config: &config,
            keys: &self.keys,
            ask: &*self.ask,
            label: &label,
            deadline,
            login,
        }
        .run()?;
        login.elapsed = started.elapsed();
        self.events.emit(Event::Detail { server: None, text: format!("{label}: {login:?}") });
        let keepalive = ssh.keepalive_interval.or(config.keepalive_interval).unwrap_or(KEEPALIVE_INTERVAL);
        Connection::start(wire, label, login.clone(), keepalive)
            .map_err(|error| Error::connection("failed to start a thread").because(error))
    }

    /// The settings of `server`: what `deploy.toml` says, then what `ssh` would do.
    fn config(&self, ssh: &settings::Ssh, server: &Server) -> Result<HostConfig, Error> {
        let query = Query {
            host: server.host.clone(),
            user: server.user.clone().or_else(|| ssh.user.clone()),
            port: server.port.or(ssh.port),
            file: ssh.config_file.clone(),
        };
        let cache = || self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache().iter().find(|(cached, _)| *cached == query).map(|(_, config)| config.clone());
        let mut config = match cached {
            Some(config) => config,
            None => {
                let config = HostConfig::read(&query).map_err(|cause| {
                    Error::config(format!("failed to read SSH's configuration for `{}`", server.host))
                        .because(anyhow::anyhow!(cause))
                        .hint(format!("what does `ssh -G {}` say?", server.host))
                })?;
                cache().push((query, config.clone()));
                config
            }
        };
        config.override_with(ssh);
        Ok(config)
    }

    fn reach(&self, label: &str, config: &HostConfig, deadline: Instant, login: &mut Login) -> Result<Wire, Error> {
        let stream = dial(label, &config.host, config.port, deadline)?;
        login.connections += 1;
        wire::tune(stream.as_fd());
        Wire::new(stream.into())
            .map_err(|fault| Error::connection(format!("failed to prepare a session with `{label}`")).because(fault))
    }
}

impl Connect for Ssh {
    fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error> {
        let (_, connection) = self.log_in(stage, server);
        Ok(Arc::new(connection?))
    }
}

/// Connects to `host`, trying all its addresses.
fn dial(label: &str, host: &str, port: u16, deadline: Instant) -> Result<TcpStream, Error> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        Error::connection(format!("failed to find the address of `{host}` (server `{label}`)"))
            .because(error)
            .hint("is the host's name right in deploy.toml or ~/.ssh/config? is the network up?")
    })?;
    let mut last = io::Error::other("it has no address");
    for address in addresses {
        match dial_address(&address, deadline) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    let cause = match last.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => anyhow::anyhow!("no answer in time"),
        _ => anyhow::Error::from(last),
    };
    Err(Error::connection(format!("failed to connect to `{host}` port {port} (server `{label}`)"))
        .because(cause)
        .hint(format!("does `ssh -v -p {port} {host}` get further?")))
}

fn dial_address(address: &SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    TcpStream::connect_timeout(address, left)
}

fn known_hosts(label: &str, config: &HostConfig) -> Result<(KnownHosts, LookupName), Error> {
    let known = KnownHosts::read(&config.known_hosts_files).map_err(|(file, error)| {
        Error::connection(format!("failed to read `{}` to check the host key of `{label}`", file.display()))
            .because(error)
    })?;
    Ok((known, lookup_name(&config.host, config.port, config.host_key_alias.as_deref())))
}

fn shake_hands(
    label: &str,
    wire: &mut Wire,
    host_keys: &str,
    deadline: Instant,
    login: &mut Login,
) -> Result<(), Error> {
    let shaken = wire
        .session
        .method_pref(MethodType::HostKey, host_keys)
        .and_then(|()| wire.wait(deadline, |session| sys::pending(session.handshake())));
    shaken.map_err(|fault| {
        Error::connection(format!("failed to shake hands with `{label}`"))
            .because(anyhow::anyhow!(error::reason(&fault)))
    })?;
    let method = |kind| wire.session.methods(kind).unwrap_or_default().to_owned();
    login.banner = wire.session.banner().unwrap_or_default().to_owned();
    login.algorithms = Algorithms {
        key_exchange: method(MethodType::Kex),
        host_key: method(MethodType::HostKey),
        cipher: method(MethodType::CryptCs),
        mac: method(MethodType::MacCs),
    };
    Ok(())
}

/// Refuses a server whose host key isn't the known one.
fn verify(
    label: &str,
    wire: &Wire,
    known: &KnownHosts,
    name: &LookupName,
    config: &HostConfig,
    login: &mut Login,
) -> Result<(), Error> {
    let key = HostKey::new(wire.session.host_key().map(|(blob, _)| blob).unwrap_or_default());
    let record = |known_from| HostKeyRecord { kind: key.kind().into(), fingerprint: key.fingerprint(), known_from };
    login.host_key = Some(record(None));
    match known.check(name, &key) {
        Verdict::Known(place) => {
            login.host_key = Some(record(Some(place)));
            Ok(())
        }
        Verdict::Changed(place) => Err(error::host_key_changed(label, &name.full, &key, &place)),
        Verdict::Revoked(place) => Err(error::host_key_revoked(label, &key, &place)),
        Verdict::Unknown(other) => {
            Err(error::host_key_unknown(label, &name.full, &key, other.as_ref(), config.known_hosts_files.first()))
        }
    }
}
