//! A FIDO token that is none: an agent that signs as one would.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deploy_core::transport::ssh::AttemptOutcome;
use sha2::{Digest as _, Sha256};

use super::lab::Lab;

/// What the token has signed for: an application's name, as `ssh-keygen -t ed25519-sk` sets it.
const APPLICATION: &[u8] = b"ssh:";

/// The flags of a signature: somebody touched the token.
const USER_PRESENT: u8 = 1;

#[test]
fn a_fido_key_in_the_agent_logs_in() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let token = Token::new(&lab);
    lab.authorize(&format!("sk-ssh-ed25519@openssh.com {} token", STANDARD.encode(token.blob())));
    let socket = lab.sandbox.join("token");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| token.serve(stream)));
    let known = lab.sandbox.join("known_hosts");
    let none = lab.sandbox.join("no-such-key");
    lab.configure(&format!(
        "IdentityAgent {}\nIdentityFile {}\nUserKnownHostsFile {}\n",
        socket.display(),
        none.display(),
        known.display()
    ));
    let connection = lab.log_in(sshd.port());
    let accepted = connection.login().attempts.last().unwrap();
    assert_eq!(accepted.outcome, AttemptOutcome::Accepted);
    assert!(accepted.what.contains("sk-ssh-ed25519@openssh.com"), "{accepted}");
    assert!(sshd.log().contains("ED25519-SK"), "{}", sshd.log());
}

/// An Ed25519 key that signs as a FIDO token does, by the `openssl` program.
struct Token {
    key: PathBuf,
    public: Vec<u8>,
}

impl Token {
    fn new(lab: &Lab) -> Token {
        let key = lab.sandbox.join("token.pem");
        openssl(&["genpkey", "-algorithm", "ed25519", "-out"], &key, &[]);
        let public = openssl(&["pkey", "-pubout", "-outform", "DER", "-in"], &key, &[]);
        // The key itself stands at the end of the structure around it.
        Token { key, public: public[public.len() - 32..].to_vec() }
    }

    /// The public key as SSH's protocol writes it.
    fn blob(&self) -> Vec<u8> {
        strings(&[b"sk-ssh-ed25519@openssh.com", &self.public, APPLICATION])
    }

    /// Signs the application, the flags, a counter and the data (OpenSSH's PROTOCOL.u2f).
    fn sign(&self, data: &[u8]) -> Vec<u8> {
        let counter = 7_u32.to_be_bytes();
        let signed = [&Sha256::digest(APPLICATION)[..], &[USER_PRESENT], &counter, &Sha256::digest(data)[..]].concat();
        let file = self.key.with_extension("data");
        fs::write(&file, signed).unwrap();
        let path = file.display().to_string();
        let signature = openssl(&["pkeyutl", "-sign", "-rawin", "-inkey"], &self.key, &["-in", &path]);
        let signature = strings(&[b"sk-ssh-ed25519@openssh.com", &signature]);
        [&signature[..], &[USER_PRESENT], &counter].concat()
    }

    /// Speaks the agent's protocol: one key, and signatures of it.
    fn serve(&self, mut stream: UnixStream) {
        while let Some(request) = read_message(&mut stream) {
            let answer = match request[0] {
                11 => [&[12, 0, 0, 0, 1][..], &strings(&[&self.blob(), b"token"])].concat(),
                13 => {
                    let key = read_string(&request[1..]);
                    let data = read_string(&request[5 + key.len()..]);
                    [&[14][..], &strings(&[&self.sign(data)])].concat()
                }
                _ => vec![5],
            };
            stream.write_all(&strings(&[&answer])).unwrap();
        }
    }
}

fn openssl(before: &[&str], key: &Path, after: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(before).arg(key).args(after).output().expect("openssl is installed");
    assert!(output.status.success(), "openssl {before:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn strings(values: &[&[u8]]) -> Vec<u8> {
    values.iter().flat_map(|value| [&(value.len() as u32).to_be_bytes()[..], value].concat()).collect()
}

fn read_string(bytes: &[u8]) -> &[u8] {
    let length = u32::from_be_bytes(*bytes.first_chunk().unwrap()) as usize;
    &bytes[4..4 + length]
}

fn read_message(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}
