//! What a server is asked: one script, made of `probe.sh`.

use crate::config::{Config, GitStrategy, Server, Stage, TransportKind};
use crate::flow;
use crate::layout::Layout;
use crate::repository::Repository;
use crate::script::{Arg, Cmd, Script, TaskScript};
use crate::sh;

const PROBES: &str = include_str!("probe.sh");

/// The script that finds out about `server`.
///
/// `repository` is what the server is to read the repository by, if it has to.
pub(super) fn script(stage: &Stage, server: &Server, repository: Option<&str>) -> TaskScript {
    let script = Script::new()
        .uses(PROBES)
        .then(sh!("probe_clock"))
        .then(sh!("probe_shell {} || :", login_flags(stage)))
        .then(sh!("probe_agent || :"))
        .then(sh!("deploy_fact tools_missing \"$(probe_tools)\""))
        .then(sh!("deploy_fact packages \"$(probe_packages)\""))
        .then(sh!("probe_tmp {} || :", &stage.settings.tmp_dir));
    let script = if server.no_release { script } else { script.then(deployment(stage, server, repository)) };
    TaskScript { script, ..TaskScript::default() }
}

/// What users see when they log in: a shell that is a login shell and interactive. On this machine an interactive one would
/// fight with us for the terminal.
fn login_flags(stage: &Stage) -> &'static str {
    match stage.transport {
        TransportKind::Ssh => "-lic",
        TransportKind::Local => "-lc",
    }
}

fn deployment(stage: &Stage, server: &Server, repository: Option<&str>) -> Script {
    let layout = Layout::new(&server.deploy_to);
    let linked = stage.settings.linked_files.iter().map(|file| format!("{}/{file}", layout.shared()));
    let script = Script::new()
        .uses(flow::RELEASES)
        .uses(flow::ACCESS)
        .uses(flow::git::GIT)
        .then(sh!("root={}\nin_mirror {}", layout.root(), layout.repo()))
        .then(sh!("deploy_fact git \"$(git --version 2>/dev/null)\""))
        .then(sh!("probe_place || :\nprobe_current || :"))
        .run(Cmd::new("set").arg("--").args(linked).unprefixed())
        .then(sh!("deploy_fact linked \"$(probe_linked \"$@\")\""))
        .then(sh!("probe_lock || :\nprobe_mirror || :"));
    match repository {
        Some(url) => script.then(sh!("probe_repository {} || :", Arg::from(url))),
        None => script,
    }
}

/// What servers with releases are to read the repository by; nothing where they have no need to, or must not be told.
pub(super) fn repository_of<'s>(config: &Config, stage: &'s Stage) -> Option<&'s str> {
    let url = &stage.settings.repo_url;
    let fetches = stage.settings.git.strategy == GitStrategy::Fetch && stage.transport == TransportKind::Ssh;
    let may = || Repository::new(url, &config.root, &config.work_dir).must_be_for_servers(false).is_ok();
    (fetches && may()).then_some(url)
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
