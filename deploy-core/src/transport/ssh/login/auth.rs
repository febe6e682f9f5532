//! Logging in: which ways are tried, in which order, and what is said when none works.

use std::ffi::CString;
use std::time::{Duration, Instant};

use libssh2_sys as raw;
use ssh2::Error as Fault;

use super::agent::{Agent, Identity};
use super::candidates::{Candidate, Signer, candidates};
use super::interactive::{Answers, Passwords};
use super::keys::{KeyFile, KeyRing};
use super::record::{AgentRecord, Attempt, AttemptOutcome, Login};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::transport::ssh::config::host::HostConfig;
use crate::transport::ssh::libssh2::fault::reason;
use crate::transport::ssh::libssh2::format::{Reader, leading_name};
use crate::transport::ssh::libssh2::sys::{self, Demand};
use crate::transport::ssh::libssh2::wire::{self, Wire};
use crate::ui::Ask;

/// How many refusals are risked. Servers hang up at the sixth (`MaxAuthTries 6`), and some then punish our address.
const MAX_REFUSALS: usize = 5;

/// How many passwords are sent: the one that worked elsewhere, and one typed for this server.
const PASSWORD_TRIES: usize = 2;

/// What logins of a whole run share.
#[derive(Default)]
pub(crate) struct Secrets {
    pub(crate) keys: KeyRing,
    passwords: Passwords,
}

/// What a login needs to know and to do its work with.
pub(crate) struct Authentication<'a> {
    pub(crate) wire: &'a mut Wire,
    pub(crate) config: &'a HostConfig,
    pub(crate) secrets: &'a Secrets,
    pub(crate) ask: &'a dyn Ask,
    pub(crate) events: &'a Events,
    pub(crate) label: &'a str,
    /// When the login has to be through. Time that a person or a token takes to answer doesn't count.
    pub(crate) deadline: Instant,
    pub(crate) login: &'a mut Login,
}

/// Why a login can't go on.
enum Stop {
    /// The connection is gone.
    Broken(Fault),
    /// Another refusal, and the server would hang up.
    TooManyRefusals,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Broken(fault)
    }
}

