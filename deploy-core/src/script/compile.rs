//! From scripts of tasks to one program that a server's `sh` runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Arg, Cmd, Hold, Script, Step, library, quote, quote_expanding};
use crate::error::{Error, Result};

/// One task of a program: its script and how it runs.
#[derive(Clone, Debug, Default)]
pub struct TaskScript {
    /// What it does.
    pub script: Script,
    /// The directory that it runs in.
    pub dir: WorkDir,
    /// The user that it runs as, through sudo without a password.
    pub as_user: Option<String>,
    /// Variables besides those of all tasks. `$NAME` in a value expands on the server.
    pub env: BTreeMap<String, String>,
    /// How many bytes its command `deploy_payload` gets from the controller.
    pub payload: Option<u64>,
    /// Whether its command `deploy_input` gets all that the controller sends, to the end. No other task gets anything, and
    /// the program has no lifeline.
    pub input: bool,
    /// Whether it waits for the controller's word before it begins.
    pub gated: bool,
    /// What the program goes on to hold, once this task has succeeded.
    pub hold: Option<Hold>,
}

/// The directory that a task runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WorkDir {
    /// Where the login shell begins.
    #[default]
    Home,
    /// This one; the task fails where it doesn't exist.
    In(String),
    /// The first of these that exists; where none does, where the login shell begins.
    FirstOf(Vec<String>),
}

/// What all tasks of a program share.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// What the program's markers begin with: random, so that no output can imitate them.
    pub nonce: String,
    /// The environment. `$NAME` in a value expands on the server.
    pub env: BTreeMap<String, String>,
    /// The umask, where one is set.
    pub umask: Option<u32>,
    /// What is put before a program, outermost first.
    pub command_prefix: BTreeMap<String, Vec<String>>,
    /// Whether the program ends itself when the controller falls silent.
    pub lifeline: bool,
    /// The file on the server to which the program adds the number of its process group.
    pub groups_file: Option<String>,
    /// Whether what the tasks write to their standard output is data: all markers then go to standard error, and the
    /// decoder is [`Decoder::of_standard_error`](super::Decoder::of_standard_error).
    pub data: bool,
}

/// A program for one server.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The shell text.
    pub text: Vec<u8>,
    /// The steps of each task, as an error report shows them, the first at 0. A step inside a condition counts too.
    pub steps: Vec<Vec<String>>,
    /// The task from which on the controller's beats are read: from its end if it reads a payload, else from its
    /// beginning. `None` when they are read from the start.
    pub beats_after: Option<usize>,
    /// The tasks that read a payload.
    pub fed: Vec<usize>,
    /// Whether any task waits for the controller's word.
    pub gated: bool,
    /// Whether the program stays on the server when it is done.
    pub holds: bool,
}

impl Program {
    /// The command that reads this program's text from its standard input, and then runs it. What follows on the
    /// standard input is left for the program: `dd` takes exactly the bytes that it is told, where `head` may take more.
    pub fn command(&self) -> String {
        let n = self.text.len();
        format!("sh -c 'eval \"$(dd bs={n} count=1 iflag=fullblock 2>/dev/null || dd bs=1 count={n} 2>/dev/null)\"'")
    }
}

/// What the bodies of tasks call.
const PRELUDE: &str = include_str!("prelude.sh");

/// What stands around the tasks.
const FRAME: &str = include_str!("frame.sh");

/// How long a server waits for a beat of the controller before it ends the program.
const SILENCE_SECONDS: u32 = 45;

