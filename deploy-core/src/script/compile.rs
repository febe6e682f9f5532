//! From scripts of tasks to one program that a server's `sh` runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::library::{self, Function};
use super::{Arg, Cmd, Hold, Script, Step, quote, quote_expanding};
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
    /// Whether its command `deploy_input` gets all that the controller sends, to the end. Nobody else gets anything, and
    /// the controller's silence is not noticed.
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

/// What all tasks of a conversation share.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// The environment. `$NAME` in a value expands on the server.
    pub env: BTreeMap<String, String>,
    /// The umask, where one is set.
    pub umask: Option<u32>,
    /// What is put before a program, outermost first.
    pub command_prefix: BTreeMap<String, Vec<String>>,
    /// The lock that a run has to hold while it changes something.
    pub lock: Option<Lock>,
}

/// A lock on a server, and the run that has to hold it.
#[derive(Clone, Debug)]
pub struct Lock {
    /// The file that is the lock. Payloads are kept beside it until they are read.
    pub file: String,
    /// What stands in its first line while the run holds it.
    pub token: String,
}

/// Variables that say nothing that other users of a server must not see.
const PUBLIC_VARIABLES: [&str; 9] =
    ["LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "NODE_ENV", "PATH", "RACK_ENV", "RAILS_ENV", "TMPDIR"];

impl Shell {
    /// The lock, as shell text.
    pub(super) fn lock(&self) -> Vec<u8> {
        let Some(Lock { file, token }) = &self.lock else { return b"deploy_lock= deploy_token=\n".to_vec() };
        [b"deploy_lock=".as_slice(), &quote(file.as_bytes()), b" deploy_token=", &quote(token.as_bytes()), b"\n"]
            .concat()
    }

    /// The variables and the umask, as shell text.
    pub(super) fn environment(&self) -> Vec<u8> {
        let mut text = exports(&self.env);
        if let Some(umask) = self.umask {
            text.extend_from_slice(format!("umask {umask:04o}\n").as_bytes());
        }
        text
    }

    /// Whether the environment may hold a secret.
    pub(super) fn is_private(&self) -> bool {
        self.env.keys().any(|name| !PUBLIC_VARIABLES.contains(&name.as_str()))
    }
}

impl TaskScript {
    /// Whether there may be a secret in it: a value that is called one, a variable, or text of a user's own.
    fn is_private(&self) -> bool {
        !self.env.is_empty() || self.as_user.is_some() || self.script.is_private()
    }
}

/// A program for one server.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The shell functions that the tasks call.
    pub(super) functions: Vec<Function>,
    /// The tasks, as the function `deploy_program`.
    pub(super) body: Vec<u8>,
    /// Whether other users of the server must not see it in the list of processes.
    pub(super) is_private: bool,
    /// The steps of each task, as an error report shows them, the first at 0. A step inside a condition counts too.
    pub steps: Vec<Vec<String>>,
    /// The tasks that read a payload.
    pub fed: Vec<usize>,
    /// The tasks that wait for the controller's word.
    pub gated: Vec<usize>,
    /// Whether it holds something when it is done.
    pub holds: bool,
}

impl Program {
    /// The whole of it, for somebody who wants to know what would run.
    pub fn text(&self, shell: &Shell) -> Vec<u8> {
        [SHELLCHECK.as_bytes(), &shell.environment(), &self.addition(&mut BTreeSet::new())].concat()
    }

    /// What of it is sent in a conversation that has `known` these functions already. They are added to.
    pub(crate) fn addition(&self, known: &mut BTreeSet<&'static str>) -> Vec<u8> {
        let new = self.functions.iter().filter(|function| known.insert(function.name));
        let mut text: Vec<u8> = new.flat_map(|function| function.text.bytes()).collect();
        text.extend_from_slice(&self.body);
        text
    }
}

/// What `shellcheck` has to know of our programs. It doesn't travel.
pub(super) const SHELLCHECK: &str =
    "# shellcheck shell=sh disable=SC1090,SC2016,SC2034,SC2086,SC2094,SC2119,SC2120,SC2154,SC2317,SC2329\n";

/// What the bodies of tasks call.
const PRELUDE: &str = include_str!("prelude.sh");

/// What stands around the tasks.
pub(super) const FRAME: &str = include_str!("frame.sh");

