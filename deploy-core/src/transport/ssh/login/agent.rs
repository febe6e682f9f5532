//! A client of ssh-agent (draft-ietf-sshm-ssh-agent), with time limits.
//!
//! libssh2 has one of its own, but it can't sign with RSA certificates or FIDO keys, and waits for ever.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net;

use crate::transport::ssh::libssh2::format::{Reader, put};

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// How long an agent may take to list its keys.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an agent may take to sign: its user may have to confirm, or to touch a token. A server ends an unfinished
/// login after two minutes.
const SIGN_TIMEOUT: Duration = Duration::from_secs(110);

/// How long to wait before knocking again at a busy agent.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The largest message that OpenSSH's agent sends.
const MAX_MESSAGE: u32 = 256 << 10;

/// A running agent: where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    socket: PathBuf,
}

/// A key that an agent holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The public key or certificate, as SSH's protocol writes it.
    pub(crate) blob: Vec<u8>,
    /// What the agent calls it: mostly the file it came from.
    pub(crate) comment: String,
}

impl Agent {
    /// The agent that listens at `socket`.
    pub(crate) fn at(socket: &Path) -> Agent {
        Agent { socket: socket.to_owned() }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The keys that the agent holds, in its order.
    pub(crate) fn identities(&self) -> io::Result<Vec<Identity>> {
        let answer = self.call(&[REQUEST_IDENTITIES], LIST_TIMEOUT)?;
        let mut reader = Reader::new(&answer);
        if reader.byte() != Some(IDENTITIES_ANSWER) {
            return Err(io::Error::other("the agent doesn't list its keys"));
        }
        let count = reader.number().unwrap_or(0);
        let identity = |_| {
            let (blob, comment) = (reader.string()?.to_vec(), reader.string()?);
            Some(Identity { blob, comment: String::from_utf8_lossy(comment).into_owned() })
        };
        (0..count).map(identity).collect::<Option<_>>().ok_or_else(|| io::Error::other("the agent's answer is cut off"))
    }

    /// Signs `data` with the key `blob` by `algorithm`, which says which hash to use with RSA.
    ///
    /// The signature comes as SSH's protocol writes it: its algorithm, then the rest.
    pub(crate) fn sign(&self, blob: &[u8], data: &[u8], algorithm: &[u8]) -> io::Result<Vec<u8>> {
        let flags = match algorithm {
            b"rsa-sha2-512" | b"rsa-sha2-512-cert-v01@openssh.com" => RSA_SHA2_512,
            b"rsa-sha2-256" | b"rsa-sha2-256-cert-v01@openssh.com" => RSA_SHA2_256,
            _ => 0,
        };
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, blob);
        put(&mut request, data);
        request.extend(flags.to_be_bytes());
        let answer = self.call(&request, SIGN_TIMEOUT)?;
        let mut reader = Reader::new(&answer);
        match (reader.byte(), reader.string()) {
            (Some(SIGN_RESPONSE), Some(signature)) => Ok(signature.to_vec()),
            _ => Err(io::Error::other("the agent refuses to sign")),
        }
    }

    /// Connects, unless that would mean to wait.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::from(net::socket(net::AddressFamily::UNIX, net::SocketType::STREAM, None)?);
        stream.set_nonblocking(true)?;
        net::connect(&stream, &net::SocketAddrUnix::new(&self.socket)?)?;
        Ok(stream)
    }

    /// Connects as soon as the agent has room for one more. An agent that hangs never has.
    fn connect_within(&self, timeout: Duration) -> io::Result<UnixStream> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.connect() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                    thread::sleep(RETRY_PAUSE);
                }
                Err(error) => return Err(no_answer(error)),
                Ok(stream) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
            }
        }
    }

    fn call(&self, request: &[u8], timeout: Duration) -> io::Result<Vec<u8>> {
        let mut stream = self.connect_within(timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(LIST_TIMEOUT))?;
        let mut message = Vec::with_capacity(request.len() + 4);
        put(&mut message, request);
        stream.write_all(&message)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length).map_err(no_answer)?;
        let length = u32::from_be_bytes(length);
        if length > MAX_MESSAGE {
            return Err(io::Error::other("the agent's answer is too long"));
        }
        let mut answer = vec![0; length as usize];
        stream.read_exact(&mut answer).map_err(no_answer)?;
        Ok(answer)
    }
}

fn no_answer(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::other("the agent doesn't answer"),
        io::ErrorKind::UnexpectedEof => io::Error::other("the agent hung up"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// An agent that reads one request and answers with `answer`, or hangs up if that is empty. Returns the request.
    fn agent(answer: Vec<u8>) -> (tempfile::TempDir, Agent, thread::JoinHandle<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&answer).unwrap();
            request
        };
        (folder, Agent::at(&socket), thread::spawn(serve))
    }

    fn message(content: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        put(&mut message, content);
        message
    }

    #[test]
    fn keys_are_listed_with_their_comments() {
        let mut content = vec![IDENTITIES_ANSWER, 0, 0, 0, 2];
        for field in ["blob1", "me@laptop", "blob2", ""] {
            put(&mut content, field.as_bytes());
        }
        let (_folder, agent, server) = agent(message(&content));
        let identities = agent.identities().unwrap();
        let listed: Vec<_> = identities.iter().map(|own| (&own.blob[..], own.comment.as_str())).collect();
        assert_eq!(listed, [(&b"blob1"[..], "me@laptop"), (b"blob2", "")]);
        assert_eq!(server.join().unwrap(), [REQUEST_IDENTITIES]);
    }

    #[test]
    fn rsa_is_signed_with_the_hash_that_the_algorithm_names() {
        for (algorithm, flags) in [
            ("rsa-sha2-512", 4),
            ("rsa-sha2-512-cert-v01@openssh.com", 4),
            ("rsa-sha2-256", 2),
            ("rsa-sha2-256-cert-v01@openssh.com", 2),
            ("ssh-ed25519", 0),
        ] {
            let mut content = vec![SIGN_RESPONSE];
            put(&mut content, b"signature");
            let (_folder, agent, server) = agent(message(&content));
            assert_eq!(agent.sign(b"key", b"data", algorithm.as_bytes()).unwrap(), b"signature");
            let mut request = vec![SIGN_REQUEST];
            put(&mut request, b"key");
            put(&mut request, b"data");
            request.extend([0, 0, 0, flags]);
            assert_eq!(server.join().unwrap(), request, "{algorithm}");
        }
    }

    #[test]
    fn an_agent_that_refuses_or_talks_nonsense_is_an_error() {
        for answer in
            [message(&[5]), message(&[]), message(&[IDENTITIES_ANSWER, 0, 0, 0, 9]), vec![0xff; 4], Vec::new()]
        {
            let (_folder, agent, server) = agent(answer.clone());
            assert!(agent.identities().is_err(), "{answer:?}");
            server.join().unwrap();
            let (_folder, agent, server) = self::agent(answer.clone());
            assert!(agent.sign(b"key", b"data", b"ssh-ed25519").is_err(), "{answer:?}");
            server.join().unwrap();
        }
    }

    #[test]
    fn an_agent_that_says_nothing_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        let _listener = UnixListener::bind(&socket).unwrap();
        let error = Agent::at(&socket).call(&[REQUEST_IDENTITIES], Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "the agent doesn't answer");
    }
}
