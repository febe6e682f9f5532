//! How a conversation with a server begins: the command that is run there, and what it reads first.

use std::collections::BTreeSet;

use super::compile::{FRAME, Program, Shell};
use super::{library, quote_for_login_shell};

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
}

impl Opening {
    /// The beginning, with the first program. `hello` is the word by which the server's answer is recognised.
    ///
    /// The text stands in the command, which saves a round trip: a server reads nothing before it has begun to run the
    /// command. Where others on the server must not see it, or a login shell may not take it (`plainly`), it is read from
    /// the input.
    pub fn new(shell: &Shell, first: &Program, talk: Talk, hello: &str, plainly: bool) -> Opening {
        let (text, known) = text(shell, first, talk, hello);
        let is_public = !plainly && !shell.is_private() && !first.is_private;
        let command = std::str::from_utf8(&text).ok().filter(|_| is_public).and_then(on_one_line);
        match command.filter(|command| command.len() <= LONGEST_COMMAND) {
            Some(command) => Opening { command, input: Vec::new(), known },
            None => Opening { command: reading(text.len()), input: text, known },
        }
    }
}

/// The command that has `text` in it, on one line: some login shells would take what follows the first one for commands of
/// their own. Vertical tabs stand for the ends of lines, and the shell puts them back without a program's help.
fn on_one_line(text: &str) -> Option<String> {
    const TAB: char = '\u{b}';
    let unfold = format!("IFS={TAB};set -f;set -- $0;unset IFS;set +f;eval \"$(printf \"%s\\n\" \"$@\")\"");
    let text = (!text.contains(TAB)).then(|| text.replace('\n', &TAB.to_string()))?;
    Some(format!("exec sh -c '{unfold}' {}", quote_for_login_shell(&text)))
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