impl Authentication<'_> {
    /// Logs in.
    ///
    /// # Errors
    ///
    /// Says what was tried and what the server offers.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        match self.try_everything() {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.refused("")),
            Err(Stop::TooManyRefusals) => Err(self
                .refused("\nno more was tried: servers hang up after too many refusals")
                .hint("name the right key as `identity_files` in deploy.toml, or as `IdentityFile` in ~/.ssh/config")),
            Err(Stop::Broken(fault)) => Err(self.broken(&fault)),
        }
    }

    /// Tries one way after the other. When the server accepts one and wants another besides, it begins anew with what
    /// is then offered.
    fn try_everything(&mut self) -> Result<bool, Stop> {
        let started = Instant::now();
        if self.ask_for_methods()? {
            return Ok(true);
        }
        self.login.round_trip = started.elapsed();
        let agent = self.agent();
        let keys = candidates(self.config, &self.secrets.keys, agent);
        loop {
            let outcome = self.try_methods(&keys)?;
            if outcome != Some(AttemptOutcome::Partial) {
                return Ok(outcome == Some(AttemptOutcome::Accepted));
            }
        }
    }

    fn try_methods(&mut self, keys: &[Candidate]) -> Result<Option<AttemptOutcome>, Stop> {
        let mut outcome = None;
        if self.offers("publickey") {
            outcome = self.try_keys(keys)?;
        }
        if outcome.is_none() && self.offers("keyboard-interactive") {
            outcome = self.try_typing("keyboard-interactive", Self::answer_questions)?;
        }
        if outcome.is_none() && self.offers("password") {
            outcome = self.try_typing("password", Self::send_password)?;
        }
        Ok(outcome)
    }

    /// Learns what the server offers. True: it wants nothing.
    fn ask_for_methods(&mut self) -> Result<bool, Fault> {
        let user = c_string(&self.config.user);
        match self.wire.wait(self.deadline, |session| sys::ask_for_methods(session, &user))? {
            Demand::Nothing => Ok(true),
            Demand::OneOf(methods) => {
                self.login.offered = methods.split(',').map(str::to_owned).collect();
                Ok(false)
            }
        }
    }

    fn offers(&self, method: &str) -> bool {
        !self.config.unwanted_methods.contains(&method) && self.login.offered.iter().any(|offered| offered == method)
    }

    fn agent(&mut self) -> Option<(Agent, Vec<Identity>)> {
        let agent = Agent::at(self.config.agent.as_deref()?);
        let identities = agent.identities();
        let keys = identities.as_ref().map(Vec::len).map_err(ToString::to_string);
        self.login.agent = Some(AgentRecord { socket: agent.socket().to_owned(), keys });
        Some((agent, identities.ok()?))
    }

    fn try_keys(&mut self, keys: &[Candidate]) -> Result<Option<AttemptOutcome>, Stop> {
        let mut refused: Vec<&[u8]> = Vec::new();
        for candidate in keys {
            let blob = candidate.blob.as_deref();
            // A key that was accepted once is not asked for twice, and a refused one is no better from another place.
            let known = self.was_accepted(candidate) || blob.is_some_and(|blob| refused.contains(&blob));
            if known {
                continue;
            }
            match self.attempt(candidate.describe(), |own| own.try_key(candidate))? {
                AttemptOutcome::Refused => refused.extend(blob),
                AttemptOutcome::Unusable(_) => {}
                outcome => return Ok(Some(outcome)),
            }
        }
        Ok(None)
    }

    fn was_accepted(&self, candidate: &Candidate) -> bool {
        let what = candidate.describe();
        self.login.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Partial && attempt.what == what)
    }

    /// Makes an attempt and writes it down.
    fn attempt(
        &mut self,
        what: String,
        try_it: impl FnOnce(&mut Self) -> Result<AttemptOutcome, Fault>,
    ) -> Result<AttemptOutcome, Stop> {
        // What follows a partial success begins with a question that servers count as a refusal, too.
        let counts = |attempt: &&Attempt| matches!(attempt.outcome, AttemptOutcome::Refused | AttemptOutcome::Partial);
        if self.login.attempts.iter().filter(counts).count() >= MAX_REFUSALS {
            return Err(Stop::TooManyRefusals);
        }
        let outcome = try_it(self)?;
        self.login.attempts.push(Attempt { what, outcome: outcome.clone() });
        Ok(outcome)
    }

    fn try_key(&mut self, candidate: &Candidate) -> Result<AttemptOutcome, Fault> {
        match &candidate.signer {
            Signer::Agent(agent, identity) => {
                let blob = candidate.blob.as_deref().unwrap_or(&identity.blob);
                self.try_identity(agent, identity, blob)
            }
            Signer::File(file) => self.try_file(candidate, file),
        }
    }

    fn try_identity(&mut self, agent: &Agent, identity: &Identity, blob: &[u8]) -> Result<AttemptOutcome, Fault> {
        let (mut trouble, mut waited) = (None, Duration::ZERO);
        let (events, label) = (self.events, self.label);
        let result = self.offer(blob, &mut |data| {
            let started = Instant::now();
            if leading_name(blob).starts_with("sk-") {
                let text = format!("{label}: touch the token of `{}`", identity.comment);
                events.emit(Event::Note { step: None, server: None, text });
            }
            let signature = sign(agent, identity, data);
            waited += started.elapsed();
            signature.map_err(|error| trouble = Some(error.to_string())).ok()
        });
        self.deadline += waited;
        match (result, trouble) {
            (Err(_), Some(trouble)) => Ok(AttemptOutcome::Unusable(trouble)),
            (result, _) => self.judge(result),
        }
    }

    fn try_file(&mut self, candidate: &Candidate, file: &KeyFile) -> Result<AttemptOutcome, Fault> {
        if let Some(blob) = candidate.blob.as_deref().filter(|_| file.is_locked()) {
            // Nobody is asked for the passphrase of a key that the server doesn't want.
            let mut wanted = false;
            let result = self.offer(blob, &mut |_| {
                wanted = true;
                None
            });
            if !wanted {
                return self.judge(result);
            }
        }
        let started = Instant::now();
        let key = match file.unlock(self.ask) {
            Ok(key) => key,
            Err(reason) => return Ok(AttemptOutcome::Unusable(reason)),
        };
        self.deadline += started.elapsed();
        let (user, certificate) = (&self.config.user, candidate.certificate.as_ref().map(|own| own.text.as_str()));
        let result = self.wire.wait(self.deadline, |session| {
            sys::pending(session.userauth_pubkey_memory(user, certificate, &key.text, key.passphrase.as_deref()))
        });
        let outcome = self.judge(result)?;
        if matches!(outcome, AttemptOutcome::Unusable(_)) {
            file.reject_passphrase();
        }
        Ok(outcome)
    }

    /// Offers a key, and has `sign` called if the server wants it.
    fn offer(&mut self, blob: &[u8], sign: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<(), Fault> {
        let user = c_string(&self.config.user);
        self.wire.wait(self.deadline, |session| sys::log_in_with_key(session, &user, blob, sign))
    }

    /// Tries a way in for which a person is asked, until it is clear that it leads nowhere.
    fn try_typing(
        &mut self,
        method: &str,
        once: impl Fn(&mut Self) -> Result<AttemptOutcome, Fault>,
    ) -> Result<Option<AttemptOutcome>, Stop> {
        for _ in 0..PASSWORD_TRIES {
            match self.attempt(method.into(), &once)? {
                AttemptOutcome::Refused => {}
                AttemptOutcome::Unusable(_) => break,
                outcome => return Ok(Some(outcome)),
            }
        }
        Ok(None)
    }

    fn answer_questions(&mut self) -> Result<AttemptOutcome, Fault> {
        let started = Instant::now();
        let (user, socket) = (&self.config.user, self.wire.socket_handle());
        let mut answers = Answers {
            ask: self.ask,
            passwords: &self.secrets.passwords,
            user,
            server: self.label,
            password: None,
            give_up: &|| wire::shut(&socket),
            gave_up: false,
        };
        // A person may take as long as the server lets them.
        let deadline = self.deadline + INTERACTIVE_TIME;
        let result =
            self.wire.wait(deadline, |session| sys::pending(session.userauth_keyboard_interactive(user, &mut answers)));
        let (gave_up, password) = (answers.gave_up, answers.password);
        self.deadline += started.elapsed();
        if gave_up {
            return Ok(AttemptOutcome::Unusable("there is no terminal to answer the server's questions on".into()));
        }
        let outcome = self.judge(result)?;
        self.forget_if_refused(&outcome, password.as_deref());
        Ok(outcome)
    }

    fn send_password(&mut self) -> Result<AttemptOutcome, Fault> {
        let started = Instant::now();
        let Some(password) = self.secrets.passwords.get(&self.config.user, self.label, self.ask) else {
            return Ok(AttemptOutcome::Unusable("there is no terminal to ask for it".into()));
        };
        self.deadline += started.elapsed();
        let user = &self.config.user;
        let result = self.wire.wait(self.deadline, |session| sys::pending(session.userauth_password(user, &password)));
        let outcome = self.judge(result)?;
        self.forget_if_refused(&outcome, Some(&password));
        Ok(outcome)
    }

    fn forget_if_refused(&self, outcome: &AttemptOutcome, password: Option<&str>) {
        if let (AttemptOutcome::Refused, Some(password)) = (outcome, password) {
            self.secrets.passwords.forget(&self.config.user, password);
        }
    }

    /// What the server said to an attempt.
    fn judge(&mut self, result: Result<(), Fault>) -> Result<AttemptOutcome, Fault> {
        let Err(fault) = result else { return Ok(AttemptOutcome::Accepted) };
        match sys::code(&fault) {
            raw::LIBSSH2_ERROR_AUTHENTICATION_FAILED => Ok(AttemptOutcome::Refused),
            raw::LIBSSH2_ERROR_FILE | raw::LIBSSH2_ERROR_KEYFILE_AUTH_FAILED => {
                Ok(AttemptOutcome::Unusable(fault.message().to_lowercase()))
            }
            raw::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED => self.judge_unverified(),
            _ => Err(fault),
        }
    }

    /// libssh2 says the same when the server refused a signature, when it wants another method besides, and when it
    /// hung up. Asking for the methods tells these apart.
    fn judge_unverified(&mut self) -> Result<AttemptOutcome, Fault> {
        let before = self.login.offered.clone();
        match self.ask_for_methods() {
            Ok(true) => Ok(AttemptOutcome::Accepted),
            Ok(false) if self.login.offered == before => Ok(AttemptOutcome::Refused),
            Ok(false) => Ok(AttemptOutcome::Partial),
            Err(fault) => {
                self.login.offered = before;
                Err(fault)
            }
        }
    }

    fn broken(&self, fault: &Fault) -> Error {
        let error = Error::connection(format!("failed to log in to `{}` as `{}`", self.label, self.config.user))
            .because(anyhow::anyhow!(reason(fault)));
        if self.login.attempts.is_empty() { error } else { error.detail(self.story()) }
    }

    fn refused(&self, remark: &str) -> Error {
        let Login { host, port, user, .. } = &*self.login;
        Error::connection(format!("`{}` does not let `{user}` in", self.label))
            .detail(self.story() + remark)
            .hint(format!("compare with what `ssh -v -p {port} {user}@{host}` does"))
    }

    /// What was tried, and what the server offers.
    fn story(&self) -> String {
        let mut story: String = self.login.attempts.iter().map(|attempt| format!("{attempt}\n")).collect();
        if self.login.attempts.is_empty() {
            story = "there was nothing to try: no key file, and no agent with a key\n".into();
        }
        story + &format!("the server offers: {}", self.login.offered.join(", "))
    }
}