/// Fuses `tasks` into one program.
///
/// # Errors
///
/// When a value holds a NUL byte, which no shell can carry, or a task that is fed runs as another user.
pub fn compile(tasks: &[TaskScript], shell: &Shell) -> Result<Program> {
    if tasks.iter().any(|task| task.payload.is_some() && task.as_user.is_some()) {
        return Err(Error::config("a task that runs as another user can't be fed: sudo closes the way"));
    }
    let mut compiler = Compiler { shell, text: Vec::new(), steps: Vec::new() };
    let hold = tasks.iter().find_map(|task| task.hold.as_ref());
    if let Some(Hold { on_beat, on_end }) = hold {
        compiler.function("deploy_on_beat", on_beat);
        compiler.function("deploy_on_end", &sh("[ -e \"$deploy_dir/held\" ] || return 0", []).then(on_end.clone()));
    }
    compiler.line("deploy_program() {");
    for (number, task) in tasks.iter().enumerate() {
        compiler.task(number, task);
    }
    compiler.line(":\n}");
    if compiler.text.contains(&0) {
        return Err(Error::config("a value with a NUL byte can't be passed to a server's shell"));
    }
    let numbers = |is: fn(&TaskScript) -> bool| {
        tasks.iter().enumerate().filter(|(_, task)| is(task)).map(|(number, _)| number).collect()
    };
    Ok(Program {
        functions: library::needed(&libraries(tasks), &compiler.text),
        is_private: tasks.iter().any(TaskScript::is_private),
        fed: numbers(|task| task.payload.is_some()),
        gated: numbers(|task| task.gated),
        holds: hold.is_some(),
        body: compiler.text,
        steps: compiler.steps,
    })
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

    /// A function of the conversation's own shells.
    fn function(&mut self, name: &str, script: &Script) {
        self.line(format!("{name}() {{\n:"));
        for step in script.steps() {
            if let Step::Shell { text, .. } = step {
                self.line(text);
            }
        }
        self.line("}");
    }

    fn task(&mut self, number: usize, task: &TaskScript) {
        let (body, steps) = Body::of(task, self.shell);
        self.steps.push(steps);
        if task.gated {
            self.line(format!("deploy_gate {number} || return 0"));
        }
        self.line(format!("deploy_both b {number}"));
        // What does nothing needs no shell.
        if task.script.is_empty() {
            return self.line(format!("deploy_end {number} 0"));
        }
        self.line("(");
        if self.shell.lock.is_some() && task.hold.is_none() {
            self.line("deploy_fence");
        }
        match &task.as_user {
            None => self.line(body),
            Some(user) => self.line(self.as_user(user, &task.script.libraries, &body)),
        }
        // Nobody but who is fed reads what the controller sends.
        self.line(match (task.input, task.payload) {
            (true, _) => ")",
            (false, Some(_)) => ") 3<&-",
            (false, None) => ") 3<&- 7<&-",
        });
        self.line(format!("deploy_end {number} \"$?\" || return"));
        if task.hold.is_some() {
            self.line("deploy_hold");
        }
    }

    /// `body` in a shell of `user`. Our own shell reports only what goes wrong before that one runs.
    fn as_user(&self, user: &str, libraries: &[&'static str], body: &[u8]) -> Vec<u8> {
        let main = [b"deploy_begin_as\n(\n", body, b"\n)\ndeploy_end_as \"$?\"\n"].concat();
        let libraries: Vec<_> = [PRELUDE].into_iter().chain(libraries.iter().copied()).chain([FRAME]).collect();
        let mut inner = self.shell.environment();
        for function in library::needed(&libraries, &main) {
            inner.extend_from_slice(function.text.as_bytes());
        }
        inner.extend_from_slice(&main);
        let mut text = b"set -eu\ntrap 'deploy_exit \"$?\"' EXIT\ndeploy_step=0\ndeploy_as ".to_vec();
        text.extend(quote(user.as_bytes()));
        text.extend_from_slice(format!(" {} <<'{END_OF_INNER}'\n", inner.len()).as_bytes());
        text.extend(inner);
        text.extend_from_slice(format!("{END_OF_INNER}\ndeploy_step=end").as_bytes());
        text
    }
}

/// Ends the text that another user's shell runs.
const END_OF_INNER: &str = "deploy_end_of_what_another_user_runs";

fn exports(env: &BTreeMap<String, String>) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in env {
        text.extend_from_slice(format!("export {name}=").as_bytes());
        text.extend(quote_expanding(value));
        text.push(b'\n');
    }
    text
}

