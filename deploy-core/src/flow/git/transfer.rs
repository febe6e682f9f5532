//! The commit's way into a server's mirror.

use crate::config::GitStrategy;
use crate::repository::Repository;
use crate::script::{Cmd, Script};
use crate::sh;
use crate::task::names::ObjectId;
use crate::task::{Payload, ServerCx};

use super::{script, url};

/// Whether there is a way; with it, what the server's mirror has already.
pub(super) fn check(cx: &ServerCx<'_>) -> Script {
    let found = script(cx).then(sh!(
        "command -v git >/dev/null || deploy_fail 'there is no git on this server' 'install it: apt-get install git, or what the system has'"
    ));
    match cx.stage.settings.git.strategy {
        GitStrategy::Push => found.then(report_tips(cx)),
        GitStrategy::Fetch => found.then(check_access(cx)),
    }
}

/// Reports commits of the server's mirror, which decide what a pack leaves out. Where the branch was forced elsewhere,
/// the controller won't know the last ones, but those before them.
fn report_tips(cx: &ServerCx<'_>) -> Script {
    let usable = if cx.stage.settings.git.shallow {
        sh!("is_whole || commits=''")
    } else {
        sh!("if [ -e \"$repo/shallow\" ] || ! is_whole; then commits=''; fi")
    };
    sh!("commits=''").then(usable).then(sh!("deploy_fact git_tips \"$commits\""))
}

/// Asks the repository, unless the mirror has the commit anyway; finds the commit out where the controller could not.
fn check_access(cx: &ServerCx<'_>) -> Script {
    let (url, branch) = (url(cx), &cx.stage.settings.branch);
    match cx.known("revision") {
        Some(revision) => {
            sh!("git_quietly\nif ! has_commit {}; then ask_repository {} HEAD >/dev/null; fi", revision, url)
        }
        None => sh!("git_quietly\nfind_commit {} {}\ndeploy_fact found_revision \"$found\"", url, branch),
    }
}

/// The pack of what the server lacks; nothing if it has the commit.
pub(super) fn feed(cx: &ServerCx<'_>) -> anyhow::Result<Option<Payload>> {
    let settings = &cx.stage.settings;
    let Some(revision) = cx.known("revision") else { return Ok(None) };
    let repository = Repository::new(&settings.repo_url, cx.root, cx.work_dir);
    Ok(repository.pack(revision, &tips(cx), settings.git.shallow)?)
}

/// The commits that the server's mirror has, so far as it reported any.
fn tips<'c>(cx: &'c ServerCx<'_>) -> Vec<&'c str> {
    cx.known("git_tips").unwrap_or_default().lines().filter(|tip| ObjectId::parse(tip).is_ok()).collect()
}

/// Makes the mirror have the commit.
pub(super) fn update(cx: &ServerCx<'_>) -> Script {
    let moved = match cx.stage.settings.git.strategy {
        GitStrategy::Push => receive(cx),
        GitStrategy::Fetch => fetch(cx),
    };
    script(cx).then(sh!("take_commit {}", cx.fact("revision"))).then(moved).then(sh!(
        "has_commit \"$commit\" || deploy_fail \"commit $commit isn't in this server's mirror\" 'is it in the repository that the server reads, and not only here?'"
    ))
}

/// Takes the pack. A mirror without history can't be completed by one, only replaced.
fn receive(cx: &ServerCx<'_>) -> Script {
    let shallow = cx.stage.settings.git.shallow;
    // The check has looked at all of a mirror that it reported commits of.
    let was_whole = cx.known("git_tips").is_some_and(|commits| !commits.is_empty());
    let start = if was_whole { sh!("keep_mirror {}", url(cx)) } else { sh!("make_mirror {}", url(cx)) };
    let start = if shallow || cx.payload.is_none() || was_whole {
        start
    } else {
        sh!("if [ -e \"$repo/shallow\" ]; then remove_mirror 'has no history'; fi").then(start)
    };
    let take = match cx.payload {
        None => Script::new(),
        Some(_) if tips(cx).is_empty() => sh!("begin_pack").run(Cmd::new("unpack_pack").fed()).then(sh!("end_pack")),
        Some(_) => {
            let git_dir = format!("--git-dir={}", cx.layout().repo());
            let index = Cmd::new("git").arg(git_dir).args(["index-pack", "--stdin", "--fix-thin"]);
            Script::new().run(index.fed())
        }
    };
    let cut =
        sh!("grep -qx \"$commit\" \"$repo/shallow\" 2>/dev/null || printf '%s\\n' \"$commit\" >>\"$repo/shallow\"");
    let take = if shallow && cx.payload.is_some() { take.then(cut) } else { take };
    start.then(take).then(sh!("keep_commit \"$commit\""))
}

/// Fetches; where the mirror then still lacks something, into a new one.
fn fetch(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let fetch = if settings.git.shallow { "fetch_shallow" } else { "fetch_commit" };
    let fetched = sh!(
        r#"git_quietly
url={} fetch={}
make_mirror "$url"
"$fetch" "$commit"
if ! has_commit "$commit"; then
  remove_mirror "lacks commit $commit"
  make_mirror "$url"
  "$fetch" "$commit"
fi"#,
        url(cx),
        fetch
    );
    let fetched = fetched.then(of_branch(cx));
    if settings.git.verify_commit { fetched.then(sh!("git verify-commit -- \"$commit\"")) } else { fetched }
}

/// Where another server found the commit: it has to be one of the branch, as this server sees that.
fn of_branch(cx: &ServerCx<'_>) -> Script {
    match (cx.known(super::FOUND_BY), cx.known("found_revision")) {
        (Some(server), Some(own)) if cx.known("revision") != Some(own) => {
            sh!("must_be_of {} {} {}", &cx.stage.settings.branch, own, server)
        }
        _ => Script::new(),
    }
}
