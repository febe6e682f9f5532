//! Logging in: which ways are tried, in which order, and what is said when none works.

use std::time::{Duration, Instant};

use libssh2_sys as raw;
use ssh2::{Error as Fault, Session};

use super::agent::{Agent, Identity};
use super::candidates::{Candidate, Keys, Signer};
use super::interactive::{Answers, Passwords};
use super::keys::{KeyFile, KeyRing};
use super::record::{Attempt, AttemptOutcome, Login};
use crate::error::Error;
use crate::event::{Event, Events};
use crate::transport::ssh::config::host::HostConfig;
use crate::transport::ssh::libssh2::fault::reason;
use crate::transport::ssh::libssh2::format::{Reader, c_string, leading_name};
use crate::transport::ssh::libssh2::patience::Patience;
use crate::transport::ssh::libssh2::port::Port;
use crate::transport::ssh::libssh2::sys::{self, Demand, Watch};
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
    /// How long the login may take. Time that a person or a token takes to answer doesn't count.
    pub(crate) patience: &'a Patience,
    pub(crate) login: &'a mut Login,
    pub(crate) keys: &'a Keys,
    pub(crate) progress: Progress,
}

/// How far a login is.
#[derive(Default)]
pub(crate) struct Progress {
    ahead: Ahead,
    /// The keys that were tried, by their place among all.
    tried: Vec<usize>,
    refused: Vec<Vec<u8>>,
    /// How many questions came after a try: servers count them as refusals.
    late_questions: usize,
    /// Whether the first channel was asked for.
    under_way: bool,
}

impl Progress {
    /// A login of which this much is sent, or may be sent, ahead.
    pub(crate) fn new(ahead: Ahead) -> Progress {
        Progress { ahead, ..Progress::default() }
    }
}

/// What is sent before the server has answered what goes before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// The question whether the server takes the first key was sent behind the request for authentication.
    pub(crate) has_asked: bool,
    /// The first channel may be asked for behind a signature. Where that doesn't log in, the session is of no use any more:
    /// servers drop the request, and libssh2 waits for its answer.
    pub(crate) may_open: bool,
}

/// How a login ended that wasn't refused.
pub(crate) enum Outcome {
    /// The user is in; whether the first channel is asked for already.
    LoggedIn { under_way: bool },
    /// The server wants more than a key, or takes offence at being asked for a channel early: to be tried again without.
    Overtaken,
}

/// Why a login can't go on.
enum Stop {
    /// The connection is gone.
    Broken(Fault),
    /// Another refusal, and the server would hang up.
    TooManyRefusals,
    /// The channel was asked for too early.
    Overtaken,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Broken(fault)
    }
}

/// Asks about the first key ahead, behind the request for authentication: the server has to have proved before that it is
/// the right one. Returns whether that could be done.
pub(crate) fn ask_ahead(wire: &Wire, config: &HostConfig, keys: &Keys, ask: &dyn Ask) -> bool {
    let Some(candidate) = keys.first_of_few().filter(|_| !config.unwanted_methods.contains(&"publickey")) else {
        return false;
    };
    // Which hash the server wants with RSA is not known before it has answered.
    let Some(blob) = candidate.blob.as_deref().filter(|blob| !leading_name(blob).starts_with("ssh-rsa")) else {
        return false;
    };
    let (session, user, certificate) = (&wire.session, &config.user, candidate.certificate_text());
    let asked = sys::sending_only(session, || match &candidate.signer {
        Signer::Agent(..) => sys::log_in_with_key(session, &c_string(user), blob, &mut |_| None).ok(),
        Signer::File(file) if file.is_locked() => None,
        Signer::File(file) => file.unlock(ask).ok().and_then(|key| key.log_in(session, user, certificate).ok()),
    });
    asked == Some(None)
}