/// How long a person may take to answer a server's questions. Servers end an unfinished login after two minutes.
const INTERACTIVE_TIME: Duration = Duration::from_secs(120);

/// The user's name for libssh2; one with a NUL in it can't exist, so it is cut there.
fn c_string(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

/// Has `agent` sign what a server wants signed: session, message type, user, service, `publickey`, true, algorithm, key
/// (RFC 4252, section 7). Returns the signature without its algorithm.
fn sign(agent: &Agent, identity: &Identity, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let algorithm = || {
        let mut reader = Reader::new(data);
        let _session = (reader.string()?, reader.byte()?);
        let _request = (reader.string()?, reader.string()?, reader.string()?, reader.byte()?);
        reader.string()
    };
    let signature = agent.sign(&identity.blob, data, algorithm().unwrap_or_default())?;
    strip_algorithm(&signature).ok_or_else(|| std::io::Error::other("the agent's signature is cut off"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::libssh2::format::put;

    #[test]
    fn a_signature_loses_its_algorithm_and_nothing_else() {
        let mut plain = Vec::new();
        put(&mut plain, b"rsa-sha2-512");
        put(&mut plain, b"signature");
        assert_eq!(strip_algorithm(&plain).unwrap(), b"signature");

        let mut token = Vec::new();
        put(&mut token, b"sk-ssh-ed25519@openssh.com");
        put(&mut token, b"signature");
        token.extend([1, 0, 0, 0, 7]);
        let mut expected = Vec::new();
        put(&mut expected, b"signature");
        expected.extend([1, 0, 0, 0, 7]);
        assert_eq!(strip_algorithm(&token).unwrap(), expected, "flags and counter belong to it");
        assert_eq!(strip_algorithm(b"\0\0"), None);
    }

    #[test]
    fn a_user_name_ends_where_libssh2_would_end_it() {
        assert_eq!(c_string("deploy").to_bytes(), b"deploy");
        assert_eq!(c_string("a\0b").to_bytes(), b"a");
    }
}