/// Fuses `tasks` into one program.
///
/// # Errors
///
/// When a value holds a NUL byte, which no shell can carry, or a task that is fed runs as another user.
pub fn compile(tasks: &[TaskScript], shell: &Shell) -> Result<Program> {
    if tasks.iter().any(|task| task.payload.is_some() && task.as_user.is_some()) {
        return Err(Error::config("a task that runs as another user can't be fed: sudo closes the way"));
    }
    let beats_after = tasks.iter().rposition(|task| task.payload.is_some() || task.gated);
    let mut compiler = Compiler { shell, text: Vec::new(), steps: Vec::new() };
    for (number, task) in tasks.iter().enumerate() {
        compiler.task(number, task, shell.lifeline && beats_after == Some(number));
    }
    compiler.footer(shell.lifeline && beats_after.is_none(), tasks.iter().find_map(|task| task.hold.as_ref()));
    compiler.header(tasks);
    if compiler.text.contains(&0) {
        return Err(Error::config("a value with a NUL byte can't be passed to a server's shell"));
    }
    let fed = tasks.iter().enumerate().filter(|(_, task)| task.payload.is_some()).map(|(number, _)| number).collect();
    let gated = tasks.iter().any(|task| task.gated);
    let holds = tasks.iter().any(|task| task.hold.is_some());
    Ok(Program { text: compiler.text, steps: compiler.steps, beats_after, fed, gated, holds })
}

/// What the scripts use, each once, in order of first use.
fn libraries(tasks: &[TaskScript]) -> Vec<&'static str> {
    let mut all = vec![PRELUDE, FRAME];
    let held =
        |task: &'_ TaskScript| task.hold.iter().flat_map(|hold| hold.on_end.libraries.clone()).collect::<Vec<_>>();
    for library in tasks.iter().flat_map(|task| task.script.libraries.iter().copied().chain(held(task))) {
        if !all.contains(&library) {
            all.push(library);
        }
    }
    all
}

struct Compiler<'a> {
    shell: &'a Shell,
    text: Vec<u8>,
    steps: Vec<Vec<String>>,
}

