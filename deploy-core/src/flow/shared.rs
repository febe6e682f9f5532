//! What all releases share: folders and files under `shared/`, and the links to them.

use crate::config::{Server, Stage, TransportKind};
use crate::layout::Layout;
use crate::registry::Tasks;
use crate::script::{Cmd, Script, quote};
use crate::sh;
use crate::task::ServerCx;
use crate::task::{Effect, Servers, Task, TaskId};

pub(super) const CHECK_DIRECTORIES: TaskId = TaskId::new("deploy:check:directories");
pub(super) const CHECK_LINKED_DIRS: TaskId = TaskId::new("deploy:check:linked_dirs");
pub(super) const CHECK_MAKE_LINKED_DIRS: TaskId = TaskId::new("deploy:check:make_linked_dirs");
pub(super) const CHECK_LINKED_FILES: TaskId = TaskId::new("deploy:check:linked_files");
pub(super) const LINKED_FILES: TaskId = TaskId::new("deploy:symlink:linked_files");
pub(super) const LINKED_DIRS: TaskId = TaskId::new("deploy:symlink:linked_dirs");

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    let add = [
        Task::script(CHECK_DIRECTORIES, "Make the folders of the deployment", on(), check_directories)
            .effect(Effect::Prepares),
        Task::script(CHECK_LINKED_DIRS, "Make the linked folders in `shared`", on(), check_linked_dirs)
            .effect(Effect::Prepares),
        Task::script(CHECK_MAKE_LINKED_DIRS, "Make the folders of the linked files in `shared`", on(), make_parents)
            .effect(Effect::Prepares),
        Task::script(CHECK_LINKED_FILES, "Check that the linked files are there", on(), check_linked_files)
            .effect(Effect::Prepares),
        Task::script(LINKED_FILES, "Link shared files into the release", on(), link_files),
        Task::script(LINKED_DIRS, "Link shared folders into the release", on(), |cx| {
            link(cx, &cx.stage.settings.linked_dirs)
        }),
    ];
    add.into_iter().for_each(|task| tasks.task(task.hidden()));
}

/// Makes the folders, and writes a byte: a file system that is full or read-only is found out before anything changes.
fn check_directories(cx: &ServerCx<'_>) -> Script {
    let layout = cx.layout();
    let folders = [layout.releases(), layout.shared(), layout.records()];
    let full = format!("nothing can be written to `{}`", layout.root());
    mkdir(folders).then(sh!(
        "probe={}/probe.$$\n{ echo probe >\"$probe\"; } 2>/dev/null || deploy_fail {} {}\nrm -f -- \"$probe\"",
        layout.records(),
        full,
        "is the disk full, or mounted read-only? see `df -h` and `df -i` on the server"
    ))
}

fn mkdir(folders: impl IntoIterator<Item = String>) -> Script {
    Script::new().run(Cmd::new("mkdir").args(["-p", "--"]).args(folders))
}

fn in_shared(cx: &ServerCx<'_>, path: &str) -> String {
    format!("{}/{path}", cx.layout().shared())
}

fn check_linked_dirs(cx: &ServerCx<'_>) -> Script {
    match cx.stage.settings.linked_dirs.as_slice() {
        [] => Script::new(),
        dirs => mkdir(dirs.iter().map(|dir| in_shared(cx, dir))),
    }
}

/// The folders that `paths` stand in, each once; those at the top stand in no folder.
fn parents(paths: &[String]) -> Vec<&str> {
    let mut parents: Vec<_> = paths.iter().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent).collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}

/// Also those of optional files, so that they can be uploaded.
fn make_parents(cx: &ServerCx<'_>) -> Script {
    let files = [cx.stage.settings.linked_files.as_slice(), &cx.stage.settings.optional_linked_files].concat();
    let parents = parents(&files);
    match parents.is_empty() {
        true => Script::new(),
        false => mkdir(parents.into_iter().map(|parent| in_shared(cx, parent))),
    }
}

/// Reports every missing file at once, each with the command that would upload it.
fn check_linked_files(cx: &ServerCx<'_>) -> Script {
    let start = sh!("missing=''");
    let each = cx.stage.settings.linked_files.iter().map(|file| {
        let path = in_shared(cx, file);
        let upload = upload(cx.stage, cx.server, file);
        let absent = format!("the linked file `{path}` doesn't exist");
        let folder = format!("the linked file `{path}` is a folder");
        sh!(
            "if [ -d {} ]; then deploy_text m {}; missing=yes\nelif [ ! -e {} ]; then deploy_text m {}; deploy_text h {}; missing=yes; fi",
            &path, folder, &path, absent, upload
        )
    });
    each.fold(start, Script::then).then(sh!("[ -z \"$missing\" ]"))
}

/// The command that uploads the linked file `file` from the project's folder.
pub(crate) fn upload(stage: &Stage, server: &Server, file: &str) -> String {
    let word = |text: &str| String::from_utf8_lossy(&quote(text.as_bytes())).into_owned();
    let path = word(&format!("{}/{file}", Layout::new(&server.deploy_to).shared()));
    let file = word(file);
    let port = server.port.map(|port| format!("-P {port} ")).unwrap_or_default();
    let user = server.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    match stage.transport {
        TransportKind::Local => format!("cp {file} {path}"),
        TransportKind::Ssh => format!("scp {port}{file} {user}{}:{path}", server.host),
    }
}

fn link_files(cx: &ServerCx<'_>) -> Script {
    let optional = cx.stage.settings.optional_linked_files.iter().map(|file| {
        let is_there = Cmd::new("test").arg("-f").arg(in_shared(cx, file)).unprefixed();
        Script::new().when(is_there, link(cx, std::slice::from_ref(file)), Script::new())
    });
    optional.fold(link(cx, &cx.stage.settings.linked_files), Script::then)
}

/// Links each of `paths` in the release to what is shared, in place of what the repository ships there.
fn link(cx: &ServerCx<'_>, paths: &[String]) -> Script {
    if paths.is_empty() {
        return Script::new();
    }
    let release = cx.release_dir();
    let folders = parents(paths).into_iter().map(|parent| format!("{release}/{parent}")).collect::<Vec<_>>();
    let start = match folders.is_empty() {
        true => Script::new(),
        false => mkdir(folders),
    };
    let each = paths.iter().map(|path| sh!("link_shared {} {}", in_shared(cx, path), format!("{release}/{path}")));
    each.fold(start.uses(super::RELEASES), Script::then)
}
