//! How a login went, as plain data: for the log file, and for whoever wants to know why it is slow or fails.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::transport::ssh::trust::host_key::HostKeyRecord;

/// The story of one login. What had not happened yet when it failed is empty.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// The host that was connected to, which a `HostName` line may have set.
    pub host: String,
    /// The port that was connected to.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The logins of the jump host, if it goes through one: nearest to the server, with its own jumps inside.
    pub jumps: Vec<Login>,
    /// Where the settings came from: `ssh -G`, our own reading of a file, or none.
    pub config: String,
    /// What of these settings could not be taken into account.
    pub warnings: Vec<String>,
    /// The host key that the server showed.
    pub host_key: Option<HostKeyRecord>,
    /// The agent that was asked, if any.
    pub agent: Option<AgentRecord>,
    /// What the server offered, as it writes it: `publickey,password`.
    pub offered: Vec<String>,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// The private key files among these that others may read.
    pub exposed: Vec<PathBuf>,
    /// The algorithms in use.
    pub algorithms: Algorithms,
    /// How the server calls itself: `SSH-2.0-OpenSSH_9.2p1`.
    pub banner: String,
    /// One round trip, as the login's first question took it.
    pub round_trip: Duration,
    /// How many TCP connections it took.
    pub connections: u64,
    /// How long it took in all.
    pub elapsed: Duration,
}

/// The story in a few lines, as it stands in the log file.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            return f.write_str("its settings could not be read");
        }
        write!(f, "{}@{} port {} ({})", self.user, self.host, self.port, self.config)?;
        for jump in &self.jumps {
            write!(f, ", through {}@{} port {}", jump.user, jump.host, jump.port)?;
        }
        if !self.banner.is_empty() {
            write!(f, "\n{}, {}", self.banner, self.algorithms)?;
        }
        if let Some(key) = &self.host_key {
            write!(f, "\nhost key {key}")?;
        }
        if let Some(agent) = &self.agent {
            write!(f, "\nagent {agent}")?;
        }
        for attempt in &self.attempts {
            write!(f, "\n{attempt}")?;
        }
        if self.elapsed.is_zero() {
            return write!(f, "\nnot logged in, {} connections", self.connections);
        }
        let (elapsed, round_trip) = (self.elapsed.as_millis(), self.round_trip.as_micros() as f64 / 1000.0);
        write!(f, "\nlogged in after {elapsed} ms, round trip {round_trip:.1} ms, {} connections", self.connections)
    }
}

/// An agent that was asked for its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRecord {
    /// Where it listens.
    pub socket: PathBuf,
    /// How many keys it holds, or why it didn't say.
    pub keys: Result<usize, String>,
}

impl fmt::Display for AgentRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.socket.display();
        match &self.keys {
            Ok(keys) => write!(f, "{socket}: {keys} keys"),
            Err(reason) => write!(f, "{socket}: {reason}"),
        }
    }
}

/// One way in that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried: ``key file `~/.ssh/id_ed25519` ``, ``agent key `me@laptop` ``, `password`.
    pub what: String,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of an [`Attempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The user is logged in.
    Accepted,
    /// The server accepts it, and wants something else besides.
    Partial,
    /// The server doesn't want it.
    Refused,
    /// It could not even be tried, for this reason.
    Unusable(String),
}

/// What both sides agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Algorithms {
    /// The key exchange.
    pub key_exchange: String,
    /// The host key's algorithm.
    pub host_key: String,
    /// The cipher of what we send.
    pub cipher: String,
    /// The MAC of what we send; empty where the cipher has its own.
    pub mac: String,
}

impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Algorithms { key_exchange, host_key, cipher, mac } = self;
        write!(f, "{key_exchange}, {host_key}, {cipher}, {mac}")
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.what)?;
        match &self.outcome {
            AttemptOutcome::Accepted => f.write_str("accepted"),
            AttemptOutcome::Partial => f.write_str("accepted, but the server wants more"),
            AttemptOutcome::Refused => f.write_str("refused"),
            AttemptOutcome::Unusable(reason) => write!(f, "not tried: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_told_as_far_as_it_went() {
        let mut login = Login::default();
        assert_eq!(login.to_string(), "its settings could not be read");
        (login.user, login.host, login.port, login.config) = ("me".into(), "app".into(), 22, "ssh -G".into());
        login.connections = 1;
        assert_eq!(login.to_string(), "me@app port 22 (ssh -G)\nnot logged in, 1 connections");
        login.banner = "SSH-2.0-OpenSSH_9.2".into();
        login.jumps = vec![Login { user: "me".into(), host: "bastion".into(), port: 2222, ..Login::default() }];
        login.attempts = vec![Attempt { what: "password".into(), outcome: AttemptOutcome::Accepted }];
        login.elapsed = Duration::from_millis(40);
        let story = login.to_string();
        assert!(
            story.starts_with("me@app port 22 (ssh -G), through me@bastion port 2222\nSSH-2.0-OpenSSH_9.2, "),
            "{story}"
        );
        assert!(
            story.ends_with("\npassword: accepted\nlogged in after 40 ms, round trip 0.0 ms, 1 connections"),
            "{story}"
        );
    }
}
