//! Releases without a repository, for the tests of recipes: the commit's files are those of a folder here.

use std::path::Path;
use std::sync::Arc;

use super::super::release::{SET_CURRENT_REVISION, begin};
use super::{CHECK, CREATE_RELEASE, RESOLVE, UPDATE};
use crate::registry::Tasks;
use crate::script::{Cmd, Script};
use crate::sh;
use crate::task::{Body, Local, LocalWork, ScriptBody, ScriptWork, ServerCx, Task};

/// The commit that is deployed.
const REVISION: &str = "8d3f5a0c4b7e29d61f08a3c5e7b94d2061f8c3a5";

/// Has the tasks of the repository take the files of `folder` for those of the commit.
pub(crate) fn pretend(tasks: &mut Tasks, folder: &Path) {
    let folder = folder.display().to_string();
    tasks.change(&RESOLVE, |task| Task {
        body: Body::Local(LocalWork { run: Arc::new(resolve), explained: None }),
        ..task
    });
    for id in [CHECK, UPDATE] {
        tasks.change(&id, |task| with_script(task, Arc::new(|_: &ServerCx<'_>| Script::new())));
    }
    tasks.change(&CREATE_RELEASE, |task| with_script(task, Arc::new(move |cx| create_release(cx, &folder))));
    tasks.change(&SET_CURRENT_REVISION, |task| with_script(task, Arc::new(set_current_revision)));
}

fn with_script(task: Task, body: ScriptBody) -> Task {
    Task { body: Body::Script(ScriptWork::new(body)), ..task }
}

fn resolve(local: &mut Local<'_>) -> anyhow::Result<()> {
    local.set("revision", REVISION);
    local.set("branch", local.stage.settings.branch.clone());
    Ok(())
}

fn create_release(cx: &ServerCx<'_>, folder: &str) -> Script {
    let copy = Cmd::new("cp").args(["-R", "--", folder]).arg(cx.release_dir());
    begin(cx).run(copy).then(super::super::shared::must_stay_inside(cx))
}

fn set_current_revision(cx: &ServerCx<'_>) -> Script {
    let own = Script::new().uses(super::super::INSIDE).then(sh!("release={}\nown_files REVISION", cx.release_dir()));
    own.then(sh!("printf '%s\\n' {} >\"$release/REVISION\"", cx.fact("revision")))
}
