//! Servers over SSH, by libssh2.
//!
//! A login is a straight line in the caller's thread: settings (`config`), the way to the server and the handshake
//! (`route`), the host key (`trust`), authentication (`login`). After it, one thread owns the session and everything on it
//! (`session`); callers have queues and a way to wake it, and nothing of libssh2 (`libssh2`) ever leaves it.
//!
//! Each room imports from those before it in this order only: `libssh2`, `config`, `trust`, `login`, `session`, `route`.
//! `by_hand` writes the lines that lead OpenSSH's own programs the same way.

mod by_hand;
mod config;
mod libssh2;
mod login;
mod route;
mod session;
#[cfg(test)]
mod testing;
mod trust;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use by_hand::{Way, word};
pub use config::host::client_version;
pub use login::record::{AgentRecord, Algorithms, Attempt, AttemptOutcome, Login};
pub use session::connection::Connection;
pub use session::terminal::Resizer;
pub use trust::host_key::HostKeyRecord;
pub use trust::known_hosts::Place;

use config::host::{HostConfig, Proxy, Query};
use libssh2::patience::{Interruption, Patience};
use libssh2::wire::Wire;
use login::auth::{Ahead, Authentication, Outcome, Progress, Secrets, ask_ahead};
use login::candidates::Keys;
use route::destination::{Destination, Failure, Greet, Remedy, Route};
use route::error::behind_jump_host;
use route::jump::{Bastions, Jump};
use route::limits::{Limits, Permit};
use session::channels::Purpose;
use session::connection::Start;
use trust::host_key::Trust;
use trust::known_hosts::HostKey;

use crate::config::{self as settings, Server, Stage};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Events};
use crate::transport::server::{Connect, Transport};
use crate::ui::Ask;

/// How long a login may take where nothing else is set.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may be silent before it is probed, where nothing else is set.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How many logins to one address may be under way at a time, where nothing else is set. sshd begins to drop them at ten.
const MAX_CONNECTIONS: usize = 8;

/// How many connections there may be to one jump host: all but the last may be held up by a server that doesn't answer.
const MAX_BASTIONS: usize = 8;

/// How many `ssh -G` run at a time: each takes a few files and a process, and hundreds of them are no faster.
const MAX_READINGS: usize = 8;

/// Logs in to servers as `ssh` would: the same configuration, keys, agent and known hosts.
///
/// What logins of one run share lives here: passphrases and passwords that were typed, jump hosts, and how many logins to
/// one address are under way.
pub struct Ssh {
    ask: Arc<dyn Ask>,
    events: Events,
    secrets: Secrets,
    bastions: Bastions,
    limits: Limits,
    /// The servers, with their users, that don't take what is sent ahead.
    patient: Mutex<HashSet<String>>,
    interruption: Interruption,
    /// Held while a new host key is judged, so that nobody is asked twice about one.
    host_keys: Mutex<()>,
    configs: Mutex<Vec<(Query, HostConfig)>>,
    warned: Mutex<HashSet<String>>,
    readings: Limits,
}

/// One machine on the way: the server itself, or a jump host.
struct Hop<'a> {
    label: String,
    config: HostConfig,
    ssh: &'a settings::Ssh,
    purpose: Purpose,
    /// The same for OpenSSH's own client.
    way: Way,
}

impl Ssh {
    /// Passphrases and passwords are asked for through `ask`; how logins went is told to `events`.
    pub fn new(ask: Arc<dyn Ask>, events: Events) -> Ssh {
        Ssh {
            ask,
            events,
            secrets: Secrets::default(),
            bastions: Bastions::default(),
            limits: Limits::default(),
            patient: Mutex::default(),
            interruption: Interruption::default(),
            host_keys: Mutex::default(),
            configs: Mutex::default(),
            warned: Mutex::default(),
            readings: Limits::default(),
        }
    }

    /// Gives up logins that are under way when `flag` becomes true (by Ctrl-C, say). Those that begin later are not concerned.
    #[must_use]
    pub fn interrupted_by(mut self, flag: Arc<AtomicBool>) -> Ssh {
        self.interruption = flag;
        self
    }

    /// Logs in to `server` with the `[ssh]` settings of its stage, and tells how it went also when it failed.
    pub fn log_in(&self, settings: &settings::Ssh, server: &Server) -> (Login, Result<Connection, Error>) {
        let mut login = Login::default();
        let result = self.hop_to(settings, server).and_then(|hop| self.log_in_to(&hop, &mut login));
        self.events.emit(Event::Detail { server: None, text: format!("{}: {login}", server.label()) });
        (login, result)
    }

