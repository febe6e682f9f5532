//! The commit's files, by `git archive` as Capistrano does.

use crate::config::{GitStrategy, Settings};
use crate::script::{Arg, Cmd, Script};
use crate::sh;
use crate::task::ServerCx;

use super::script;

/// Puts the files of the commit, or of its folder `repo_tree`, into the new release.
pub(super) fn create_release(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let folder = deployed_folder(settings);
    let tree = match folder {
        None => sh!("tree=$commit"),
        Some(path) => sh!(
            "folder={}\ntree=$commit:$folder\n[ \"$(git cat-file -t \"$tree\" 2>/dev/null)\" = tree ] || deploy_fail \"the commit has no folder \\`$folder\\`\" 'see repo_tree in deploy.toml'",
            path
        ),
    };
    script(cx)
        .then(sh!("take_commit {}", cx.fact("revision")))
        .then(tree)
        .then(refusals(settings))
        .then(super::super::release::begin(cx))
        .run(Cmd::new("mkdir").arg("--").arg(cx.release_dir()))
        .then(sh!("echo unpacking >\"$repo/deploy-suspect\""))
        .pipe(archive(cx, folder))
        .then(sh!(": >\"$repo/deploy-suspect\"\ntidy_mirror"))
        .then(super::super::shared::must_stay_inside(cx))
}

/// The folder of the repository that is deployed, unless all of it is.
pub(super) fn deployed_folder(settings: &Settings) -> Option<&str> {
    settings.repo_tree.as_deref().map(|path| path.trim_matches('/')).filter(|path| !path.is_empty())
}

/// Names the commit, not a tree: then attributes of the whole repository hold, and files have the commit's time.
fn archive(cx: &ServerCx<'_>, folder: Option<&str>) -> [Cmd; 2] {
    let git_dir = format!("--git-dir={}", cx.layout().repo());
    let archive = Cmd::new("git").args([git_dir.as_str(), "--literal-pathspecs", "archive", "--format=tar", "--"]);
    let archive = archive.arg(cx.fact("revision"));
    let extract = Cmd::new("tar").args(["-x", "-f", "-", "-C"]).arg(Arg::from(cx.release_dir()));
    match folder {
        None => [archive, extract],
        Some(path) => {
            let depth = path.split('/').filter(|name| !matches!(*name, "" | ".")).count();
            [archive.arg(path), extract.arg(format!("--strip-components={depth}"))]
        }
    }
}

/// Fails for what `git archive` would silently leave out.
fn refusals(settings: &Settings) -> Script {
    // Only a mirror that fetched everything has the tags; of the others a release would have other bytes.
    let has_tags = settings.git.strategy == GitStrategy::Fetch && !settings.git.shallow;
    if settings.git.ignore_submodules && settings.git.ignore_lfs && has_tags {
        return Script::new();
    }
    let tags = if has_tags { Script::new() } else { sh!("refuse_describe") };
    let submodules = if settings.git.ignore_submodules { Script::new() } else { sh!("refuse_submodules") };
    let lfs = if settings.git.ignore_lfs { Script::new() } else { sh!("refuse_lfs") };
    sh!("look_at_tree").then(submodules).then(lfs).then(tags)
}
