//! Making a release live, going back, and tidying up afterwards.

use std::collections::BTreeSet;

use crate::config::Fate;
use crate::error::Error;
use crate::event::ServerNo;
use crate::registry::Tasks;
use crate::script::{Arg, Script};
use crate::sh;
use crate::task::{Kind, Opt, Servers, Task, TaskId};
use crate::task::{Local, ServerCx};

use super::names::{self, ReleaseName};
use super::{CLEANUP, CLEANUP_ROLLBACK, LOG_REVISION, RELEASES, REVERT_RELEASE, SYMLINK_RELEASE};

/// Chooses the release that a rollback goes to: the fact `release`.
pub const CHOOSE_RELEASE: TaskId = TaskId::new("deploy:choose_release");
pub(super) const MARK_PUBLISHED: TaskId = TaskId::new("deploy:mark_published");

/// The fact that says what is live after the switch, read back from the link.
pub(super) const SWITCHED: &str = "switched";

pub(super) fn register(tasks: &mut Tasks) {
    let on = Servers::releases;
    let release = Opt { name: "release", value: Some("STAMP"), about: "The release, such as 20261122101500" };
    tasks.task(
        Task::local(CHOOSE_RELEASE, "Choose the release to go back to", choose_release)
            .needs([super::release::CHECK_RELEASES])
            .sets("release")
            .part_of(super::ROLLBACK)
            .hidden(),
    );
    tasks.task(
        Task::script(REVERT_RELEASE, "Check the release to go back to", on(), revert_release)
            .needs([CHOOSE_RELEASE])
            .option(release.clone())
            .part_of(super::ROLLBACK),
    );
    tasks.task(
        Task::script(SYMLINK_RELEASE, "Make the release live", on(), symlink_release)
            .undo(undo_symlink)
            .reports(SWITCHED, Kind::Maybe(&Kind::Release))
            .option(release)
            .part_of(super::DEPLOY),
    );
    tasks.task(
        Task::script(MARK_PUBLISHED, "Write down that the release is live", on(), mark_published)
            .reports(SWITCHED, Kind::Maybe(&Kind::Release))
            .part_of(super::DEPLOY)
            .hidden(),
    );
    tasks.task(Task::script(CLEANUP, "Remove old releases", on(), cleanup));
    let about = "Deal with the release that the rollback left";
    tasks.task(Task::script(CLEANUP_ROLLBACK, about, on(), cleanup_rollback).part_of(super::ROLLBACK));
    let log = Task::script(LOG_REVISION, "Add a line to `revisions.log`", on(), log_revision);
    tasks.task(log.part_of(super::DEPLOY));
}

/// The release that every server can go back to.
fn choose_release(local: &mut Local<'_>) -> anyhow::Result<()> {
    let servers: Vec<_> = local.servers.iter().copied().filter(|server| !local.server(*server).no_release).collect();
    let facts = |name: &str| -> Vec<(ServerNo, String)> {
        servers.iter().map(|server| (*server, local.fact(*server, name).unwrap_or_default())).collect()
    };
    let label = |server: ServerNo| local.server(server).label();
    let target = match local.option("release") {
        Some(wanted) => named_release(ReleaseName::parse(wanted)?.as_str(), &facts("wanted"), label)?,
        None => {
            facts("live").iter().try_for_each(|(server, live)| must_be_possible(live, &label(*server)))?;
            earlier_release(&facts("live"), &facts("good"), label)?
        }
    };
    let lives: Vec<_> = facts("live").into_iter().map(|(_, live)| live).collect();
    if lives.iter().any(|live| *live != lives[0]) {
        let each: Vec<_> =
            servers.iter().zip(&lives).map(|(server, live)| format!("{}: {live}", label(*server))).collect();
        local.note(format!("the servers don't have the same release live ({}); all go to {target}", each.join(", ")));
    }
    if let Some(note) = passed_over(&target, &facts("live"), &facts("good"), label) {
        local.note(note);
    }
    local.set("release", target);
    Ok(())
}

/// Fails where what a server has live can't be what a rollback leaves: every release would be an earlier one.
fn must_be_possible(live: &str, server: &str) -> Result<(), Error> {
    let is_possible = live.is_empty() || ReleaseName::parse(live).is_ok_and(|name| !name.is_strange(names::now()));
    if is_possible {
        return Ok(());
    }
    Err(Error::task(format!("{server} has `{live}` live, whose name is no time, or one in the future"))
        .hint("say which release is to be live: --release STAMP"))
}

