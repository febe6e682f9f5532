//! The stage's lock: held on each of its servers from a run's first change to its last.
//!
//! The conversation in which a run takes the lock holds it: it notes the controller's beats, and frees the lock when it ends,
//! however the run ended. A run that finds a lock whose beat has been missing for
//! [`LEASE_SECONDS`] takes it over, and ends what the old run still had running there.

use jiff::Timestamp;

use crate::config::{Server, Stage};
use crate::plan::Plan;
use crate::registry::Tasks;
use crate::script::{Hold, Script};
use crate::sh;
use crate::task::{Effect, Kind, Opt, Servers, Task, TaskId};
use crate::task::{Facts, ServerCx};

/// Takes the stage's lock. The planner puts it before everything else of a run that changes something.
pub const LOCK: TaskId = TaskId::new("deploy:lock");
/// Breaks the stage's lock.
pub const UNLOCK: TaskId = TaskId::new("deploy:unlock");

/// How long a lock holds without a beat, in seconds. `lock.sh` has the same number.
pub const LEASE_SECONDS: u32 = 30;

/// What a line of a lock may be.
pub(crate) const LINE: Kind = Kind::Line(64 * 1024);

const SHELL: &str = include_str!("lock.sh");

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    let force = Opt { name: "force", value: None, about: "Break the lock although its holder seems to be alive" };
    tasks.task(
        ["lock_held_by", "lock_about", "lock_servers"]
            .into_iter()
            .fold(Task::script(LOCK, "Take the stage's lock", on(), take), |task, fact| task.reports(fact, LINE))
            .sets("token")
            .sets("holder")
            .sets("lock_list")
            .hold(hold)
            .part_of(super::DEPLOY)
            .hidden(),
    );
    tasks.task(Task::script(UNLOCK, "Break the stage's lock", on(), unlock).option(force).effect(Effect::Elsewhere));
}

/// The facts that a run which takes the lock begins with: its token, and who it is.
pub(crate) fn facts(stage: &Stage, plan: &Plan, token: &str) -> Facts {
    let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = &stage.settings.local_user;
    let holder = format!("{user} on {host} since {now}: {} (process {})", plan.root, std::process::id());
    let servers: Vec<_> = plan.servers().iter().map(|server| lock_name(&stage.servers[*server])).collect();
    let text = |value: String| value.replace(['\n', '\r'], " ");
    let mut facts = Facts::default();
    facts.run.insert("token".to_owned(), token.to_owned());
    facts.run.insert("holder".to_owned(), text(holder));
    facts.run.insert("lock_list".to_owned(), text(servers.join(" ")));
    if plan.root == super::CLEANUP {
        facts.run.insert("frees".to_owned(), "yes".to_owned());
    }
    facts
}

/// How runs that meet call a server: without the user, since each may log in as somebody else.
pub(crate) fn lock_name(server: &Server) -> String {
    Server { user: None, ..server.clone() }.label()
}

fn script(cx: &ServerCx<'_>) -> Script {
    Script::new().uses(SHELL).uses(super::ACCESS).then(sh!("root={}", cx.layout().root()))
}

fn take(cx: &ServerCx<'_>) -> Script {
    let frees = if cx.known("frees").is_some() { "frees" } else { "" };
    let take = sh!("take_lock {} {} {} {}", cx.fact("token"), cx.fact("holder"), cx.fact("lock_list"), frees);
    let take = script(cx).then(take);
    if cx.servers == 1 {
        return take;
    }
    // Servers that differ in nothing else are shown as one.
    let (number, name) = if cx.preview {
        ("<number>".to_owned(), "<server>".to_owned())
    } else {
        (cx.number.to_string(), lock_name(cx.server))
    };
    take.then(sh!("only_once {} {}", number, name))
}

/// What a conversation does that holds the lock.
fn hold(cx: &ServerCx<'_>) -> Hold {
    let names = sh!("lock={} token={}", cx.layout().lock(), cx.fact("token"));
    Hold {
        on_beat: Script::new().uses(SHELL).then(names.clone()).then(sh!("lock_beat")),
        on_end: Script::new().uses(SHELL).then(names).then(sh!("free_lock")),
    }
}

/// Fails a run that has lost its lock; nothing where the run took none.
pub(super) fn require(cx: &ServerCx<'_>) -> Script {
    match cx.known("token") {
        Some(_) => sh!("deploy_fence"),
        None => Script::new(),
    }
}

/// Reports what took the lock from the run, as [`LOST`].
pub(crate) fn find_loss(cx: &ServerCx<'_>) -> Script {
    script(cx).then(sh!("find_loss {}", cx.fact("token")))
}

/// The fact that says what took the lock from the run; empty where that isn't known.
pub(crate) const LOST: &str = "lock_lost";

fn unlock(cx: &ServerCx<'_>) -> Script {
    let force = if cx.option("force").is_some() { "yes" } else { "no" };
    script(cx).then(sh!("break_lock {} {}", force, &cx.stage.settings.local_user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::stage;

    #[test]
    fn runs_that_log_in_as_different_users_call_a_server_the_same() {
        let [mut own, mut other] =
            [stage(&["app1 app"]), stage(&["app1 app"])].map(|mut stage| stage.servers.remove(0));
        (own.user, other.user) = (Some("ada".into()), Some("bob".into()));
        assert_ne!(own.label(), other.label());
        assert_eq!(lock_name(&own), lock_name(&other));
    }
}