impl Compiler<'_> {
    fn line(&mut self, line: impl AsRef<[u8]>) {
        self.text.extend_from_slice(line.as_ref());
        self.text.push(b'\n');
    }

    /// Puts before the tasks what they need. The whole is one function, so that it is parsed before any of it runs.
    fn header(&mut self, tasks: &[TaskScript]) {
        let body = std::mem::take(&mut self.text);
        self.line("# shellcheck shell=sh disable=SC2016,SC2034,SC2086,SC2317,SC2329");
        self.line(match self.shell.data {
            true => "exec 3<&0 8>/dev/null 9>&2 </dev/null",
            false => "exec 3<&0 8>&2 9>&1 </dev/null",
        });
        self.line(self.environment());
        if let Some(file) = &self.shell.groups_file {
            self.line([b"deploy_groups=".as_slice(), &quote(file.as_bytes())].concat());
        }
        let functions = library::needed(&libraries(tasks), &body).replace("SILENCE", &SILENCE_SECONDS.to_string());
        self.line(functions.trim_end());
        self.line("deploy_main() {");
        self.line(body);
    }

    /// The variables that every task needs, also one that runs as another user.
    fn environment(&self) -> Vec<u8> {
        let mut text = format!("deploy_nonce={}", self.shell.nonce).into_bytes();
        text.extend(exports(&self.shell.env));
        if let Some(umask) = self.shell.umask {
            text.extend_from_slice(format!("\numask {umask:04o}").as_bytes());
        }
        text
    }

    fn footer(&mut self, watch_first: bool, hold: Option<&Hold>) {
        self.line(":\n}");
        if let Some(Hold { on_beat, on_end }) = hold {
            self.function("deploy_on_beat", on_beat);
            self.function("deploy_on_end", on_end);
        } else if self.shell.lifeline {
            self.line("deploy_on_beat() { :; }\ndeploy_on_end() { :; }");
        }
        if self.shell.lifeline {
            // A reader that is gone must not end the shell before it has given up what it holds.
            self.line("trap : PIPE\ndeploy_find_group");
        }
        if self.shell.groups_file.is_some() {
            self.line("deploy_join");
        }
        if watch_first {
            self.line("deploy_watch");
        }
        self.line("deploy_main");
        if hold.is_some() {
            self.line("if [ -n \"${deploy_holds-}\" ]; then deploy_settle; deploy_both z; deploy_stay; exit; fi");
        }
        if self.shell.groups_file.is_some() {
            self.line("deploy_leave");
        }
        if self.shell.lifeline {
            self.line("[ -z \"${deploy_watcher-}\" ] || kill -s KILL \"$deploy_watcher\" 2>/dev/null || :");
        }
        self.line("deploy_both z");
    }

    /// A function of the program's own shell.
    fn function(&mut self, name: &str, script: &Script) {
        self.line(format!("{name}() {{\n:"));
        for step in script.steps() {
            if let Step::Shell { text, .. } = step {
                self.line(text);
            }
        }
        self.line("}");
    }

    /// `watch`: the task is the last that reads the standard input; behind it the watcher does.
    fn task(&mut self, number: usize, task: &TaskScript, watch: bool) {
        let (body, steps) = Body::of(task, self.shell);
        self.steps.push(steps);
        if task.gated {
            self.line(format!("deploy_gate {number} || return 0"));
        }
        if watch && task.payload.is_none() {
            self.line("deploy_watch");
        }
        self.line(format!("deploy_both b {number}"));
        self.line("(");
        match &task.as_user {
            None => self.line(body),
            Some(user) => self.line(self.as_user(user, &task.script.libraries, &body)),
        }
        let close = if task.payload.is_some() || task.input { ")" } else { ") 3<&-" };
        self.line(close);
        self.line(format!("deploy_end {number} \"$?\" || return 0"));
        if task.hold.is_some() {
            self.line("deploy_holds=yes");
        }
        if watch && task.payload.is_some() {
            self.line("deploy_watch");
        }
    }

    /// `body` in a shell of `user`, which reads it from a here-document: a command line would stand in `ps`. The outer
    /// shell reports only what goes wrong before that shell runs.
    fn as_user(&self, user: &str, libraries: &[&'static str], body: &[u8]) -> Vec<u8> {
        let mut inner = b"exec 8>&2 9>&1 </dev/null\n".to_vec();
        inner.extend(self.environment());
        inner.push(b'\n');
        let libraries: Vec<_> = [PRELUDE].into_iter().chain(libraries.iter().copied()).collect();
        inner.extend_from_slice(library::needed(&libraries, body).as_bytes());
        inner.extend_from_slice(body);
        let mut text = b"set -eu\ntrap 'deploy_exit \"$?\"' EXIT\ndeploy_step=0\nsudo -n -H -u ".to_vec();
        text.extend(quote(user.as_bytes()));
        let end = format!("deploy_{}", self.shell.nonce);
        text.extend_from_slice(format!(" -- sh -c 'eval \"$(cat)\"' <<'{end}'\n").as_bytes());
        text.extend(inner);
        text.extend_from_slice(format!("\n{end}\ndeploy_step=end").as_bytes());
        text
    }
}

fn exports(env: &BTreeMap<String, String>) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in env {
        text.extend_from_slice(format!("\nexport {name}=").as_bytes());
        text.extend(quote_expanding(value));
    }
    text
}

/// A step of our own.
fn sh_step<const N: usize>(text: &str, args: [&str; N]) -> Step {
    Script::shell(text, &args.map(Arg::from)).steps[0].clone()
}

/// The shell text inside a task's subshell.
struct Body<'a> {
    shell: &'a Shell,
    text: Vec<u8>,
    steps: Vec<String>,
}