/// Shell text of our own.
fn sh<const N: usize>(text: &str, args: [&str; N]) -> Script {
    Script::shell(text, &args.map(Arg::from))
}

/// The shell text inside a task's subshell.
struct Body<'a> {
    shell: &'a Shell,
    /// The shell functions that may be called as commands.
    functions: Vec<&'static str>,
    text: Vec<u8>,
    steps: Vec<String>,
}

impl Body<'_> {
    fn of(task: &TaskScript, shell: &Shell) -> (Vec<u8>, Vec<String>) {
        let libraries: Vec<_> = [PRELUDE, FRAME].into_iter().chain(task.script.libraries.iter().copied()).collect();
        let mut body = Body {
            shell,
            functions: library::names(&libraries),
            text: b"set -eu\ntrap 'deploy_exit \"$?\"' EXIT\ndeploy_step=0\n".to_vec(),
            steps: Vec::new(),
        };
        body.text.extend(exports(&task.env));
        match &task.dir {
            WorkDir::Home => {}
            WorkDir::In(dir) => {
                let missing = format!("the directory `{dir}` doesn't exist");
                body.own(&sh("[ -d {} ] || deploy_fail {}\ncd -- {}", [dir, &missing, dir]));
            }
            WorkDir::FirstOf(dirs) => {
                for (number, dir) in dirs.iter().enumerate() {
                    let word = if number == 0 { "if" } else { "elif" };
                    body.own(&sh(&format!("{word} [ -d {{}} ]; then cd -- {{}}"), [dir, dir]));
                }
                body.line("fi");
            }
        }
        body.script(&task.script);
        body.line("deploy_step=end");
        (body.text, body.steps)
    }

    fn line(&mut self, line: impl AsRef<[u8]>) {
        self.text.extend_from_slice(line.as_ref());
        self.text.push(b'\n');
    }

    /// Text of ours, which is no step.
    fn own(&mut self, script: &Script) {
        script.steps().iter().for_each(|step| self.step(step));
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
                line.extend_from_slice(UNHEARD);
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

    /// Every command of the pipe reports its own status; `deploy_piped` judges them. POSIX has no `pipefail`. The status of
    /// the last one is that of the pipe, which spares it a shell that waits for it.
    fn pipe(&mut self, cmds: &[Cmd]) {
        let mut line = b"{ deploy_statuses=$( { set +e; ".to_vec();
        for (number, cmd) in cmds.iter().enumerate() {
            let command = [b"( set -e; ".as_slice(), &self.command(cmd), b" )"].concat();
            if number + 1 < cmds.len() {
                line.extend([b"{ ".as_slice(), &command].concat());
                let _ = write!(Text(&mut line), " 4>&- 5>&-; echo \"{}:$?\" >&4; }} | ", number + 1);
            } else {
                line.extend(command);
            }
        }
        let _ = write!(Text(&mut line), " >&5 4>&- 5>&-; echo \"{}:$?\"; }} 4>&1 ); }} 5>&1\n", cmds.len());
        let _ = write!(Text(&mut line), "deploy_piped {} \"$deploy_statuses\"", cmds.len());
        self.line(line);
    }

    /// A simple command with its prefix, environment and directory.
    fn command(&self, cmd: &Cmd) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        if cmd.fed {
            words.push(b"deploy_payload".to_vec());
        }
        if cmd.fed && !cmd.env.is_empty() {
            words.push(b"env".to_vec());
        }
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
        let mut line = words.join(&b' ');
        if !self.functions.contains(&cmd.program.as_str()) {
            line.extend_from_slice(UNHEARD);
        }
        match &cmd.dir {
            None => line,
            Some(dir) => [b"( cd -- ".as_slice(), &quote(dir.bytes()), b" && ", &line, b" )"].concat(),
        }
    }
}

/// What stands after a command that is none of our functions: it has no way to say what a shell of ours would say.
const UNHEARD: &[u8] = b" 8>&- 9>&-";

/// Lets `write!` append to bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
