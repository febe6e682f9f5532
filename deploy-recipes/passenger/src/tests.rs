use deploy_core::testing::{Call, Ran, SHELLS, Site, check_table, refusal};

use super::*;

mod answers;
mod instances;
mod proven;
mod registration;
mod versions;

/// A Passenger of a recent version.
const MODERN: &str = "Phusion Passenger(R) 6.0.17";

/// A restart that works.
const WORKS: &str = "echo Restarting /srv/shop/current";

/// What the recipe waits with; the lock, which runs beside it, really waits.
const SLEEP: &str = "case $1 in 1 | 0.1) exec /bin/sleep \"$1\" ;; esac";

/// A server with `table` and a release. Its `passenger-config` says `version` of itself, and otherwise does what
/// `restart` says.
fn site(table: &str, version: &str, restart: &str) -> Site {
    let site = Site::of::<Passenger>(table);
    has_passenger(&site, version, restart);
    site.program("sleep", SLEEP);
    site.release("20260101000000");
    site
}

fn has_passenger(site: &Site, version: &str, restart: &str) {
    let body = format!("case $1 in --version) echo '{version}' ;; *) {restart}\n;; esac");
    site.program("passenger-config", &body);
}

/// What comes of restarting `/srv/shop`, which is the same in every shell that servers have, by a recent Passenger that
/// does what `does` says.
fn restart(table: &str, does: &str) -> Ran {
    let [first, others @ ..] = SHELLS.map(|shell| on(&modern(table, does).shell(shell)));
    others.iter().for_each(|other| assert_eq!(told(other), told(&first)));
    first
}

/// A server whose recent Passenger has `/srv/shop`.
fn modern(table: &str, does: &str) -> Site {
    site(&format!("app_path = '/srv/shop'\n{table}"), MODERN, does)
}

fn on(site: &Site) -> Ran {
    site.run("passenger:restart")
}

/// What the programs were told that the recipe calls.
fn told(run: &Ran) -> Vec<String> {
    let others = |call: &&Call| call.program() != "sleep" || !matches!(call.args()[0].as_str(), "1" | "0.1");
    run.calls().iter().filter(others).map(Call::to_string).collect()
}

/// Fails the test unless the user reads each of these when `run` fails.
#[track_caller]
fn fails_with(run: &Ran, texts: &[&str]) {
    let failure = run.failure();
    texts.iter().for_each(|text| assert!(failure.contains(text), "no {text:?} in {failure}"));
}

#[test]
fn the_scripts_pass_shellcheck() {
    let all = "health_url = '/up'\nsudo = true\nenv = { A = 'b' }\nflags = ['-x']\ninstances = ['a b', 'c']";
    for table in [all, "", "method = 'touch'", "method = 'config'\ncommand = '/opt/my passenger/bin/passenger-config'"]
    {
        let site = site(table, MODERN, WORKS);
        site.shellcheck("passenger:restart");
        site.shellcheck("passenger:check");
    }
}

#[test]
fn a_touch_follows_no_symlink_out_of_the_release() {
    let site = Site::of::<Passenger>("method = \"touch\"");
    site.release("20261122101500");
    site.write("app1", "elsewhere/restart.txt", "theirs");
    std::os::unix::fs::symlink("../../elsewhere", site.path("app1", "releases/20261122101500/tmp")).unwrap();
    assert!(site.run("passenger:restart").failure().contains("is a symlink"));
    assert_eq!(site.read("app1", "elsewhere/restart.txt").as_deref(), Some("theirs"));
}

#[test]
fn a_folder_that_all_releases_share_is_touched_where_it_is() {
    for shell in SHELLS {
        let top = "linked_dirs = ['tmp']\n[recipes.passenger]\nmethod = 'touch'";
        let site = Site::new(Xtask::new().recipe::<Passenger>(), top).shell(shell);
        site.file("index.html", "");
        site.run("deploy").succeeded();
        assert!(site.read("app1", "shared/tmp/restart.txt").is_some(), "{shell}");
    }
}
