//! How a conversation with a server begins: the command that is run there, and what it reads first.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::compile::{FRAME, Program, Shell};
use super::library;

/// How long a server waits for a sign of the controller before it ends everything, in seconds: at least this long, and at
/// most twice.
const HALF_SILENCE: u32 = 22;

/// What is said between a server and the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Programs, one after the other.
    Programs,
    /// Programs whose standard output is data, from the word on with which the talk was opened: all markers are on standard
    /// error.
    DataOut,
    /// One program, which takes all that the controller sends.
    DataIn,
}

/// The longest command that libssh2 can send, in bytes, with room for what stands around it.
const LONGEST_COMMAND: usize = 32_000;

/// The beginning of a conversation.
#[derive(Debug)]
pub struct Opening {
    /// What the user's login shell runs.
    pub command: String,
    /// What the command reads first.
    pub input: Vec<u8>,
    /// The functions that the server knows from then on.
    pub(crate) known: BTreeSet<&'static str>,
    /// Whether a server that begins has shown that it can unpack what [`pack`] makes.
    pub(crate) unpacks: bool,
}

impl Opening {
    /// The beginning, with the first program. `hello` is the word by which the server's answer is recognised.
    ///
    /// The text stands in the command, which saves a round trip: a server reads nothing before it has begun to run the
    /// command. It is compressed, which saves another: it fits into what TCP sends before the first answer. Where others on
    /// the server must not see it, or the server may not be able to unpack it (`plainly`), it is read from the input as it is.
    pub fn new(shell: &Shell, first: &Program, talk: Talk, hello: &str, plainly: bool) -> Opening {
        let (text, known) = text(shell, first, talk, hello);
        let is_public = !plainly && !shell.is_private() && !first.is_private;
        let command = is_public.then(|| packed(&text)).filter(|command| command.len() <= LONGEST_COMMAND);
        match command {
            Some(command) => Opening { command, input: Vec::new(), known, unpacks: true },
            None => Opening { command: reading(text.len()), input: text, known, unpacks: false },
        }
    }
}

/// The command that has `text` in it, in characters that every login shell takes as they are. Another run knows the process by
/// the word `deploy_converse`.
fn packed(text: &[u8]) -> String {
    let text = BASE64.encode(pack(text));
    format!("exec sh -c 'eval \"$(printf %s \"$1\"|base64 -d|gzip -d)\"' deploy_converse {text}")
}

/// `text`, compressed by gzip. One at a time: the compressor takes a third of a megabyte, and a run may begin hundreds of
/// conversations at once.
pub(crate) fn pack(text: &[u8]) -> Vec<u8> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text).and_then(|()| packer.finish()).expect("memory takes whatever is written")
}

/// The command that reads `bytes` of text from its standard input, and then runs it. What follows is left for the text: `dd`
/// takes exactly the bytes that it is told, where `head` may take more.
fn reading(bytes: usize) -> String {
    format!(
        "exec sh -c 'eval \"$(dd bs={bytes} count=1 iflag=fullblock 2>/dev/null || dd bs=1 count={bytes} 2>/dev/null)\"'"
    )
}

fn text(shell: &Shell, first: &Program, talk: Talk, hello: &str) -> (Vec<u8>, BTreeSet<&'static str>) {
    let mut text = match talk {
        Talk::DataOut => format!("printf '\\036%s\\n' {hello}\nexec 3<&0 8>/dev/null 9>&2 </dev/null\n").into_bytes(),
        Talk::Programs | Talk::DataIn => b"exec 3<&0 8>&2 9>&1 </dev/null\n".to_vec(),
    };
    text.extend(shell.environment());
    text.extend(shell.lock());
    let begin = match talk {
        Talk::DataIn => format!("deploy_alone {hello}"),
        Talk::Programs | Talk::DataOut => format!("deploy_converse {hello} 0"),
    };
    let mut known = BTreeSet::new();
    for function in library::needed(&[FRAME], begin.as_bytes()) {
        known.insert(function.name);
        text.extend(function.text.replace("HALF_SILENCE", &HALF_SILENCE.to_string()).into_bytes());
    }
    text.extend(first.addition(&mut known));
    text.extend_from_slice(begin.as_bytes());
    (text, known)
}
