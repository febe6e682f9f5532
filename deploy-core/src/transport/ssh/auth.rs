//! Logging in: which ways are tried, in which order, and what is said when none works.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use libssh2_sys as raw;
use ssh2::Error as Fault;

use super::agent::{Agent, Identity};
use super::config::HostConfig;
use super::error;
use super::keys::{KeyFile, KeyRing};
use super::login::{Attempt, AttemptOutcome, Login};
use super::sys;
use super::wire::Wire;
use super::wire_format::{Reader, leading_name};
use crate::error::Error;
use crate::ui::Ask;

/// How many refusals are risked. Servers hang up at the sixth (`MaxAuthTries 6`), and some punish that.
const MAX_REFUSALS: usize = 5;

/// What a login needs to know and to do its work with.
pub(super) struct Authentication<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) config: &'a HostConfig,
    pub(super) keys: &'a KeyRing,
    pub(super) ask: &'a dyn Ask,
    pub(super) label: &'a str,
    /// When the login has to be through. Time that a person takes to answer doesn't count.
    pub(super) deadline: Instant,
    pub(super) login: &'a mut Login,
}

/// A key to try.
enum Candidate {
    Agent(Agent, Identity),
    File(PathBuf, std::sync::Arc<KeyFile>),
}

impl Authentication<'_> {
    /// Logs in.
    ///
    /// # Errors
    ///
    /// Says what was tried and what the server offers.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let user =
            CString::new(self.config.user.clone()).map_err(|_| self.failed("the user's name has a NUL in it"))?;
        let started = Instant::now();
        let methods = self.wire.wait(self.deadline, |session| sys::login_methods(session, &user));
        self.login.round_trip = started.elapsed();
        let Some(methods) = methods.map_err(|fault| self.failed(&error::reason(&fault)))? else { return Ok(()) };
        self.login.offered = methods.split(',').map(str::to_owned).collect();
        if self.offers("publickey") && self.try_keys(&user)? {
            return Ok(());
        }
        Err(self.refused())
    }

    fn offers(&self, method: &str) -> bool {
        self.login.offered.iter().any(|offered| offered == method)
    }

    fn try_keys(&mut self, user: &CString) -> Result<bool, Error> {
        for candidate in self.candidates() {
            let refusals = self.login.attempts.iter().filter(|a| a.outcome == AttemptOutcome::Refused).count();
            if refusals == MAX_REFUSALS {
                break;
            }
            let what = candidate.describe();
            let outcome = self.try_key(user, &candidate).map_err(|fault| self.failed(&error::reason(&fault)))?;
            self.login.attempts.push(Attempt { what, outcome: outcome.clone() });
            if outcome == AttemptOutcome::Accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The keys to try: of each named file its twin in the agent, then itself; then the agent's other keys; then the
    /// files that `ssh` looks for where none is named.
    fn candidates(&mut self) -> Vec<Candidate> {
        let mut identities = self.identities();
        let files: Vec<_> = self.config.identity_files.iter().map(|path| (path, self.keys.file(path))).collect();
        let mut candidates = Vec::new();
        for (path, file) in files {
            let twin = identities.iter().position(|(_, identity)| file.public.as_ref() == Some(&identity.blob));
            match twin {
                Some(index) => {
                    let (agent, identity) = identities.remove(index);
                    candidates.push(Candidate::Agent(agent, identity));
                }
                None if file.is_missing() => {}
                None => candidates.push(Candidate::File(path.clone(), file)),
            }
        }
        if !self.config.identities_only {
            candidates.extend(identities.into_iter().map(|(agent, identity)| Candidate::Agent(agent, identity)));
        }
        candidates
    }

    fn identities(&mut self) -> Vec<(Agent, Identity)> {
        let Some(agent) = self.config.agent.as_deref().map(Agent::at) else { return Vec::new() };
        match agent.identities() {
            Ok(identities) => {
                self.login.agent = Some(format!("{} ({} keys)", agent.socket().display(), identities.len()));
                identities.into_iter().map(|identity| (agent.clone(), identity)).collect()
            }
            Err(error) => {
                self.login.agent = Some(format!("{}: {error}", agent.socket().display()));
                Vec::new()
            }
        }
    }

    fn try_key(&mut self, user: &CString, candidate: &Candidate) -> Result<AttemptOutcome, Fault> {
        match candidate {
            Candidate::Agent(agent, identity) => self.try_identity(user, agent, identity),
            Candidate::File(path, file) => self.try_file(path, file),
        }
    }

    fn try_identity(&mut self, user: &CString, agent: &Agent, identity: &Identity) -> Result<AttemptOutcome, Fault> {
        let mut trouble = None;
        let mut sign = |data: &[u8]| {
            let (signature, failure) = sign(agent, identity, data);
            trouble = failure;
            signature
        };
        let result =
            self.wire.wait(self.deadline, |session| sys::log_in_with_key(session, user, &identity.blob, &mut sign));
        match (result, trouble) {
            (Err(_), Some(trouble)) => Ok(AttemptOutcome::Unusable(trouble)),
            (result, _) => outcome(result),
        }
    }

    fn try_file(&mut self, path: &Path, file: &KeyFile) -> Result<AttemptOutcome, Fault> {
        let asked = Instant::now();
        let (text, passphrase) = match file.open(path, self.ask) {
            Ok(opened) => opened,
            Err(reason) => return Ok(AttemptOutcome::Unusable(reason)),
        };
        self.deadline += asked.elapsed();
        let user = &self.config.user;
        outcome(self.wire.wait(self.deadline, |session| {
            sys::pending(session.userauth_pubkey_memory(user, None, text, passphrase.as_deref()))
        }))
    }

    fn failed(&self, cause: &str) -> Error {
        Error::connection(format!("failed to log in to `{}` as `{}`", self.label, self.config.user))
            .because(anyhow::anyhow!("{cause}"))
    }

    fn refused(&self) -> Error {
        let attempts: Vec<String> = self.login.attempts.iter().map(Attempt::to_string).collect();
        let tried = if attempts.is_empty() { "there was no key to try".into() } else { attempts.join("\n") };
        let command = format!("ssh -v -p {} {}@{}", self.login.port, self.config.user, self.login.host);
        Error::connection(format!("`{}` does not let `{}` in", self.label, self.config.user))
            .detail(format!("{tried}\nthe server offers: {}", self.login.offered.join(", ")))
            .hint(format!("compare with what `{command}` does"))
    }
}

impl Candidate {
    fn describe(&self) -> String {
        match self {
            Candidate::Agent(_, identity) => {
                format!("agent key `{}` ({})", identity.comment, leading_name(&identity.blob))
            }
            Candidate::File(path, _) => format!("key file `{}`", path.display()),
        }
    }
}

/// What the server said to an attempt.
fn outcome(result: Result<(), Fault>) -> Result<AttemptOutcome, Fault> {
    match result {
        Ok(()) => Ok(AttemptOutcome::Accepted),
        Err(fault) => match sys::code(&fault) {
            raw::LIBSSH2_ERROR_AUTHENTICATION_FAILED => Ok(AttemptOutcome::Refused),
            raw::LIBSSH2_ERROR_FILE => Ok(AttemptOutcome::Unusable(fault.message().to_lowercase())),
            _ => Err(fault),
        },
    }
}

/// Has `agent` sign what a server wants signed: session, message type, user, service, `publickey`, true, algorithm, key
/// (RFC 4252, section 7). Returns the signature without its algorithm, or why there is none.
fn sign(agent: &Agent, identity: &Identity, data: &[u8]) -> (Option<Vec<u8>>, Option<String>) {
    let algorithm = || {
        let mut reader = Reader::new(data);
        reader.string()?;
        reader.byte()?;
        (reader.string()?, reader.string()?, reader.string()?);
        reader.byte()?;
        reader.string()
    };
    match agent.sign(&identity.blob, data, algorithm().unwrap_or_default()) {
        Ok(signature) => (strip_algorithm(&signature), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

/// A signature without the name of its algorithm. Of FIDO keys, flags and counter follow the signature itself and
/// belong to it.
fn strip_algorithm(signature: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(signature);
    if reader.string()?.starts_with(b"sk-") {
        Some(reader.rest().to_vec())
    } else {
        reader.string().map(<[u8]>::to_vec)
    }
}