/// The newer releases that some servers could go back to and others could not.
fn passed_over(
    target: &str,
    lives: &[(ServerNo, String)],
    goods: &[(ServerNo, String)],
    label: impl Fn(ServerNo) -> String,
) -> Option<String> {
    let left = lives.iter().map(|(_, live)| live.as_str()).max()?;
    let between = |name: &&str| *name > target && *name < left;
    let names: BTreeSet<&str> = goods.iter().flat_map(|(_, good)| good.lines()).filter(between).collect();
    let lacking = |name: &str| -> Vec<String> {
        goods
            .iter()
            .filter(|(_, good)| !good.lines().any(|line| line == name))
            .map(|(server, _)| label(*server))
            .collect()
    };
    let each = names.into_iter().rev().map(|name| format!("{name} isn't good on {}", lacking(name).join(", ")));
    let each = each.collect::<Vec<_>>().join("; ");
    (!each.is_empty()).then(|| format!("all servers go to {target}, since {each}"))
}

/// The release that `--release` names, if every server has it whole.
fn named_release(
    wanted: &str,
    classes: &[(ServerNo, String)],
    label: impl Fn(ServerNo) -> String,
) -> Result<String, Error> {
    let problem = |(server, class): &(ServerNo, String)| match class.as_str() {
        "" => Some(format!("{} doesn't have it", label(*server))),
        "failed" | "building" => Some(format!("on {} it was never finished", label(*server))),
        _ => None,
    };
    let problems: Vec<_> = classes.iter().filter_map(problem).collect();
    if problems.is_empty() {
        return Ok(wanted.to_owned());
    }
    Err(Error::task(format!("can't go back to release `{wanted}`: {}", problems.join(", ")))
        .hint("nothing was changed; `ls` the `releases` folder for what there is"))
}

/// The newest release that is good on every server, and older than the one that is to be left.
fn earlier_release(
    lives: &[(ServerNo, String)],
    goods: &[(ServerNo, String)],
    label: impl Fn(ServerNo) -> String,
) -> Result<String, Error> {
    let left = lives.iter().map(|(_, live)| live.as_str()).max().unwrap_or_default();
    let has = |good: &str, name: &str| good.lines().any(|line| line == name);
    let candidates = goods.first().map(|(_, good)| good.lines().collect::<Vec<_>>()).unwrap_or_default();
    let common = |name: &&str| goods.iter().all(|(_, good)| has(good, name));
    if let Some(target) = candidates.into_iter().filter(|name| *name < left).find(common) {
        return Ok(target.to_owned());
    }
    let each = goods.iter().map(|(server, good)| {
        let older: Vec<_> = good.lines().filter(|name| *name < left).collect();
        format!("{}: {}", label(*server), if older.is_empty() { "none".into() } else { older.join(" ") })
    });
    let each = each.collect::<Vec<_>>().join("\n");
    let error = match left {
        "" => Error::task("nothing is live, so there is nothing to go back from"),
        _ => Error::task(format!("there is nothing to go back to: no good release before {left} is on every server")),
    };
    Err(error
        .detail(format!("good releases before it\n{each}"))
        .hint("deploy an earlier revision instead: cargo xtask deploy STAGE --revision SHA"))
}

/// Sets the shell variable `release` to the release that a rollback would go to, as far as its server can tell before all
/// servers were asked; to nothing where there is none.
pub fn likely_release(cx: &ServerCx<'_>) -> Script {
    script(cx).then(match cx.option("release") {
        Some(wanted) => must_be_a_name(wanted)
            .then(sh!("release={}\nif [ ! -d \"$root/releases/$release\" ]; then release=''; fi", wanted)),
        None => sh!("live_release\nrelease=''\nif [ -n \"$live\" ]; then newest_good \"$live\"; fi"),
    })
}

fn script(cx: &ServerCx<'_>) -> Script {
    Script::new().uses(RELEASES).uses(super::ACCESS).then(sh!("root={}", cx.layout().root()))
}

fn revert_release(cx: &ServerCx<'_>) -> Script {
    let release = cx.fact("release");
    script(cx).then(sh!(
        "release={}\n[ -d \"$root/releases/$release\" ] || deploy_fail \"release $release isn't on this server\"",
        release
    ))
}

/// A step that fails unless `text` can be a release's name; a path isn't.
fn must_be_a_name(text: &str) -> Script {
    match ReleaseName::parse(text) {
        Ok(_) => Script::new(),
        Err(error) => sh!("deploy_fail {}", error.message()),
    }
}

