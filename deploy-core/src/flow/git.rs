//! The repository: one commit for all servers, and its way there.
//!
//! With `git.strategy = "push"` the controller keeps a mirror of its own and sends each server a pack of the objects that
//! the server's mirror lacks; servers need no access to the repository. With `"fetch"` each server fetches by itself, as
//! with Capistrano. Either way a release is what `git archive` makes of the commit: `export-ignore` and `export-subst` in
//! `.gitattributes` hold, submodules and Git LFS are refused unless `git.ignore_submodules` or `git.ignore_lfs` is set.

use crate::config::{GitStrategy, Settings, TransportKind};
use crate::registry::Tasks;
use crate::repository::{Repository, Resolved};
use crate::script::{Cmd, Script};
use crate::sh;
use crate::task::{Local, ServerCx};
use crate::task::{Payload, Servers, Task, TaskId};

/// Finds out which commit is deployed.
pub const RESOLVE: TaskId = TaskId::new("git:resolve");
/// Checks that servers can take the commit.
pub const CHECK: TaskId = TaskId::new("git:check");
/// Brings the servers' mirrors up to date.
pub const UPDATE: TaskId = TaskId::new("git:update");
/// Puts the commit's files into the new release.
pub const CREATE_RELEASE: TaskId = TaskId::new("git:create_release");

/// Shell functions about git and the mirror, whose path they expect in `repo`.
pub(crate) const GIT: &str = include_str!("git.sh");

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    tasks.task(Task::local(RESOLVE, "Find out which commit is deployed", resolve).detail());
    tasks
        .task(Task::script(CHECK, "Check that the repository can be reached", on(), check).harmless().needs([RESOLVE]));
    tasks.task(
        Task::script(UPDATE, "Bring the servers' mirrors up to date", on(), update)
            .feed(feed)
            .needs([RESOLVE, CHECK])
            .detail(),
    );
    tasks.task(
        Task::script(CREATE_RELEASE, "Put the commit's files into a new release", on(), create_release)
            .needs([super::release::NEW_RELEASE, UPDATE]),
    );
}

/// Adds what depends on a stage's settings: how many servers may fetch at a time.
pub(crate) fn tune(tasks: &mut Tasks, settings: &Settings) {
    if settings.git.strategy == GitStrategy::Fetch {
        tasks.change(&UPDATE, |task| Task { feed: None, ..task }.limit(settings.git.max_fetches));
    }
}

fn repository(cx_work_dir: &std::path::Path, root: &std::path::Path, settings: &Settings) -> Repository {
    Repository::new(&settings.repo_url, root, cx_work_dir)
}