impl Authentication<'_> {
    /// Logs in.
    ///
    /// # Errors
    ///
    /// Says what was tried and what the server offers.
    pub(crate) fn run(mut self) -> Result<Outcome, Error> {
        match self.try_everything() {
            Ok(true) => Ok(Outcome::LoggedIn { under_way: self.progress.under_way }),
            Ok(false) => Err(self.refused("")),
            Err(Stop::Overtaken) => Ok(Outcome::Overtaken),
            Err(Stop::TooManyRefusals) => Err(self
                .refused("\nno more was tried: servers hang up after too many refusals")
                .hint("name the right key as `identity_files` in deploy.toml, or as `IdentityFile` in ~/.ssh/config")),
            Err(Stop::Broken(fault)) => Err(self.broken(&fault)),
        }
    }

    /// Tries one way after the other. When the server accepts one and wants another besides, it begins anew with what
    /// is then offered.
    fn try_everything(&mut self) -> Result<bool, Stop> {
        if self.progress.ahead.has_asked {
            if self.try_keys(1)? == Some(AttemptOutcome::Accepted) {
                return Ok(true);
            }
            self.progress.late_questions += 1;
        }
        if self.login.offered.is_empty() && self.ask_for_methods()? {
            return Ok(true);
        }
        loop {
            let outcome = self.try_methods()?;
            if outcome != Some(AttemptOutcome::Partial) {
                return Ok(outcome == Some(AttemptOutcome::Accepted));
            }
        }
    }

    fn try_methods(&mut self) -> Result<Option<AttemptOutcome>, Stop> {
        let mut outcome = None;
        if self.offers("publickey") {
            outcome = self.try_keys(usize::MAX)?;
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
        match self.wire.wait(self.patience, |session| sys::ask_for_methods(session, &user))? {
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

    /// Tries the first `count` keys, as far as they were not tried before.
    fn try_keys(&mut self, count: usize) -> Result<Option<AttemptOutcome>, Stop> {
        for (place, candidate) in self.keys.candidates.iter().enumerate().take(count) {
            // A refused key is no better from another place.
            let is_refused = candidate.blob.as_ref().is_some_and(|blob| self.progress.refused.contains(blob));
            if is_refused || self.progress.tried.contains(&place) {
                continue;
            }
            self.progress.tried.push(place);
            match self.attempt(candidate.describe(), |own| own.try_key(candidate))? {
                AttemptOutcome::Refused => self.progress.refused.extend(candidate.blob.clone()),
                AttemptOutcome::Unusable(_) => {}
                outcome => return Ok(Some(outcome)),
            }
        }
        Ok(None)
    }

    /// Makes an attempt and writes it down.
    fn attempt(
        &mut self,
        what: String,
        try_it: impl FnOnce(&mut Self) -> Result<AttemptOutcome, Fault>,
    ) -> Result<AttemptOutcome, Stop> {
        let counts = |attempt: &&Attempt| attempt.outcome == AttemptOutcome::Refused;
        let refusals = self.login.attempts.iter().filter(counts).count();
        if refusals + self.progress.late_questions >= MAX_REFUSALS {
            return Err(Stop::TooManyRefusals);
        }
        let outcome = try_it(self);
        if self.progress.under_way && !matches!(outcome, Ok(AttemptOutcome::Accepted)) {
            return Err(Stop::Overtaken);
        }
        let outcome = outcome?;
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
        let mut trouble = None;
        let (events, label, patience) = (self.events, self.label, self.patience);
        let result = self.offer(blob, &mut |data| {
            let started = Instant::now();
            if leading_name(blob).starts_with("sk-") {
                let text = format!("{label}: touch the token of `{}`", identity.comment);
                events.emit(Event::Note { step: None, server: None, text });
            }
            let signature = sign(agent, identity, data);
            patience.give_back(started);
            signature.map_err(|error| trouble = Some(error.to_string())).ok()
        });
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
        self.warn_of_readers(file);
        let started = Instant::now();
        let key = match file.unlock(self.ask) {
            Ok(key) => key,
            Err(reason) => return Ok(AttemptOutcome::Unusable(reason)),
        };
        self.patience.give_back(started);
        let (user, certificate) = (&self.config.user, candidate.certificate_text());
        let result = self.log_in(|session| key.log_in(session, user, certificate));
        let outcome = self.judge(result)?;
        if matches!(outcome, AttemptOutcome::Unusable(_)) {
            file.reject_passphrase();
        }
        Ok(outcome)
    }

    /// Tells of a private key that others may read, once a run. `ssh` wouldn't use it.
    fn warn_of_readers(&mut self, file: &KeyFile) {
        let Some(mode) = file.mode_for_others.filter(|_| !self.login.exposed.contains(&file.path)) else { return };
        self.login.exposed.push(file.path.clone());
        if file.is_told_first() {
            let path = file.path.display();
            let text = format!("others may read the private key `{path}` (mode {mode:04o}): chmod 600 {path}");
            self.events.emit(Event::Note { step: None, server: None, text });
        }
    }

    /// Offers a key, and has `sign` called if the server wants it.
    fn offer(&mut self, blob: &[u8], sign: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<(), Fault> {
        let user = c_string(&self.config.user);
        self.log_in(|session| sys::log_in_with_key(session, &user, blob, sign))
    }

    /// Makes a call that asks whether a key is wanted, and signs if it is. Where that may be done, the first channel is asked
    /// for behind the signature.
    fn log_in(&mut self, mut call: impl FnMut(&Session) -> Result<Option<()>, Fault>) -> Result<(), Fault> {
        // The packets that are out with the signature: it, and the question before it unless that went ahead.
        let signed = if std::mem::take(&mut self.progress.ahead.has_asked) { 1 } else { 2 };
        let watch = self.progress.ahead.may_open.then(|| Watch::start(&self.wire.session));
        let under_way = &mut self.progress.under_way;
        self.wire.wait(self.patience, |session| {
            let answer = call(session)?;
            let is_signed = watch.as_ref().is_some_and(|watch| watch.packets() == signed);
            if answer.is_none() && is_signed && !*under_way {
                *under_way = Port::ask_for_session(session);
            }
            Ok(answer)
        })
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
        let patience = self.patience.and(INTERACTIVE_TIME);
        let result = self
            .wire
            .wait(&patience, |session| sys::pending(session.userauth_keyboard_interactive(user, &mut answers)));
        let (gave_up, password) = (answers.gave_up, answers.password);
        self.patience.give_back(started);
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
        self.patience.give_back(started);
        let user = &self.config.user;
        let result = self.wire.wait(self.patience, |session| sys::pending(session.userauth_password(user, &password)));
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
        if self.progress.under_way {
            return Err(fault);
        }
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
        self.progress.late_questions += 1;
        match self.ask_for_methods() {
            Ok(true) => Ok(AttemptOutcome::Accepted),
            Ok(false) if self.login.offered == before => Ok(AttemptOutcome::Refused),
            // What it offered before is not known. After a key it wants something else, as a rule.
            Ok(false) if before.is_empty() && self.offers("publickey") => Ok(AttemptOutcome::Refused),
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
        Error::connection(format!("`{}` does not let `{}` in", self.label, self.login.user))
            .detail(self.story() + remark)
    }

    /// What was tried, and what the server offers.
    fn story(&self) -> String {
        let mut story: String = self.login.attempts.iter().map(|attempt| format!("{attempt}\n")).collect();
        if self.login.attempts.is_empty() {
            story = "there was nothing to try: no key file, and no agent with a key\n".into();
        }
        match self.login.offered.join(", ") {
            offered if offered.is_empty() => story.trim_end().to_owned(),
            offered => format!("{story}the server offers: {offered}"),
        }
    }
}

/// How long a person may take to answer a server's questions. Servers end an unfinished login after two minutes.
const INTERACTIVE_TIME: Duration = Duration::from_secs(120);

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
}