    fn hop_to<'a>(&self, ssh: &'a settings::Ssh, server: &Server) -> Result<Hop<'a>, Error> {
        let mut config = self.config(by_hand::query(ssh, server))?;
        config.override_with(ssh);
        let way = Way::to(ssh, server);
        let hop = Hop { label: server.label(), config, ssh, purpose: Purpose::Commands, way };
        self.check_jumps(&hop)?;
        if ssh.forward_agent == Some(true) && hop.config.forward_agent.is_none() {
            self.note(format!("{}: there is no agent to forward: `SSH_AUTH_SOCK` is not set", hop.label));
        }
        Ok(hop)
    }

    /// Refuses jump hosts that lead in a circle, before anybody waits for one of them.
    fn check_jumps(&self, hop: &Hop<'_>) -> Result<(), Error> {
        let mut seen: Vec<String> = Vec::new();
        let mut next = hop.jumps().map(str::to_owned);
        while let Some(list) = next {
            let jump = self.jump_to(&list, hop)?;
            if seen.contains(&list) {
                return Err(Error::config(format!("the jump hosts of `{}` lead in a circle, by `{list}`", hop.label))
                    .hint("except the jump host from its own `ProxyJump` in ~/.ssh/config: `Host * !bastion`"));
            }
            next = jump.jumps().map(str::to_owned);
            seen.push(list);
        }
        Ok(())
    }

    /// The jump host at the end of `list`. Of `deploy.toml`, what belongs to the server alone doesn't hold for it.
    fn jump_to<'a>(&self, list: &str, behind: &Hop<'a>) -> Result<Hop<'a>, Error> {
        let Jump { query, before } = Jump::last_of(list, &behind.ssh.config_file);
        let (label, way) = (query.label(), Way::through(behind.ssh, &query, before.as_deref()));
        let mut config = self.config(query)?;
        let own_proxy = config.proxy.take();
        config.override_with(behind.ssh);
        config.proxy = before.map(Proxy::Jump).or(own_proxy);
        config.forward_agent = None;
        Ok(Hop { label, config, ssh: behind.ssh, purpose: Purpose::Jump, way })
    }

    fn log_in_to(&self, hop: &Hop<'_>, login: &mut Login) -> Result<Connection, Error> {
        let interruption = Patience::endless(&self.interruption);
        let result = self.log_in_as_fast_as_possible(hop, login);
        if result.is_err() && interruption.is_interrupted() {
            let text = format!("interrupted while logging in to `{}`", hop.label);
            return Err(Error::new(ErrorKind::Interrupted, text));
        }
        result
    }

    /// Logs in with as much sent ahead as the server is known to take.
    fn log_in_as_fast_as_possible(&self, hop: &Hop<'_>, login: &mut Login) -> Result<Connection, Error> {
        let place = format!("{}@{}", hop.config.user, hop.config.address());
        let is_patient = || self.patient.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_patient().contains(&place) {
            if let Some(connection) = self.try_to_log_in(hop, login, true)? {
                return Ok(connection);
            }
            is_patient().insert(place);
        }
        login.attempts.clear();
        login.offered.clear();
        let connection = self.try_to_log_in(hop, login, false)?;
        connection.ok_or_else(|| Error::connection(format!("failed to log in to `{}`", hop.label)))
    }

    /// Logs in; `None` where it may work if less is sent ahead.
    fn try_to_log_in(&self, hop: &Hop<'_>, login: &mut Login, ahead: bool) -> Result<Option<Connection>, Error> {
        let started = Instant::now();
        let Hop { label, config, ssh, purpose, way } = hop;
        (login.host, login.port, login.user) = (config.host.clone(), config.port, config.user.clone());
        login.config.clone_from(&config.source);
        login.warnings.clone_from(&config.warnings);
        // Before anything else, so that nobody holds a permit while others log in to the jump host. Held, so that it stays.
        let _bastion = self.bastion_of(hop, 0, login)?;
        let mut trust = Trust::new(label, config, ssh, &self.host_keys)?;
        let keys = Keys::find(config, &self.secrets.keys)
            .map_err(|error| Error::connection(format!("failed to log in to `{label}`")).because(error))?;
        login.agent.clone_from(&keys.agent);
        let limit = ssh.max_connections.unwrap_or(MAX_CONNECTIONS);
        let Some(permit) = self.limits.enter(config.address(), limit, &Patience::endless(&self.interruption)) else {
            return Err(Error::connection(format!("gave up waiting for other logins to `{label}`")));
        };
        let timeout = ssh.connect_timeout.or(config.connect_timeout).unwrap_or(CONNECT_TIMEOUT);
        let patience = Patience::new(timeout, &self.interruption);
        let mut progress = Ahead { has_asked: false, may_open: ahead && *purpose == Purpose::Commands };
        let algorithms = trust.algorithms();
        let (ask, secrets, events) = (&*self.ask, &self.secrets, &self.events);
        let mut greet = |wire: &mut Wire, login: &mut Login| {
            let judging = Instant::now();
            login.host_key = Some(trust.judge(HostKey::new(wire.host_key()), ask, events)?);
            patience.give_back(judging);
            progress.has_asked = ahead && ask_ahead(wire, config, &keys, ask);
            Ok(())
        };
        let (mut wire, route) = self.reach(hop, &algorithms, &permit, &patience, login, &mut greet)?;
        let (progress, wire_in_use, patience, keys) = (Progress::new(progress), &mut wire, &patience, &keys);
        let outcome =
            Authentication { wire: wire_in_use, config, secrets, ask, events, label, patience, login, keys, progress };
        let outcome = outcome
            .run()
            .map_err(|error| error.hint(format!("see what OpenSSH's own client does\n{} true", way.ssh(" -v"))))?;
        let Outcome::LoggedIn { under_way } = outcome else { return Ok(None) };
        drop(permit);

        login.elapsed = started.elapsed();
        self.start(hop, wire, route, login, under_way).map(Some)
    }

    fn start(
        &self,
        hop: &Hop<'_>,
        wire: Wire,
        route: Route,
        login: &Login,
        under_way: bool,
    ) -> Result<Connection, Error> {
        let Hop { label, config, ssh, purpose, way } = hop;
        let start = Start {
            wire,
            label: label.clone(),
            login: login.clone(),
            by_hand: way.ssh(""),
            purpose: *purpose,
            under_way,
            keepalive: ssh.keepalive_interval.or(config.keepalive_interval).unwrap_or(KEEPALIVE_INTERVAL),
            forward_agent: config.forward_agent.clone(),
            route: Box::new(route),
            events: self.events.clone(),
        };
        Connection::start(start)
            .map_err(|error| Error::connection(format!("failed to begin the session on `{label}`")).because(error))
    }

    /// Connects and shakes hands.
    fn reach(
        &self,
        hop: &Hop<'_>,
        host_keys: &str,
        permit: &Permit<'_>,
        patience: &Patience,
        login: &mut Login,
        greet: &mut Greet<'_>,
    ) -> Result<(Wire, Route), Error> {
        let Hop { label, config, .. } = hop;
        let mut number = 0;
        loop {
            let bastion = self.bastion_of(hop, number, login)?;
            let destination = Destination { label, config, bastion, host_keys, permit, patience };
            match destination.reach(login, greet) {
                Err(Failure { remedy: Remedy::OtherConnection, .. }) if number + 1 < MAX_BASTIONS => {
                    number += 1;
                }
                result => return result.map_err(|failure| failure.error),
            }
        }
    }

    /// The connection number `number` to the jump host of `hop`, logged in.
    fn bastion_of(&self, hop: &Hop<'_>, number: usize, login: &mut Login) -> Result<Option<Arc<Connection>>, Error> {
        let Some(list) = hop.jumps() else { return Ok(None) };
        let log_in = || self.log_in_to(&self.jump_to(list, hop)?, &mut Login::default());
        let bastion = self.bastions.get(list, number, log_in);
        let bastion = bastion.map_err(|error| behind_jump_host(&hop.label, list, &error))?;
        login.jumps = vec![bastion.login().clone()];
        Ok(Some(bastion))
    }

    fn note(&self, text: String) {
        self.events.emit(Event::Note { step: None, server: None, text });
    }

    /// What `ssh` would do for `query`; asked once per run.
    fn config(&self, query: Query) -> Result<HostConfig, Error> {
        let cache = || self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache().iter().find(|(cached, _)| *cached == query).map(|(_, config)| config.clone());
        if let Some(config) = cached {
            return Ok(config);
        }
        let patience = Patience::endless(&self.interruption);
        let Some(permit) = self.readings.enter(String::new(), MAX_READINGS, &patience) else {
            return Err(Error::new(
                ErrorKind::Interrupted,
                format!("interrupted before logging in to `{}`", query.host),
            ));
        };
        let config = HostConfig::read(&query);
        drop(permit);
        for warning in config.warnings.iter().filter(|warning| self.warned().insert((*warning).clone())) {
            self.note(warning.clone());
        }
        cache().push((query, config.clone()));
        Ok(config)
    }

    /// The warnings about SSH's configuration that were given: each is given once, however many servers it concerns.
    fn warned(&self) -> MutexGuard<'_, HashSet<String>> {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hop<'_> {
    /// The jump hosts that lead there.
    fn jumps(&self) -> Option<&str> {
        match &self.config.proxy {
            Some(Proxy::Jump(list)) => Some(list),
            _ => None,
        }
    }
}

impl Connect for Ssh {
    fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error> {
        let (_, connection) = self.log_in(&stage.settings.ssh, server);
        Ok(Arc::new(connection?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SshConfigFile;
    use crate::ui::Nobody;

    fn server() -> Server {
        Server {
            host: "app.example.com".into(),
            user: None,
            port: None,
            roles: Vec::new(),
            primary: false,
            no_release: false,
            deploy_to: "/nowhere".into(),
            properties: toml::Table::new(),
        }
    }

    #[test]
    fn a_login_that_fails_for_want_of_files_says_so() {
        let test = "transport::ssh::tests::a_login_that_fails_for_want_of_files_says_so";
        crate::transport::without_files(test, || {
            let settings = settings::Ssh { config_file: SshConfigFile::None, ..settings::Ssh::default() };
            let ssh = Ssh::new(Arc::new(Nobody), Events::nowhere());
            let error = ssh.log_in(&settings, &server()).1.err().expect("it can't work").to_string();
            assert!(error.contains("Too many open files") && error.contains("ulimit -n"), "{error}");
            assert_eq!(error.matches("hint").count(), 1, "{error}");
        });
    }
}