fn resolve(local: &mut Local<'_>) -> anyhow::Result<()> {
    let settings = &local.stage.settings;
    let repository = repository(&local.config.work_dir, &local.config.root, settings);
    let pushes = settings.git.strategy == GitStrategy::Push;
    if !pushes && local.stage.transport == TransportKind::Ssh {
        repository.must_be_for_servers()?;
    }
    let resolved = match repository.resolve(&settings.branch) {
        Ok(resolved) => resolved,
        Err(error) if !pushes && error.kind() == crate::error::ErrorKind::Connection => {
            local.note(format!("{}; the first server resolves `{}`", error.message(), settings.branch));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if pushes {
        repository.bring(&resolved, settings.git.shallow)?;
        if settings.git.verify_commit {
            repository.verify(&resolved.sha)?;
        }
    }
    announce(local, &resolved);
    Ok(())
}

fn announce(local: &mut Local<'_>, resolved: &Resolved) {
    let branch = local.stage.settings.branch.clone();
    if let Some(note) = &resolved.note {
        local.note(note.clone());
    }
    local.set("revision", &resolved.sha);
    local.set("branch", branch);
    local.set("reference", resolved.reference.clone().unwrap_or_default());
}

fn script(cx: &ServerCx<'_>) -> Script {
    Script::new().uses(GIT).then(sh!("repo={}", cx.layout().repo()))
}

/// Reports the tips of the server's mirror, which decide what a pack leaves out.
fn check(cx: &ServerCx<'_>) -> Script {
    let found = script(cx).then(sh!(
        "command -v git >/dev/null || deploy_fail 'there is no git on this server' 'install it: apt-get install git, or what the system has'"
    ));
    match cx.stage.settings.git.strategy {
        GitStrategy::Push => found.then(sh!(r#"tips=''
if usable_mirror && [ ! -e "$repo/shallow" ]; then
  tips=$(git --git-dir="$repo" for-each-ref --count=64 --format='%(objectname)' refs/deploy refs/heads)
fi
deploy_fact git_tips "$tips""#)),
        GitStrategy::Fetch => found.then(check_access(cx)),
    }
}

/// Asks the repository, unless the mirror has the commit anyway; finds the commit out where the controller could not.
fn check_access(cx: &ServerCx<'_>) -> Script {
    let url = server_url(cx);
    let branch = &cx.stage.settings.branch;
    match cx.known("revision") {
        Some(revision) => sh!(
            "git_quietly\nif ! usable_mirror || ! has_commit {}; then git ls-remote --quiet -- {} HEAD >/dev/null; fi",
            revision,
            url
        ),
        None => sh!(
            r#"git_quietly
branch={}
refs=$(git ls-remote --quiet -- {} "refs/heads/$branch" {} "refs/tags/$branch")
found=$(printf '%s\n' "$refs" | awk '
  $2 ~ /^refs\/heads\// { head = $1 }
  $2 ~ /[}]$/ { peeled = $1 }
  { last = $1 }
  END { print head != "" ? head : peeled != "" ? peeled : last }
')
[ -n "$found" ] || deploy_fail "the repository has no branch or tag \`$branch\`"
deploy_fact revision "$found"
deploy_fact branch "$branch""#,
            branch,
            url,
            format!("refs/tags/{branch}^{{}}")
        ),
    }
}

/// The repository as servers name it: a path is only right on this machine.
fn server_url(cx: &ServerCx<'_>) -> String {
    cx.stage.settings.repo_url.clone()
}

fn update(cx: &ServerCx<'_>) -> Script {
    let start = script(cx).then(sh!("usable_mirror || :\nmake_mirror {}\nmirror_in_transfer", server_url(cx)));
    let moved = match cx.stage.settings.git.strategy {
        GitStrategy::Push => receive(cx),
        GitStrategy::Fetch => fetch(cx),
    };
    start.then(moved).then(sh!(
        "has_commit {} || deploy_fail \"commit \"{}\" isn't in this server's mirror\" 'is it in the repository that the server reads, and not only here?'\nmirror_whole",
        cx.fact("revision"), cx.fact("revision")
    ))
}

/// Takes the pack, and keeps its commit by a ref of our own, besides the branch's.
fn receive(cx: &ServerCx<'_>) -> Script {
    let repo = cx.layout().repo();
    let revision = cx.fact("revision");
    let git_dir = format!("--git-dir={repo}");
    let take = match cx.payload {
        None => Script::new(),
        Some(_) => {
            let index = Cmd::new("git").arg(&git_dir).args(["index-pack", "--stdin", "--fix-thin"]);
            let shallow = match cx.stage.settings.git.shallow {
                true => sh!("printf '%s\\n' {} >>\"$repo/shallow\"", &revision),
                false => sh!("rm -f -- \"$repo/shallow\""),
            };
            Script::new().pipe([Cmd::new("deploy_payload"), index]).then(shallow)
        }
    };
    let keep = sh!("git --git-dir=\"$repo\" update-ref refs/deploy/revision {}", &revision);
    let reference = cx.known("reference").filter(|reference| reference.starts_with("refs/heads/"));
    match reference {
        Some(reference) => take.then(keep).then(sh!("git --git-dir=\"$repo\" update-ref {} {}", reference, &revision)),
        None => take.then(keep),
    }
}

fn fetch(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let revision = cx.fact("revision");
    let fetched = match settings.git.shallow {
        true => sh!("git_quietly\ngit --git-dir=\"$repo\" fetch --quiet --no-tags --depth=1 origin {}", &revision),
        false => sh!(
            "git_quietly\nif [ -e \"$repo/shallow\" ]; then set -- --unshallow; else set --; fi\ngit --git-dir=\"$repo\" fetch --quiet --prune --no-tags \"$@\" origin '+refs/*:refs/*'"
        ),
    };
    match settings.git.verify_commit {
        true => fetched.then(sh!("git --git-dir=\"$repo\" verify-commit {}", &revision)),
        false => fetched,
    }
}

/// The pack of what the server lacks; nothing if it has the commit.
fn feed(cx: &ServerCx<'_>) -> anyhow::Result<Option<Payload>> {
    let settings = &cx.stage.settings;
    let repository = repository(cx.work_dir, cx.root, settings);
    let Some(revision) = cx.known("revision") else { return Ok(None) };
    let tips: Vec<_> = cx.known("git_tips").unwrap_or_default().lines().collect();
    Ok(repository.pack(revision, &tips, settings.git.shallow)?)
}

/// The commit's files, by `git archive` as Capistrano does.
fn create_release(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let revision = cx.fact("revision");
    let release = cx.release_dir();
    let git_dir = format!("--git-dir={}", cx.layout().repo());
    let tree = match &settings.repo_tree {
        None => format!("{}^{{tree}}", shown(&revision)),
        Some(path) => format!("{}:{path}", shown(&revision)),
    };
    let absent = format!("the commit has no folder `{}`", settings.repo_tree.as_deref().unwrap_or("."));
    let archive = match &settings.repo_tree {
        None => Cmd::new("git").args([git_dir.as_str(), "archive", "--format=tar"]).arg(&revision),
        Some(_) => Cmd::new("git").args([git_dir.as_str(), "archive", "--format=tar"]).arg(&tree),
    };
    let start = script(cx)
        .then(sh!(
            "tree={}\ngit --git-dir=\"$repo\" rev-parse --quiet --verify --end-of-options \"$tree\" >/dev/null || deploy_fail {} 'see repo_tree in deploy.toml'",
            tree, absent
        ))
        .then(refusals(settings))
        .then(super::release::begin(cx))
        .run(Cmd::new("mkdir").args(["--"]).arg(&release));
    start.pipe([archive, Cmd::new("tar").args(["-x", "-f", "-", "-C"]).arg(&release)])
}

/// What `git archive` would silently leave out.
fn refusals(settings: &Settings) -> Script {
    let submodules = sh!(
        "if git --git-dir=\"$repo\" ls-tree -r \"$tree\" | grep -q '^160000 '; then deploy_fail 'the commit has submodules, whose files would be missing' 'vendor them, or set git.ignore_submodules = true to deploy empty folders'; fi"
    );
    let lfs = sh!(
        "if git --git-dir=\"$repo\" grep -q -e filter=lfs \"$tree\" -- .gitattributes '*/.gitattributes'; then deploy_fail 'the commit has files in Git LFS, of which only the pointers would be deployed' 'set git.ignore_lfs = true to deploy the pointers'; fi"
    );
    let mut script = Script::new();
    if !settings.git.ignore_submodules {
        script = script.then(submodules);
    }
    if !settings.git.ignore_lfs {
        script = script.then(lfs);
    }
    script
}

fn shown(arg: &crate::script::Arg) -> String {
    String::from_utf8_lossy(arg.bytes()).into_owned()
}
