//! What all releases share: folders and files under `shared/`, and the links to them.

use std::collections::BTreeMap;

use crate::config::{Server, Stage, TransportKind};
use crate::layout::Layout;
use crate::registry::Tasks;
use crate::script::{Arg, Cmd, Script};
use crate::sh;
use crate::task::ServerCx;
use crate::task::{Effect, Servers, Task, TaskId};
use crate::transport::ssh::{Way, word};

pub(super) const CHECK_DIRECTORIES: TaskId = TaskId::new("deploy:check:directories");
pub(super) const CHECK_LINKED_DIRS: TaskId = TaskId::new("deploy:check:linked_dirs");
pub(super) const CHECK_MAKE_LINKED_DIRS: TaskId = TaskId::new("deploy:check:make_linked_dirs");
pub(super) const CHECK_LINKED_FILES: TaskId = TaskId::new("deploy:check:linked_files");
pub(super) const LINKED_FILES: TaskId = TaskId::new("deploy:symlink:linked_files");
pub(super) const LINKED_DIRS: TaskId = TaskId::new("deploy:symlink:linked_dirs");

/// How many kilobytes have to be free for a deployment to begin; less is needed to go on, so that what a failure has to write
/// down has its place.
const ROOM_TO_BEGIN: usize = 2048;
/// How many have to be free for the switch.
pub(super) const ROOM_TO_SWITCH: usize = 1024;

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    let add = [
        Task::script(CHECK_DIRECTORIES, "Make the folders of the deployment", on(), check_directories)
            .effect(Effect::Prepares),
        made_at_once(CHECK_LINKED_DIRS, "Make the linked folders in `shared`"),
        made_at_once(CHECK_MAKE_LINKED_DIRS, "Make the folders of the linked files in `shared`"),
        Task::script(CHECK_LINKED_FILES, "Check that the linked files are there", on(), check_linked_files)
            .effect(Effect::Prepares),
        Task::script(LINKED_FILES, "Link shared files into the release", on(), link_files),
        Task::script(LINKED_DIRS, "Link shared folders into the release", on(), |cx| {
            let dirs = &cx.stage.settings.linked_dirs;
            link(cx, &dirs.iter().collect::<Vec<_>>()).then(links(dirs))
        }),
    ];
    add.into_iter().for_each(|task| tasks.task(task.hidden()));
}

/// A task of Capistrano's whose folders are made with all others, by one command: its name stays, for hooks.
fn made_at_once(id: TaskId, about: &'static str) -> Task {
    Task::script(id, about, Servers::releases(), |_| Script::new()).needs([CHECK_DIRECTORIES]).effect(Effect::Prepares)
}

/// Makes all folders at once, and looks for room: a disk that is full or read-only is found out before anything changes.
fn check_directories(cx: &ServerCx<'_>) -> Script {
    let layout = cx.layout();
    let settings = &cx.stage.settings;
    let linked = settings.linked_dirs.iter().cloned().chain(parents_of_files(cx));
    let folders = [layout.releases(), layout.shared(), layout.records()].into_iter();
    let full = format!("nothing can be written to `{}`", layout.root());
    // Only what the run has to do with: a rollback needs no mirror.
    let places = match cx.known("repository") {
        Some(_) => sh!("at_places at_mirror need_access"),
        None => sh!("at_places need_access"),
    };
    let umask = if settings.umask.is_none() { sh!("[ ! -g \"$root\" ] || warn_of_umask n") } else { Script::new() };
    sh!("root={}", layout.root())
        .uses(super::ACCESS)
        .then(places)
        .then(make_folders(folders.chain(linked.map(|path| in_shared(cx, &path)))))
        .then(sh!(
            "if [ ! -e \"$root/.deploy/releases\" ] || [ -w \"$root/.deploy/releases\" ]; then { true >>\"$root/.deploy/releases\"; } 2>/dev/null || deploy_fail {} {}; fi",
            full,
            "is the disk full, or mounted read-only? see `df -h` and `df -i` on the server"
        ))
        .then(umask)
        .then(sh!("need_room {}\nkeep_reserve", ROOM_TO_BEGIN))
}

fn make_folders(folders: impl IntoIterator<Item = String>) -> Script {
    Script::new().uses(super::RELEASES).uses(super::ACCESS).run(Cmd::new("make_folders").unprefixed().args(folders))
}

fn in_shared(cx: &ServerCx<'_>, path: &str) -> String {
    format!("{}/{path}", cx.layout().shared())
}

/// The folders that `paths` stand in, each once; those at the top stand in no folder.
fn parents(paths: &[String]) -> Vec<&str> {
    let mut parents: Vec<_> = paths.iter().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent).collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}

/// Also those of optional files, so that they can be uploaded.
fn parents_of_files(cx: &ServerCx<'_>) -> Vec<String> {
    let files = [cx.stage.settings.linked_files.as_slice(), &cx.stage.settings.optional_linked_files].concat();
    parents(&files).into_iter().map(str::to_owned).collect()
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
    let path = format!("{}/{file}", Layout::new(&server.deploy_to).shared());
    match stage.transport {
        TransportKind::Local => format!("cp {} {}", word(file), word(&path)),
        TransportKind::Ssh => Way::to(&stage.settings.ssh, server).scp(file, &path),
    }
}

fn link_files(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let optional = settings.optional_linked_files.iter().map(|file| {
        let is_there = Cmd::new("test").arg("-f").arg(in_shared(cx, file)).unprefixed();
        Script::new().when(is_there, links([file]), Script::new())
    });
    let all: Vec<_> = settings.linked_files.iter().chain(&settings.optional_linked_files).collect();
    optional.fold(link(cx, &all).then(links(&settings.linked_files)), Script::then)
}

/// Fails where the way to what is written, made or removed in the release later leads out of it. Right after its files are
/// there this is known, and nothing else has happened.
pub(super) fn must_stay_inside(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let linked = settings.linked_files.iter().chain(&settings.optional_linked_files).chain(&settings.linked_dirs);
    // At the top of a release nothing is in the way.
    link(cx, &linked.chain(&settings.made_paths).filter(|path| path.contains('/')).collect::<Vec<_>>())
}

/// What links of `paths` need: nothing is linked before it is known that no way leads out of the release.
fn link(cx: &ServerCx<'_>, paths: &[&String]) -> Script {
    if paths.is_empty() {
        return Script::new();
    }
    let start = sh!("release={} shared={}", cx.release_dir(), cx.layout().shared());
    let check = Cmd::new("must_be_inside").unprefixed().args(paths.iter().copied());
    Script::new().uses(super::INSIDE).then(start).run(check)
}

/// Links each of `paths` in the release to what is shared, those of one folder by one command.
fn links<'p>(paths: impl IntoIterator<Item = &'p String>) -> Script {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        folders.entry(folder).or_default().push(name);
    }
    let inside: Vec<Arg> =
        folders.keys().filter(|folder| !folder.is_empty()).map(|folder| Arg::from(*folder)).collect();
    let made = if inside.is_empty() {
        Script::new()
    } else {
        let text = format!("make_folders{}", " \"$release\"/{}".repeat(inside.len()));
        Script::shell(&text, &inside).uses(super::ACCESS)
    };
    let each = folders
        .into_iter()
        .map(|(folder, names)| Script::new().run(Cmd::new("link_shared").unprefixed().arg(folder).args(names)));
    each.fold(made, Script::then)
}
