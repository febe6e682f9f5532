//! A release's life: its name, its making, its failure.

use anyhow::Context as _;
use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use crate::config::Fate;
use crate::error::Error;
use crate::registry::Tasks;
use crate::script::Script;
use crate::sh;
use crate::task::{Effect, Servers, Task, TaskId};
use crate::task::{Local, ServerCx};

pub(super) const CHECK_RELEASES: TaskId = TaskId::new("deploy:check:releases");
pub(super) const NEW_RELEASE: TaskId = TaskId::new("deploy:new_release");
pub(super) const SET_CURRENT_REVISION: TaskId = TaskId::new("deploy:set_current_revision");
pub(super) const DISCARD_RELEASE: TaskId = TaskId::new("deploy:discard_release");

/// How release names are written: the time in UTC.
const STAMP: &str = "%Y%m%d%H%M%S";

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    tasks.task(Task::local(super::ENSURE_STAGE, "Refuse a stage that nothing can be deployed to", ensure_stage));
    tasks.task(
        Task::script(CHECK_RELEASES, "Read which releases there are", on(), check_releases)
            .effect(Effect::Prepares)
            .hidden(),
    );
    tasks.task(Task::local(NEW_RELEASE, "Name the new release", new_release).needs([CHECK_RELEASES]).hidden());
    tasks.task(
        Task::script(SET_CURRENT_REVISION, "Write the revision into the release", on(), set_current_revision)
            .needs([super::git::RESOLVE])
            .hidden(),
    );
    tasks.task(Task::script(DISCARD_RELEASE, "Put the unfinished release away", on(), discard).hidden());
}

fn ensure_stage(local: &mut Local<'_>) -> anyhow::Result<()> {
    if local.servers.iter().any(|server| !local.server(*server).no_release) {
        return Ok(());
    }
    let stage = &local.stage.name;
    Err(Error::usage(format!("no server of stage `{stage}` that takes part gets a release"))
        .hint("give one a role and no `no_release = true`, or leave out --hosts and --roles")
        .into())
}

/// Reports what a run has to know: the live release, the newest names, what a rollback could go back to.
fn check_releases(cx: &ServerCx<'_>) -> Script {
    let layout = cx.layout();
    let script = Script::new().uses(super::RELEASES).then(sh!(
        r#"root={}
if [ -e "$root/current" ] && [ ! -L "$root/current" ]; then
  deploy_fail "\`$root/current\` is a directory, not a link to a release" "move it away, then deploy again: mv $root/current $root/current.old"
fi
classes=$(release_classes)
live_release
deploy_fact live "$live"
deploy_fact newest "$(printf '%s\n' "$classes" | head -n 50 | cut -d ' ' -f 1)"
deploy_fact good "$(printf '%s\n' "$classes" | awk '$2 == "good" || $2 == "live" { print $1 }' | head -n 200)""#,
        layout.root()
    ));
    match cx.option("release") {
        None => script,
        Some(wanted) => script.then(sh!(
            "wanted={}\ndeploy_fact wanted \"$(printf '%s\\n' \"$classes\" | sed -n \"s/^$wanted //p\")\"",
            wanted
        )),
    }
}

/// Names the release: now, or a second after the newest that any server has, so that names never go backwards whatever
/// the clocks say. One name for all servers.
fn new_release(local: &mut Local<'_>) -> anyhow::Result<()> {
    let newest = local.servers.iter().filter_map(|server| local.fact(*server, "newest"));
    let stamps: Vec<_> = newest.flat_map(|names| names.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let now = Timestamp::now().to_zoned(TimeZone::UTC).datetime();
    let stamp =
        next_stamp(now, stamps.iter().map(String::as_str)).context("the newest release's name leaves no later one")?;
    local.set("release", &stamp);
    local.set("new_release", &stamp);
    Ok(())
}

/// The name of a release that is made at `now` beside releases named `existing`. Names that are no times don't count.
fn next_stamp<'a>(now: DateTime, existing: impl Iterator<Item = &'a str>) -> Option<String> {
    let newest = existing.filter_map(|name| DateTime::strptime(STAMP, name).ok()).max();
    let after_newest = newest.map(|newest| newest.checked_add(1.second())).transpose().ok()?;
    let stamp = after_newest.map_or(now, |earliest| now.max(earliest));
    Some(stamp.strftime(STAMP).to_string())
}

fn set_current_revision(cx: &ServerCx<'_>) -> Script {
    let dir = cx.release_dir();
    sh!("printf '%s\\n' {} >{}", cx.fact("revision"), format!("{dir}/REVISION")).then(sh!(
        "git --git-dir={} log -1 --no-show-signature --format=%ct {} >{}",
        cx.layout().repo(),
        cx.fact("revision"),
        format!("{dir}/REVISION_TIME")
    ))
}

/// Puts the new release on record before it exists, so that nothing half-made is ever taken for good.
pub(super) fn begin(cx: &ServerCx<'_>) -> Script {
    let user = &cx.stage.settings.local_user;
    Script::new().uses(super::RELEASES).then(sh!(
        "root={}\nrecord {} building {} {} {}",
        cx.layout().root(),
        cx.fact("release"),
        cx.fact("revision"),
        cx.fact("branch"),
        user
    ))
}

/// After a failure: the release that this run made, and that isn't live, is marked, and removed unless it is to be kept.
fn discard(cx: &ServerCx<'_>) -> Script {
    let start = Script::new()
        .uses(super::RELEASES)
        .then(sh!("root={}\nlive_release\ndeploy_fact live_now \"$live\"", cx.layout().root()));
    let Some(release) = cx.known("new_release") else {
        return start.then(sh!("deploy_skip 'no release was made'"));
    };
    let script = start.then(sh!(
        r#"if [ "$live" = {} ]; then deploy_skip 'the release is live, and stays'; fi
if [ ! -e "$root/releases/"{} ]; then deploy_skip 'no release was made'; fi
record {} failed"#,
        release,
        release,
        release
    ));
    match cx.stage.settings.failed_releases {
        Fate::Keep => script,
        Fate::Remove | Fate::Archive => script.then(sh!("put_away \"$root/releases/\"{}", release)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime {
        DateTime::strptime(STAMP, "20261122101500").unwrap()
    }

    #[test]
    fn a_release_is_named_after_the_time() {
        assert_eq!(next_stamp(now(), ["20261121000000"].into_iter()).unwrap(), "20261122101500");
        assert_eq!(next_stamp(now(), std::iter::empty()).unwrap(), "20261122101500");
    }

    #[test]
    fn names_never_go_backwards() {
        assert_eq!(next_stamp(now(), ["20261122101500"].into_iter()).unwrap(), "20261122101501");
        assert_eq!(next_stamp(now(), ["20261231235959"].into_iter()).unwrap(), "20270101000000");
    }

    #[test]
    fn names_that_are_no_times_do_not_count() {
        assert_eq!(next_stamp(now(), ["99999999999999", "77777777777777", "x"].into_iter()).unwrap(), "20261122101500");
    }
}
