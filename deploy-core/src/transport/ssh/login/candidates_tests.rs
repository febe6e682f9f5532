use super::*;
use crate::transport::ssh::testing::{CERTIFICATE_OF_ONE, KEY_ONE, KEY_THREE, KEY_TWO, blob};
use std::path::{Path, PathBuf};

/// A home folder with key files, and a configuration that knows of them.
struct Home {
    folder: tempfile::TempDir,
    config: HostConfig,
}

impl Home {
    fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap(), config: HostConfig::default() }
    }

    /// A private key file whose public half is `public`.
    fn key(&self, name: &str, public: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, "a private key").unwrap();
        std::fs::write(with_suffix(&path, ".pub"), public).unwrap();
        path
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// What is tried, in order, when the agent holds `identities`.
    fn tried(&self, identities: &[&str]) -> Vec<String> {
        let identity = |line: &&str| Identity { blob: blob(line), comment: line.split(' ').nth(2).unwrap().into() };
        let agent = (Agent::at(Path::new("/agent")), identities.iter().map(identity).collect());
        let candidates = candidates(&self.config, &KeyRing::default(), Some(agent));
        let folder = format!("{}/", self.folder.path().display());
        candidates.iter().map(|candidate| candidate.describe().replace(&folder, "")).collect()
    }
}

#[test]
fn a_named_file_comes_after_its_twin_and_before_the_agents_other_keys() {
    let mut home = Home::new();
    home.config.identity_files = vec![home.key("two", KEY_TWO)];
    assert_eq!(
        home.tried(&[KEY_ONE, KEY_TWO]),
        ["agent key `two` (ssh-ed25519)", "key file `two`", "agent key `one` (ssh-ed25519)"]
    );
}

#[test]
fn only_named_keys_are_tried_when_the_user_says_so() {
    let mut home = Home::new();
    home.config.identities_only = true;
    home.config.identity_files = vec![home.key("two", KEY_TWO)];
    assert_eq!(home.tried(&[KEY_ONE, KEY_TWO, KEY_THREE]), ["agent key `two` (ssh-ed25519)", "key file `two`"]);
}

#[test]
fn the_usual_files_come_last_and_their_twins_before_strangers() {
    let mut home = Home::new();
    home.config.default_identity_files =
        vec![home.key("id_ed25519", KEY_TWO), home.key("id_rsa", KEY_THREE), home.folder.path().join("id_none")];
    assert_eq!(
        home.tried(&[KEY_ONE, KEY_TWO]),
        [
            "agent key `two` (ssh-ed25519)",
            "agent key `one` (ssh-ed25519)",
            "key file `id_ed25519`",
            "key file `id_rsa`"
        ]
    );
}

#[test]
fn a_named_file_that_is_missing_is_not_passed_over_in_silence() {
    let mut home = Home::new();
    home.config.identity_files = vec![home.folder.path().join("gone")];
    assert_eq!(home.tried(&[]), ["key file `gone`"]);
}

#[test]
fn a_certificate_beside_its_key_comes_first_signed_by_the_agent_and_then_by_the_file() {
    let mut home = Home::new();
    home.config.identity_files = vec![home.key("two", KEY_TWO), home.key("one", KEY_ONE)];
    home.file("one-cert.pub", CERTIFICATE_OF_ONE);
    assert_eq!(
        home.tried(&[KEY_ONE]),
        [
            "certificate `one-cert.pub` with agent key `one` (ssh-ed25519)",
            "certificate `one-cert.pub` with key file `one`",
            "key file `two`",
            "agent key `one` (ssh-ed25519)",
            "key file `one`"
        ]
    );
}

#[test]
fn a_named_certificate_finds_its_key() {
    let mut home = Home::new();
    home.config.identity_files = vec![home.key("two", KEY_TWO), home.key("one", KEY_ONE)];
    home.config.certificate_files = vec![home.file("mine.pub", CERTIFICATE_OF_ONE)];
    assert_eq!(home.tried(&[])[0], "certificate `mine.pub` with key file `one`");
}

#[test]
fn a_certificate_in_the_agent_counts_as_its_keys_twin() {
    let mut home = Home::new();
    home.config.identities_only = true;
    home.config.identity_files = vec![home.key("one", KEY_ONE)];
    assert_eq!(
        home.tried(&[KEY_TWO, CERTIFICATE_OF_ONE]),
        ["agent key `one` (ssh-ed25519-cert-v01@openssh.com)", "key file `one`"]
    );
}
