//! A release's life: its name, its making, its failure.

use jiff::ToSpan as _;
use jiff::civil::DateTime;

use super::names::{self, ReleaseName};
use crate::config::Fate;
use crate::error::Error;
use crate::registry::Tasks;
use crate::script::Script;
use crate::sh;
use crate::task::{Effect, Kind, Servers, Task, TaskId};
use crate::task::{Local, ServerCx};

pub(super) const CHECK_RELEASES: TaskId = TaskId::new("deploy:check:releases");
pub(super) const NEW_RELEASE: TaskId = TaskId::new("deploy:new_release");
pub(super) const SET_CURRENT_REVISION: TaskId = TaskId::new("deploy:set_current_revision");
pub(super) const DISCARD_RELEASE: TaskId = TaskId::new("deploy:discard_release");

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    let refuse = Task::local(super::ENSURE_STAGE, "Refuse a stage that nothing can be deployed to", ensure_stage);
    tasks.task(refuse.part_of(super::DEPLOY));
    tasks.task(
        Task::script(CHECK_RELEASES, "Read which releases there are", on(), check_releases)
            .effect(Effect::Prepares)
            .reports("live", Kind::Maybe(&Kind::Release))
            .reports("newest", Kind::List(&Kind::Release))
            .reports("good", Kind::List(&Kind::Release))
            .reports("wanted", Kind::Line(32))
            .hidden(),
    );
    tasks.task(
        Task::local(NEW_RELEASE, "Name the new release", new_release)
            .needs([CHECK_RELEASES])
            .sets("release")
            .sets("new_release")
            .part_of(super::DEPLOY)
            .hidden(),
    );
    tasks.task(
        Task::script(SET_CURRENT_REVISION, "Write the revision into the release", on(), set_current_revision)
            .needs([super::git::RESOLVE])
            .part_of(super::DEPLOY)
            .hidden(),
    );
    tasks.task(
        Task::script(DISCARD_RELEASE, "Put the unfinished release away", on(), discard)
            .reports("live_now", Kind::Maybe(&Kind::Release))
            .part_of(super::DEPLOY)
            .hidden(),
    );
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
newest='' good='' wanted={} class=''
for each in $(release_classes); do
  newest="$newest
${each%/*}"
  case $each in
    */good | */live) good="$good
${each%/*}" ;;
  esac
  if [ "${each%/*}" = "$wanted" ]; then class=${each#*/}; fi
done
live_release
deploy_fact live "$live"
deploy_fact newest "${newest#?}"
deploy_fact good "${good#?}""#,
        layout.root(),
        cx.option("release").unwrap_or_default()
    ));
    if cx.option("release").is_some() { script.then(sh!("deploy_fact wanted \"$class\"")) } else { script }
}

/// Names the release: now, or a second after the newest that any server has, so that names never go backwards whatever
/// the clocks say. One name for all servers.
fn new_release(local: &mut Local<'_>) -> anyhow::Result<()> {
    let newest = local.servers.iter().filter_map(|server| local.fact(*server, "newest"));
    let stamps: Vec<_> = newest.flat_map(|names| names.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let existing: Vec<_> = stamps.iter().filter_map(|name| ReleaseName::parse(name).ok()).collect();
    let now = names::now();
    if let Some(strange) = existing.iter().find(|name| name.is_strange(now)) {
        local.note(format!(
            "the release {} has a name that is no time, or one in the future: it doesn't count",
            strange.as_str()
        ));
    }
    let stamp = next_name(now, &existing).as_str().to_owned();
    local.set("release", &stamp);
    local.set("new_release", &stamp);
    Ok(())
}

/// The name of a release that is made at `now` beside `existing` ones. A strange name doesn't count: one from the far future
/// would make all later names lie.
fn next_name(now: DateTime, existing: &[ReleaseName]) -> ReleaseName {
    let newest = existing.iter().filter(|name| !name.is_strange(now)).filter_map(ReleaseName::time).max();
    let after_newest = newest.and_then(|newest| newest.checked_add(1.second()).ok());
    ReleaseName::of(after_newest.map_or(now, |earliest| now.max(earliest)))
}

fn set_current_revision(cx: &ServerCx<'_>) -> Script {
    let own = Script::new().uses(super::INSIDE).then(sh!("release={}", cx.release_dir()));
    own.then(sh!(
        r#"own_files REVISION REVISION_TIME
revision={}
printf '%s\n' "$revision" >"$release/REVISION"
git --git-dir={} log -1 --no-show-signature --format=%ct --stdin >"$release/REVISION_TIME" <<COMMIT
$revision
COMMIT"#,
        cx.fact("revision"),
        cx.layout().repo()
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
        .uses(super::ACCESS)
        .then(sh!("root={}\nlive_release\ndeploy_fact live_now \"$live\"", cx.layout().root()));
    let Some(release) = cx.known("new_release") else {
        return start.then(sh!("deploy_skip 'no release was made'"));
    };
    let script = start.then(sh!(
        r#"if [ "$live" = {} ]; then deploy_skip 'the release is live, and stays'; fi
if [ ! -e "$root/releases/"{} ]; then deploy_skip 'no release was made'; fi
release={}"#,
        release,
        release,
        release
    ));
    // On a full disk there is room for the record when the release is gone.
    let away = match cx.stage.settings.failed_releases {
        Fate::Keep => Script::new(),
        Fate::Remove | Fate::Archive => sh!("put_away \"$root/releases/$release\""),
    };
    script.then(away).then(sh!("record \"$release\" failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime {
        ReleaseName::parse("20261122101500").unwrap().time().unwrap()
    }

    fn next(existing: &[&str]) -> String {
        let existing: Vec<_> = existing.iter().map(|name| ReleaseName::parse(name).unwrap()).collect();
        next_name(now(), &existing).as_str().to_owned()
    }

    #[test]
    fn a_release_is_named_after_the_time() {
        assert_eq!(next(&["20261121000000"]), "20261122101500");
        assert_eq!(next(&[]), "20261122101500");
    }

    #[test]
    fn names_never_go_backwards() {
        assert_eq!(next(&["20261122101500"]), "20261122101501");
        assert_eq!(next(&["20261122235959"]), "20261123000000");
    }

    #[test]
    fn names_that_are_no_times_or_far_ahead_do_not_count() {
        assert_eq!(next(&["99999999999999", "77777777777777", "20991231235959", "99991231235958"]), "20261122101500");
    }
}
