//! The two flows, `deploy` and `deploy:rollback`, and the tasks that they consist of.
//!
//! Names, order and layout are Capistrano's. What a release is (building, published, failed, rolled back) stands in
//! `.deploy/releases`, one line a release, and is never guessed from times of files.

pub mod git;
mod live;
pub mod lock;
mod publish;
mod release;
mod shared;
mod status;

pub(crate) use live::{live_now, must_be_live, switched};
pub use names::{ObjectId, ReleaseName};
pub use publish::{CHOOSE_RELEASE, likely_release};
pub(crate) use shared::upload;

use crate::registry::Tasks;
use crate::task::names;
use crate::task::{Opt, Phase, Task, TaskId};

/// The main flow: put a new release beside the old ones, and publish it.
pub const DEPLOY: TaskId = TaskId::new("deploy");
/// The way back: publish an earlier release.
pub const ROLLBACK: TaskId = TaskId::new("deploy:rollback");
/// Make sure that everything is ready.
pub const STARTING: TaskId = TaskId::new("deploy:starting");
/// A hook point: everything is ready, nothing has changed.
pub const STARTED: TaskId = TaskId::new("deploy:started");
/// Put the new release on the servers.
pub const UPDATING: TaskId = TaskId::new("deploy:updating");
/// A hook point: the new release is there, and not yet published.
pub const UPDATED: TaskId = TaskId::new("deploy:updated");
/// Choose the release to go back to.
pub const REVERTING: TaskId = TaskId::new("deploy:reverting");
/// A hook point: the release to go back to is chosen, and not yet published.
pub const REVERTED: TaskId = TaskId::new("deploy:reverted");
/// Switch the servers over.
pub const PUBLISHING: TaskId = TaskId::new("deploy:publishing");
/// A hook point: the release is live.
pub const PUBLISHED: TaskId = TaskId::new("deploy:published");
/// Clean up after a deployment.
pub const FINISHING: TaskId = TaskId::new("deploy:finishing");
/// Clean up after a rollback.
pub const FINISHING_ROLLBACK: TaskId = TaskId::new("deploy:finishing_rollback");
/// A hook point: everything is done.
pub const FINISHED: TaskId = TaskId::new("deploy:finished");
/// What runs when a flow fails.
pub const FAILED: TaskId = TaskId::new("deploy:failed");
/// Restarts the application: a hook point that recipes, or `deploy.toml`, fill.
pub const RESTART: TaskId = TaskId::new("deploy:restart");
/// Checks that everything is there which a deployment needs.
pub const CHECK: TaskId = TaskId::new("deploy:check");
/// Refuses a stage that nothing can be deployed to.
pub const ENSURE_STAGE: TaskId = TaskId::new("deploy:ensure_stage");
/// Links what is shared into the release.
pub const SYMLINK_SHARED: TaskId = TaskId::new("deploy:symlink:shared");
/// Makes the release live.
pub const SYMLINK_RELEASE: TaskId = TaskId::new("deploy:symlink:release");
/// Checks the release that a rollback goes to.
pub const REVERT_RELEASE: TaskId = TaskId::new("deploy:revert_release");
/// Removes old releases.
pub const CLEANUP: TaskId = TaskId::new("deploy:cleanup");
/// Deals with the release that a rollback left.
pub const CLEANUP_ROLLBACK: TaskId = TaskId::new("deploy:cleanup_rollback");
/// Adds a line to `revisions.log`.
pub const LOG_REVISION: TaskId = TaskId::new("deploy:log_revision");

/// Registers the flows and their tasks.
pub(crate) fn register(tasks: &mut Tasks) {
    tasks.task(deploy());
    tasks.task(rollback());
    for (id, about, steps) in groups() {
        tasks.task(Task::group(id, about, steps));
    }
    tasks.task(Task::open(RESTART, "Restart the application"));
    tasks.hook(crate::task::When::Before(STARTING), ENSURE_STAGE);
    tasks.hook(crate::task::When::After(PUBLISHED), RESTART);
    lock::register(tasks);
    release::register(tasks);
    shared::register(tasks);
    status::register(tasks);
    publish::register(tasks);
    git::register(tasks);
}