/// The release of this run; called alone, the one that `--release` names, or else the live one, or the newest good one.
fn symlink_release(cx: &ServerCx<'_>) -> Script {
    let named = cx.known("release").or(cx.option("release")).map(Arg::from);
    let release = match named.or(cx.preview.then(|| cx.fact("release"))) {
        Some(release) => cx.option("release").map_or_else(Script::new, must_be_a_name).then(sh!("release={}", release)),
        None => sh!(r#"live_release
release=$live
if [ -z "$release" ]; then newest_good; fi
[ -n "$release" ] || deploy_fail 'there is no release that was ever published' 'say which is to be: --release STAMP'"#),
    };
    let found = sh!(
        r#"[ -d "$root/releases/$release" ] || deploy_fail "release $release isn't on this server" 'say which: --release STAMP'"#
    );
    script(cx)
        .then(release)
        .then(found)
        .then(super::lock::require(cx))
        .then(sh!("need_room {}", super::shared::ROOM_TO_SWITCH))
        .then(begin_switch(cx))
        .then(super::lock::require(cx))
        .then(sh!("switch_to \"$release\""))
        .then(read_back())
}

/// Writes down what the switch is about to do, so that what it did can be told even if the run is killed in it. A new release
/// is on record as one that is being built, which says as much.
fn begin_switch(cx: &ServerCx<'_>) -> Script {
    match (cx.known("new_release"), left_release(cx)) {
        (Some(_), _) => Script::new(),
        (None, Some(left)) => sh!("record {} leaving", left),
        (None, None) => sh!("settle_records"),
    }
}

/// The release that a rollback leaves.
fn left_release<'c>(cx: &'c ServerCx<'_>) -> Option<&'c str> {
    let is_rollback = cx.known("release").is_some() && cx.known("new_release").is_none();
    cx.known("live").filter(|left| is_rollback && !left.is_empty() && cx.known("release") != Some(*left))
}

/// Puts back what was live before this run; where nothing was, nothing is.
fn undo_symlink(cx: &ServerCx<'_>) -> Script {
    let Some(release) = cx.known("release") else {
        return sh!("deploy_skip 'the link is as the task left it'");
    };
    let script = script(cx).then(sh!("release={}\nlive_release", release));
    let skip = sh!("if [ \"$live\" != \"$release\" ]; then deploy_skip 'the link was not switched'; fi");
    match cx.known("live") {
        None => script.then(sh!("deploy_note 'what was live before is not known; the link stays'")),
        Some("") => script
            .then(skip)
            .then(sh!("rm -f -- \"$root/current\"\nsettle_records\ndeploy_note 'nothing is live, as before'")),
        Some(live) => script.then(skip).then(sh!(
            "before={}\nswitch_to \"$before\"\nsettle_records\ndeploy_note \"switched back to $before\"",
            live
        )),
    }
}

/// What the link leads to, whatever this run believes.
fn read_back() -> Script {
    sh!("live_release\ndeploy_fact {} \"$live\"", SWITCHED)
}

fn mark_published(cx: &ServerCx<'_>) -> Script {
    let published = sh!("[ -n \"$live\" ] || deploy_fail 'nothing is live'\nrecord \"$live\" published");
    script(cx).then(read_back()).then(published)
}

/// Keeps the newest `keep_releases`, and the live one. Releases that failed don't count, and go first; those that were
/// rolled back don't count either, and go with the good ones that are older. What nobody wrote anything down about counts
/// as good here, as with Capistrano: such folders may have been put there by hand. What processes run from stays, too.
fn cleanup(cx: &ServerCx<'_>) -> Script {
    let settings = &cx.stage.settings;
    let failed = match settings.failed_releases {
        Fate::Keep => "keep",
        Fate::Archive | Fate::Remove => "remove",
    };
    script(cx).then(sh!(
        r#"for stale in "$root"/current.deploy-*; do
  if [ -L "$stale" ]; then rm -f -- "$stale"; fi
done
if [ -L "$root/releases/current" ]; then rm -f -- "$root/releases/current"; fi
empty_trash
keep={} failed={} kept=0 used=unknown
set --
for each in $(release_classes); do
  case ${each#*/} in
    live) keeps=yes ;;
    rolled_back) if [ "$kept" -ge "$keep" ]; then keeps=no; else continue; fi ;;
    failed | building) if [ "$failed" = remove ]; then keeps=no; else continue; fi ;;
    *) if [ "$kept" -lt "$keep" ]; then keeps=yes; else keeps=no; fi ;;
  esac
  if [ "$keeps" = yes ]; then kept=$((kept + 1)); continue; fi
  [ "$used" != unknown ] || find_used
  is_used "${each%/*}" || set -- "$@" "$root/releases/${each%/*}"
done
[ "$#" -gt 0 ] || deploy_skip 'nothing to remove'
put_away "$@"
case $removed in
  0) ;;
  1) deploy_note "removed 1 release" ;;
  *) deploy_note "removed $removed releases" ;;
