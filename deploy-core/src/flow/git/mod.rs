//! The repository: one commit for all servers, and its way there.
//!
//! With `git.strategy = "push"` the controller keeps a mirror of its own and sends each server a pack of the objects that
//! the server's mirror lacks; servers need no access to the repository. With `"fetch"` each server fetches by itself, as
//! with Capistrano. Either way a release is what `git archive` makes of the commit: `export-ignore` and `export-subst` in
//! `.gitattributes` hold, submodules and Git LFS are refused unless `git.ignore_submodules` or `git.ignore_lfs` is set.
//!
//! Neither side asks anything on a terminal. A password or token in `repo_url` stays on the controller, where git gets it
//! by a credential helper: no argument, message or file has it.

mod archive;
mod checkout;
#[cfg(any(test, feature = "testing"))]
mod stand_in;
#[cfg(test)]
mod tests;
mod transfer;

pub use checkout::checkout;
#[cfg(any(test, feature = "testing"))]
pub(crate) use stand_in::pretend;

use crate::config::{GitStrategy, Settings, TransportKind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::ServerNo;
use crate::registry::Tasks;
use crate::repository::{Repository, Resolved, Url};
use crate::script::Script;
use crate::sh;
use crate::task::names::ObjectId;
use crate::task::{Effect, Kind, Local, ServerCx, Servers, Task, TaskId};

/// Finds out which commit is deployed.
pub const RESOLVE: TaskId = TaskId::new("git:resolve");
/// Checks that servers can take the commit.
pub const CHECK: TaskId = TaskId::new("git:check");
/// Brings the servers' mirrors up to date.
pub const UPDATE: TaskId = TaskId::new("git:update");
/// Puts the commit's files into the new release.
pub const CREATE_RELEASE: TaskId = TaskId::new("git:create_release");

/// Has all servers deploy the commit that the first one found, where the controller can't read the repository.
const AGREE: TaskId = TaskId::new("git:agree");

/// Shell functions about mirrors. `in_mirror` comes first.
pub(crate) const GIT: &str = include_str!("git.sh");

/// The fact about the run that names the server which found the commit, where others found another one.
const FOUND_BY: &str = "found_by";

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    tasks.task(
        Task::local(RESOLVE, "Find out which commit is deployed", resolve).sets("revision").sets("branch").hidden(),
    );
    tasks.task(
        Task::script(CHECK, "Check that the repository can be reached", on(), transfer::check)
            .effect(Effect::Prepares)
            .reports("git_tips", Kind::List(&Kind::ObjectId))
            .reports("found_revision", Kind::ObjectId)
            .needs([RESOLVE]),
    );
    tasks.task(
        Task::script(UPDATE, "Bring the servers' mirrors up to date", on(), transfer::update)
            .feed(transfer::feed)
            .needs([RESOLVE, CHECK])
            .hidden(),
    );
    tasks.task(
        Task::script(CREATE_RELEASE, "Put the commit's files into a new release", on(), archive::create_release)
            .needs([super::release::NEW_RELEASE, UPDATE])
            .part_of(super::DEPLOY),
    );
}

/// Adds what depends on a stage's settings: servers that fetch agree on a commit, and only so many fetch at a time.
pub(crate) fn tune(tasks: &mut Tasks, settings: &Settings) {
    if settings.git.strategy == GitStrategy::Fetch {
        tasks.task(
            Task::local(AGREE, "Agree on the commit that is deployed", agree)
                .sets("revision")
                .sets("branch")
                .sets(FOUND_BY)
                .hidden(),
        );
        tasks.need(&UPDATE, AGREE);
        tasks.change(&UPDATE, |task| task.without_feed().limit(settings.git.max_fetches));
    }
}

fn resolve(local: &mut Local<'_>) -> anyhow::Result<()> {
    let settings = &local.stage.settings;
    let repository = Repository::new(&settings.repo_url, &local.config.root, &local.config.work_dir);
    // Known from here on: the run has to do with mirrors.
    local.set("repository", repository.address());
    let pushes = settings.git.strategy == GitStrategy::Push;
    if !pushes {
        repository.must_be_for_servers(local.stage.transport == TransportKind::Local)?;
    }
    let resolved = match repository.resolve(&settings.branch) {
        Ok(resolved) => resolved,
        Err(error) if !pushes && error.kind() == ErrorKind::Connection => {
            local.note(format!("{}; the first server finds out what `{}` is", error.message(), settings.branch));
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
    if let Some(note) = repository.uncommitted()?.note() {
        local.note(note);
    }
    announce(local, &resolved);
    Ok(())
}

fn announce(local: &mut Local<'_>, resolved: &Resolved) {
    if let Some(note) = &resolved.note {
        local.note(note.clone());
    }
    local.set("revision", &resolved.sha);
    local.set("branch", local.stage.settings.branch.clone());
}

/// One commit for the whole run, though the branch may have moved between two servers' answers.
fn agree(local: &mut Local<'_>) -> anyhow::Result<()> {
    if local.run_fact("revision").is_some() {
        return Ok(());
    }
    let found = |server: &ServerNo| Some((*server, local.fact(*server, "found_revision")?));
    let found: Vec<(ServerNo, String)> = local.servers.iter().filter_map(found).collect();
    let parsed = found.into_iter().map(|(server, text)| {
        let revision = ObjectId::parse(&text).map_err(|error| no_commit(&local.server(server).label(), &error))?;
        Ok((server, revision.as_str().to_owned()))
    });
    let all = parsed.collect::<Result<Vec<_>>>()?;
    let Some((first, revision)) = all.first() else { return Ok(()) };
    if all.iter().any(|(_, other)| other != revision) {
        let label = local.server(*first).label();
        // Without history nobody could say whether the branch has the commit.
        if local.stage.settings.git.shallow {
            let each = all.iter().map(|(server, found)| format!("{}: {found}", local.server(*server).label()));
            return Err(Error::task("the servers don't agree on which commit is deployed")
                .detail(each.collect::<Vec<_>>().join("\n"))
                .hint("if the branch has just moved, deploy again")
                .into());
        }
        local.note(format!("the branch has moved meanwhile; all servers deploy {revision}, which {label} found"));
        local.set(FOUND_BY, label);
    }
    local.set("revision", revision);
    local.set("branch", local.stage.settings.branch.clone());
    Ok(())
}

/// What a server says goes to all others: git there would run what looks like an option.
fn no_commit(server: &str, error: &Error) -> Error {
    Error::task(format!("{server} was asked which commit is deployed, and its answer is none: {}", error.message()))
}

fn script(cx: &ServerCx<'_>) -> Script {
    Script::new().uses(GIT).then(sh!("in_mirror {}", cx.layout().repo()))
}

/// The repository as a server's git is told of it.
fn url(cx: &ServerCx<'_>) -> String {
    Url::new(&cx.stage.settings.repo_url, cx.root).address().to_owned()
}