fn deploy() -> Task {
    let phases = [
        Phase { name: "check", tasks: vec![STARTING, STARTED] },
        Phase { name: "update", tasks: vec![UPDATING, UPDATED] },
        Phase { name: "switch", tasks: vec![PUBLISHING] },
        Phase { name: "activate", tasks: vec![PUBLISHED] },
        Phase { name: "finish", tasks: vec![FINISHING, FINISHED] },
    ];
    Task::flow(DEPLOY, "Deploy a new release", phases, FAILED).needs([git::RESOLVE])
}

/// A rollback needs no repository.
fn rollback() -> Task {
    let phases = [
        Phase { name: "check", tasks: vec![STARTING, STARTED] },
        Phase { name: "update", tasks: vec![REVERTING, REVERTED] },
        Phase { name: "switch", tasks: vec![PUBLISHING] },
        Phase { name: "activate", tasks: vec![PUBLISHED] },
        Phase { name: "finish", tasks: vec![FINISHING_ROLLBACK, FINISHED] },
    ];
    let release =
        Opt { name: "release", value: Some("STAMP"), about: "The release to go back to, such as 20261122101500" };
    Task::flow(ROLLBACK, "Go back to an earlier release", phases, FAILED)
        .without([git::RESOLVE, git::CHECK])
        .option(release)
}

/// The tasks that consist of others: hook points of the flows, and families of checks.
fn groups() -> Vec<(TaskId, &'static str, Vec<TaskId>)> {
    vec![
        (STARTING, "Start a deployment, make sure everything is ready", vec![CHECK]),
        (STARTED, "Started: a hook point", vec![]),
        (
            UPDATING,
            "Update the servers with a new release",
            vec![git::CREATE_RELEASE, release::SET_CURRENT_REVISION, SYMLINK_SHARED],
        ),
        (UPDATED, "Updated: a hook point", vec![]),
        (REVERTING, "Revert the servers to an earlier release", vec![REVERT_RELEASE]),
        (REVERTED, "Reverted: a hook point", vec![]),
        (PUBLISHING, "Publish the release", vec![SYMLINK_RELEASE]),
        (PUBLISHED, "Published: a hook point", vec![publish::MARK_PUBLISHED]),
        (FINISHING, "Finish the deployment, clean up everything", vec![CLEANUP]),
        (FINISHING_ROLLBACK, "Finish the rollback, clean up everything", vec![CLEANUP_ROLLBACK]),
        (FINISHED, "Finished: a hook point", vec![LOG_REVISION]),
        (FAILED, "Failed: runs when a flow fails, a hook point", vec![release::DISCARD_RELEASE]),
        (
            CHECK,
            "Check that everything is there which a deployment needs",
            vec![
                shared::CHECK_DIRECTORIES,
                release::CHECK_RELEASES,
                shared::CHECK_LINKED_DIRS,
                shared::CHECK_MAKE_LINKED_DIRS,
                shared::CHECK_LINKED_FILES,
                git::CHECK,
            ],
        ),
        (
            SYMLINK_SHARED,
            "Link shared files and folders into the release",
            vec![shared::LINKED_FILES, shared::LINKED_DIRS],
        ),
    ]
}

/// Shell functions about releases. They expect the path of the deployment in `root`.
pub(crate) const RELEASES: &str = include_str!("releases.sh");

/// Shell functions through which everything below a release is written, made or removed. They expect its path in `release`,
/// and that of what is shared in `shared`; `own_files`, `must_be_inside` and `is_inside` are for recipes too.
pub const INSIDE: &str = include_str!("inside.sh");

/// Shell functions about who may write where. They expect the path of the deployment in `root`.
pub(crate) const ACCESS: &str = include_str!("access.sh");

#[cfg(test)]
mod access;
#[cfg(test)]
mod inside;