esac"#,
        settings.keep_releases,
        failed
    ))
}

fn cleanup_rollback(cx: &ServerCx<'_>) -> Script {
    let left = cx.known("live").filter(|left| !left.is_empty() && cx.known("release") != Some(*left));
    let Some(left) = left else {
        return sh!("deploy_skip 'no release was left'");
    };
    let start = script(cx).then(sh!("left={}", left));
    let archive = sh!(
        "tar -czf \"$root/rolled-back-release-$left.tar.gz.new\" -C \"$root/releases\" -- \"$left\"\nmv -f -- \"$root/rolled-back-release-$left.tar.gz.new\" \"$root/rolled-back-release-$left.tar.gz\""
    );
    let put_away = sh!("find_used\nis_used \"$left\" || put_away \"$root/releases/$left\"");
    match cx.stage.settings.rolled_back_releases {
        Fate::Keep => start.then(sh!("deploy_skip 'the release that was left is kept'")),
        Fate::Archive => start.then(archive).then(put_away),
        Fate::Remove => start.then(put_away),
    }
}

/// Capistrano's words, to the letter.
fn log_revision(cx: &ServerCx<'_>) -> Script {
    let user = one_line(&cx.stage.settings.local_user);
    let (release, log) = (cx.fact("release"), cx.layout().revisions_log());
    if cx.known("release").is_some() && cx.known("new_release").is_none() {
        return sh!("printf '%s rolled back to release %s\\n' {} {} >>{}", user, release, log);
    }
    sh!(
        "printf 'Branch %s (at %s) deployed as release %s by %s\\n' {} {} {} {} >>{}",
        cx.fact("branch"),
        cx.fact("revision"),
        release,
        user,
        log
    )
}

/// A name that can't end the line that it stands in, and begin another.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: &[&str]) -> Vec<(ServerNo, String)> {
        values.iter().map(|value| value.replace(' ', "\n")).enumerate().collect()
    }

    #[test]
    fn a_user_is_one_line_of_the_log_whatever_the_environment_says() {
        assert_eq!(one_line("ada\nBranch main (at 1) deployed"), "ada Branch main (at 1) deployed");
        assert_eq!(one_line("Ada Ö"), "Ada Ö");
    }

    fn label(server: ServerNo) -> String {
        format!("app{server}")
    }

    #[test]
    fn goes_to_the_newest_good_release_before_the_live_one() {
        let target = earlier_release(&facts(&["3"]), &facts(&["4 3 2 1"]), label).unwrap();
        assert_eq!(target, "2");
    }

    #[test]
    fn what_is_live_has_to_be_a_name_that_a_release_can_have() {
        assert!(["", "20261122101500"].into_iter().all(|live| must_be_possible(live, "app1").is_ok()));
        for live in ["99999999999999", "99991231235958", "../shared", "release"] {
            let error = must_be_possible(live, "app1").unwrap_err();
            assert!(error.message().starts_with("app1 has"), "{error}");
        }
    }

    #[test]
    fn goes_to_one_that_every_server_has() {
        let target = earlier_release(&facts(&["4", "4"]), &facts(&["4 3 1", "4 2 1"]), label).unwrap();
        assert_eq!(target, "1");
    }

    #[test]
    fn releases_that_not_all_servers_have_are_named() {
        let note = passed_over("1", &facts(&["4", "4"]), &facts(&["4 3 1", "4 1"]), label);
        assert_eq!(note.as_deref(), Some("all servers go to 1, since 3 isn't good on app1"));
        assert_eq!(passed_over("3", &facts(&["4", "4"]), &facts(&["4 3 1", "4 3"]), label), None);
    }

    #[test]
    fn servers_that_are_behind_meet_the_others() {
        let target = earlier_release(&facts(&["3", "2"]), &facts(&["3 2 1", "2 1"]), label).unwrap();
        assert_eq!(target, "2");
    }

    #[test]
    fn refuses_when_there_is_nothing_to_go_back_to() {
        let error = earlier_release(&facts(&["2", "2"]), &facts(&["2", "2 1"]), label).unwrap_err();
        assert!(error.to_string().contains("app0: none\napp1: 1"), "{error}");
        let error = earlier_release(&facts(&[""]), &facts(&[""]), label).unwrap_err();
        assert!(error.message().contains("nothing is live"));
    }

    #[test]
    fn a_named_release_must_be_whole_everywhere() {
        assert_eq!(named_release("1", &facts(&["good", "rolled_back"]), label).unwrap(), "1");
        let error = named_release("1", &facts(&["", "failed", "good"]), label).unwrap_err();
        assert!(error.message().contains("app0 doesn't have it, on app1 it was never finished"), "{error}");
    }
}