impl Body<'_> {
    fn of(task: &TaskScript, shell: &Shell) -> (Vec<u8>, Vec<String>) {
        let mut body =
            Body { shell, text: b"set -eu\ntrap 'deploy_exit \"$?\"' EXIT\ndeploy_step=0".to_vec(), steps: Vec::new() };
        body.text.extend(exports(&task.env));
        if let Some(bytes) = task.payload {
            let (blocks, rest) = (bytes / 65536, bytes % 65536);
            body.line(format!("deploy_payload() {{ deploy_blocks {blocks} {rest}; }}"));
        }
        match &task.dir {
            WorkDir::Home => {}
            WorkDir::In(dir) => {
                let missing = format!("the directory `{dir}` doesn't exist");
                body.step(&sh_step("[ -d {} ] || deploy_fail {}\ncd -- {}", [dir, &missing, dir]));
            }
            WorkDir::FirstOf(dirs) => {
                for (number, dir) in dirs.iter().enumerate() {
                    let word = if number == 0 { "if" } else { "elif" };
                    body.step(&sh_step(&format!("{word} [ -d {{}} ]; then cd -- {{}}"), [dir, dir]));
                }
                body.line("fi");
            }
        }
        body.script(&task.script);
        body.line("deploy_step=end");
        (body.text, body.steps)
    }

    fn line(&mut self, line: impl AsRef<[u8]>) {
        self.text.push(b'\n');
        self.text.extend_from_slice(line.as_ref());
    }

    fn script(&mut self, script: &Script) {
        for step in script.steps() {
            self.steps.push(step.to_string());
            self.line(format!("deploy_step={}", self.steps.len()));
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Run(cmd) => self.line(self.command(cmd)),
            Step::Pipe(cmds) => self.pipe(cmds),
            Step::Shell { text, .. } => self.line(text),
            Step::Opaque(text) => {
                let mut line = b"sh -eu -c ".to_vec();
                line.extend(quote(text.as_bytes()));
                self.line(line);
            }
            Step::Fact(name, cmd, otherwise) => self.fact(name, cmd, otherwise.as_ref()),
            Step::If(condition, then, otherwise) => self.condition(condition, then, otherwise),
        }
    }

    fn fact(&mut self, name: &str, cmd: &Cmd, otherwise: Option<&Script>) {
        let value = [format!("{name}=$(").as_bytes(), &self.command(cmd), b")"].concat();
        let report = format!("deploy_fact {name} \"${name}\"");
        let Some(otherwise) = otherwise else {
            self.line(value);
            return self.line(report);
        };
        self.line([b"if ".as_slice(), &value, b"; then"].concat());
        self.line(report);
        self.line("else\n:");
        self.script(otherwise);
        self.line("fi");
    }

    fn condition(&mut self, condition: &Cmd, then: &Script, otherwise: &Script) {
        let mut line = b"if ".to_vec();
        line.extend(self.command(condition));
        line.extend_from_slice(b"; then\n:");
        self.line(line);
        self.script(then);
        if !otherwise.is_empty() {
            self.line("else");
            self.script(otherwise);
        }
        self.line("fi");
    }

    /// Every command of the pipe reports its own status; `deploy_piped` judges them. POSIX has no `pipefail`.
    fn pipe(&mut self, cmds: &[Cmd]) {
        let mut line = b"{ deploy_statuses=$( { ".to_vec();
        for (number, cmd) in cmds.iter().enumerate() {
            if number > 0 {
                line.extend_from_slice(b" | ");
            }
            line.extend_from_slice(b"{ set +e; ( set -e; ");
            line.extend(self.command(cmd));
            let _ = write!(Text(&mut line), " ) 4>&- 5>&-; echo \"{}:$?\" >&4; }}", number + 1);
        }
        line.extend_from_slice(b" >&5; } 4>&1 ); } 5>&1\n");
        let _ = write!(Text(&mut line), "deploy_piped {} \"$deploy_statuses\"", cmds.len());
        self.line(line);
    }

    /// A simple command with its prefix, environment and directory.
    fn command(&self, cmd: &Cmd) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        for (name, value) in &cmd.env {
            let mut word = format!("{name}=").into_bytes();
            word.extend(quote(value.bytes()));
            words.push(word);
        }
        let prefix = self.shell.command_prefix.get(&cmd.program).filter(|_| !cmd.unprefixed);
        for word in prefix.into_iter().flatten().flat_map(|prefix| prefix.split_whitespace()) {
            words.push(quote(word.as_bytes()));
        }
        words.push(quote(cmd.program.as_bytes()));
        words.extend(cmd.args.iter().map(|arg| quote(arg.bytes())));
        let line = words.join(&b' ');
        match &cmd.dir {
            None => line,
            Some(dir) => [b"( cd -- ".as_slice(), &quote(dir.bytes()), b" && ", &line, b" )"].concat(),
        }
    }
}

/// Lets `write!` append to bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
