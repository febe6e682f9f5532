//! The keys to try, in order.

use std::io;
use std::sync::Arc;

use super::agent::{Agent, Identity};
use super::keys::{Certificate, KeyFile, KeyRing, certifies, with_suffix};
use super::record::AgentRecord;
use crate::error::is_out_of_files;
use crate::transport::ssh::config::host::HostConfig;
use crate::transport::ssh::libssh2::format::leading_name;

/// How many keys are few: after them, the question what else it offers, and two passwords, a server still listens.
const FEW: usize = 2;

/// A key or certificate to log in with.
pub(crate) struct Candidate {
    /// What is shown to the server, where it is known without opening a file.
    pub(crate) blob: Option<Vec<u8>>,
    /// The certificate to show instead of the key itself.
    pub(crate) certificate: Option<Certificate>,
    pub(crate) signer: Signer,
}

/// Who signs.
#[derive(Clone)]
pub(crate) enum Signer {
    /// The agent, with this identity.
    Agent(Agent, Identity),
    /// We do, with a key file.
    File(Arc<KeyFile>),
}

/// The keys of one login, found before anything is sent.
pub(crate) struct Keys {
    pub(super) candidates: Vec<Candidate>,
    /// The agent that was asked.
    pub(crate) agent: Option<AgentRecord>,
}

impl Keys {
    /// Looks what there is to log in with.
    ///
    /// # Errors
    ///
    /// When no more files can be opened here: an agent that is left out for that would make the login fail for another reason.
    pub(crate) fn find(config: &HostConfig, files: &KeyRing) -> io::Result<Keys> {
        let agent = config.agent.as_deref().map(Agent::at);
        let identities = match agent.as_ref().map(Agent::identities) {
            Some(Err(error)) if is_out_of_files(&error) => return Err(error),
            identities => identities,
        };
        let record = |(agent, identities): (&Agent, &io::Result<Vec<Identity>>)| AgentRecord {
            socket: agent.socket().to_owned(),
            keys: identities.as_ref().map(Vec::len).map_err(ToString::to_string),
        };
        let record = agent.as_ref().zip(identities.as_ref()).map(record);
        let agent = agent.zip(identities.and_then(io::Result::ok));
        Ok(Keys { candidates: candidates(config, files, agent), agent: record })
    }

    /// The first key, where there are few: the server may be asked about it before it has said what it offers. That costs a
    /// try, and servers allow only so many.
    pub(super) fn first_of_few(&self) -> Option<&Candidate> {
        let mut blobs: Vec<_> = self.candidates.iter().map(|candidate| candidate.blob.as_deref()).collect();
        blobs.sort_unstable();
        blobs.dedup();
        self.candidates.first().filter(|_| blobs.len() <= FEW)
    }
}

/// The keys to try: certificates first; then of each file that the user named its twin in the agent and the file
/// itself; then the agent's other keys; then, where no file is named, those that `ssh` looks for by default.
///
/// `ssh` tries the agent's other keys before files that only the configuration knows. With more than five keys in the
/// agent that ends in `Too many authentication failures`, so what the user named goes first here.
fn candidates(config: &HostConfig, keys: &KeyRing, agent: Option<(Agent, Vec<Identity>)>) -> Vec<Candidate> {
    let (agent, identities) = agent.map_or((None, Vec::new()), |(agent, identities)| (Some(agent), identities));
    let own =
        |identity: &Identity| Signer::Agent(agent.clone().expect("identities come from an agent"), identity.clone());
    let read = |paths: &[std::path::PathBuf]| paths.iter().map(|path| keys.file(path)).collect::<Vec<_>>();
    let (named, usual) = (read(&config.identity_files), read(&config.default_identity_files));
    let twins = |file: &Arc<KeyFile>| {
        let public = file.public.clone().unwrap_or_default();
        let twins = identities.iter().filter(move |own| own.blob == public || certifies(&own.blob, &public));
        twins.map(own).map(Candidate::plain).collect::<Vec<_>>()
    };

    let mut candidates = Vec::new();
    for certificate in certificates(config, &named, &usual) {
        let holder = identities.iter().find(|identity| certifies(&certificate.blob, &identity.blob));
        let file = named.iter().chain(&usual).find(|file| belongs_to(&certificate, file));
        let signers = holder.map(own).into_iter().chain(file.map(|file| Signer::File(Arc::clone(file))));
        candidates.extend(signers.map(|signer| Candidate::certified(certificate.clone(), signer)));
    }
    for file in &named {
        candidates.extend(twins(file));
        candidates.push(Candidate::plain(Signer::File(Arc::clone(file))));
    }
    // Twins of the usual files come before the agent's strangers.
    candidates.extend(usual.iter().flat_map(twins));
    if !config.identities_only {
        candidates.extend(identities.iter().map(|identity| Candidate::plain(own(identity))));
    }
    let present = usual.iter().filter(|file| !file.is_missing());
    candidates.extend(present.map(|file| Candidate::plain(Signer::File(Arc::clone(file)))));
    without_repetitions(candidates)
}

/// The certificates that the user named, and those that lie beside a key file.
fn certificates(config: &HostConfig, named: &[Arc<KeyFile>], usual: &[Arc<KeyFile>]) -> Vec<Certificate> {
    let beside = named.iter().chain(usual).map(|file| with_suffix(&file.path, "-cert.pub"));
    let mut certificates: Vec<Certificate> = Vec::new();
    for path in config.certificate_files.iter().cloned().chain(beside) {
        let found = Certificate::read(&path);
        certificates.extend(found.filter(|found| !certificates.iter().any(|known| known.blob == found.blob)));
    }
    certificates
}

fn belongs_to(certificate: &Certificate, file: &KeyFile) -> bool {
    file.public.as_deref().is_some_and(|public| certifies(&certificate.blob, public))
        || certificate.path == with_suffix(&file.path, "-cert.pub")
}

/// The same key with the same signer comes up once, in its first place.
fn without_repetitions(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if !kept.iter().any(|known| known.is_same(&candidate)) {
            kept.push(candidate);
        }
    }
    kept
}

impl Candidate {
    fn plain(signer: Signer) -> Candidate {
        let blob = match &signer {
            Signer::Agent(_, identity) => Some(identity.blob.clone()),
            Signer::File(file) => file.public.clone(),
        };
        Candidate { blob, certificate: None, signer }
    }

    fn certified(certificate: Certificate, signer: Signer) -> Candidate {
        Candidate { blob: Some(certificate.blob.clone()), certificate: Some(certificate), signer }
    }

    fn is_same(&self, other: &Candidate) -> bool {
        let same_signer = match (&self.signer, &other.signer) {
            (Signer::Agent(..), Signer::Agent(..)) => self.blob == other.blob,
            (Signer::File(own), Signer::File(other)) => own.path == other.path,
            _ => false,
        };
        same_signer && self.certificate == other.certificate
    }

    /// The certificate to show, as it stands in its file.
    pub(super) fn certificate_text(&self) -> Option<&str> {
        self.certificate.as_ref().map(|certificate| certificate.text.as_str())
    }

    /// What the user calls it.
    pub(crate) fn describe(&self) -> String {
        let certified = match &self.certificate {
            Some(certificate) => format!("certificate `{}` with ", certificate.path.display()),
            None => String::new(),
        };
        match &self.signer {
            Signer::Agent(_, identity) => {
                format!("{certified}agent key `{}` ({})", identity.comment, leading_name(&identity.blob))
            }
            Signer::File(file) => format!("{certified}key file `{}`", file.path.display()),
        }
    }
}

#[cfg(test)]
#[path = "candidates_tests.rs"]
mod tests;
