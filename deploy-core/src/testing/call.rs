//! Programs that note what they are told.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::machine::write;
use crate::script::Arg;

/// A call of a stand-in program.
///
/// It equals the text that could be typed: `assert_eq!(run.calls(), ["bundle check"])`.
#[derive(Clone)]
pub struct Call {
    server: String,
    words: Vec<String>,
    dir: String,
    env: BTreeMap<String, String>,
}

impl Call {
    /// The host of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The program's name.
    pub fn program(&self) -> &str {
        &self.words[0]
    }

    /// The arguments.
    pub fn args(&self) -> &[String] {
        &self.words[1..]
    }

    /// The folder that it ran in, with the names that led there: `current` stays `current`.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// The value of a variable in its environment.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }
}

/// The call as it could be typed.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words.iter().map(|word| Arg::from(word).to_string()).collect();
        f.write_str(&words.join(" "))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl PartialEq<&str> for Call {
    fn eq(&self, typed: &&str) -> bool {
        let own = self.to_string();
        own == *typed
    }
}

/// Makes `file` the stand-in `name`: it notes each call in a folder of its own below `calls`, then does `body`. The sleep of a
/// conversation's guard is no call of a task's.
pub(super) fn write_program(file: &Path, calls: &Path, name: &str, body: &str) {
    let note = format!(
        "#!/bin/sh\n[ -z \"${{DEPLOY_GUARD-}}\" ] || exec env PATH=/usr/bin:/bin {name} \"$@\"\n(\nn=1\nuntil mkdir {calls}/$n 2>/dev/null; do n=$((n + 1)); done\ncd {calls}/$n\n\
         printf '%s\\0' \"$SERVER\" \"$OLDPWD\" {name} \"$@\" >words\nenv -0 >env\n) || exit 126\n",
        calls = Arg::from(calls.display().to_string()),
        name = Arg::from(name)
    );
    write(file, &format!("{note}{body}\n"));
    fs::set_permissions(file, Permissions::from_mode(0o755)).expect("an executable file");
}

/// The calls that are noted below `calls`, in their order.
pub(super) fn noted(calls: &Path) -> Vec<Call> {
    (1..)
        .map(|number: usize| calls.join(number.to_string()))
        .take_while(|call| call.exists())
        .map(|call| read(&call))
        .collect()
}

fn read(call: &Path) -> Call {
    let texts = |name: &str| -> Vec<String> {
        let bytes = fs::read(call.join(name)).unwrap_or_else(|error| panic!("a call wasn't noted: {error}"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.split_terminator('\0').map(str::to_owned).collect()
    };
    let mut words = texts("words");
    let env = texts("env")
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let rest = words.split_off(2);
    let [server, dir] = <[String; 2]>::try_from(words).expect("a server and a folder");
    Call { server, dir, words: rest, env }
}
