//! Composing the program of one leg for one server.

use std::time::Duration;

use crate::config::Stage;
use crate::conversation::{Errand, Permit, Stop};
use crate::error::Result;
use crate::event::StepNo;
use crate::script::{Program, Script, Shell, TaskScript, WorkDir, compile};
use crate::task::{Dir, Payload, ServerCx, Task};

/// A program with everything that belongs to it.
pub(in crate::run) struct Prepared {
    pub(in crate::run) steps: Vec<StepNo>,
    pub(in crate::run) scripts: Vec<TaskScript>,
    pub(in crate::run) payloads: Vec<Payload>,
    pub(in crate::run) shell: Shell,
    pub(in crate::run) program: Program,
}

impl Prepared {
    pub(in crate::run) fn new(shell: Shell) -> Prepared {
        let program = Program::default();
        Prepared { steps: Vec::new(), scripts: Vec::new(), payloads: Vec::new(), shell, program }
    }

    /// The errand of running it.
    pub(in crate::run) fn errand<'e>(&'e self, permit: &'e Permit<'e>, stop: &'e Stop) -> Errand<'e> {
        Errand { program: &self.program, payloads: &self.payloads, permit, stop, until: None }
    }

    pub(in crate::run) fn compile(mut self) -> Result<Prepared> {
        self.program = compile(&self.scripts, &self.shell)?;
        Ok(self)
    }
}

/// Where temporary files go where nothing else is said: programs know that by themselves.
const SYSTEM_TMP_DIR: &str = "/tmp";

/// What all programs of a stage share.
pub(crate) fn shell_of(stage: &Stage) -> Shell {
    let settings = &stage.settings;
    let mut env = settings.default_env.clone();
    if settings.tmp_dir != SYSTEM_TMP_DIR {
        env.entry("TMPDIR".to_owned()).or_insert_with(|| settings.tmp_dir.clone());
    }
    Shell { env, umask: settings.umask, command_prefix: settings.command_prefix.clone(), lock: None }
}

/// How long a server may take to begin a command where nothing else is set.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server of the stage may take to begin a command once it has let us in.
pub(crate) fn patience_of(stage: &Stage) -> Duration {
    stage.settings.ssh.connect_timeout.unwrap_or(PATIENCE)
}

/// How `task` runs `script` on the server of `cx`.
pub(crate) fn task_script(task: &Task, script: Script, cx: &ServerCx<'_>) -> TaskScript {
    let dir = match &task.dir {
        Dir::Home => WorkDir::Home,
        Dir::Release => release_dir(cx),
        Dir::Path(path) => WorkDir::In(path.clone()),
    };
    TaskScript {
        script,
        dir,
        as_user: task.as_user.clone(),
        env: task.env.clone(),
        payload: cx.payload,
        input: false,
        gated: false,
        hold: task.hold_body().map(|hold| hold(cx)),
    }
}

/// The release; before there is one, and after the run has failed, the live one or the folder of the deployment.
fn release_dir(cx: &ServerCx<'_>) -> WorkDir {
    let layout = cx.layout();
    if cx.known("release").is_some() && cx.known("failure").is_none() {
        WorkDir::In(cx.release_dir())
    } else {
        WorkDir::FirstOf(vec![layout.current(), layout.root().to_owned()])
    }
}
