//! Composing the program of one leg for one server.

use crate::config::Stage;
use crate::error::Result;
use crate::event::StepNo;
use crate::script::{Program, Script, Shell, TaskScript, WorkDir, compile, nonce};
use crate::task::{Dir, Payload, ServerCx, Task};

/// A program with everything that belongs to it.
pub(super) struct Prepared {
    pub(super) steps: Vec<StepNo>,
    pub(super) scripts: Vec<TaskScript>,
    pub(super) payloads: Vec<Payload>,
    pub(super) shell: Shell,
    pub(super) program: Program,
}

impl Prepared {
    pub(super) fn new(stage: &Stage) -> Result<Prepared> {
        let shell = shell_of(stage, nonce()?);
        let program = Program::default();
        Ok(Prepared { steps: Vec::new(), scripts: Vec::new(), payloads: Vec::new(), shell, program })
    }

    pub(super) fn compile(mut self) -> Result<Prepared> {
        self.program = compile(&self.scripts, &self.shell)?;
        Ok(self)
    }
}

/// Where temporary files go where nothing else is said: programs know that by themselves.
const SYSTEM_TMP_DIR: &str = "/tmp";

/// What all programs of a stage share.
pub(crate) fn shell_of(stage: &Stage, nonce: String) -> Shell {
    let settings = &stage.settings;
    let mut env = settings.default_env.clone();
    if settings.tmp_dir != SYSTEM_TMP_DIR {
        env.entry("TMPDIR".to_owned()).or_insert_with(|| settings.tmp_dir.clone());
    }
    Shell {
        nonce,
        env,
        umask: settings.umask,
        command_prefix: settings.command_prefix.clone(),
        lifeline: true,
        groups_file: None,
        data: false,
    }
}

/// How `task` runs `script` on the server of `cx`.
pub(super) fn task_script(task: &Task, script: Script, cx: &ServerCx<'_>) -> TaskScript {
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
    match cx.known("release").is_some() && cx.known("failure").is_none() {
        true => WorkDir::In(cx.release_dir()),
        false => WorkDir::FirstOf(vec![layout.current(), layout.root().to_owned()]),
    }
}
