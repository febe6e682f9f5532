//! Plain `ssh`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use e2e::{Project, Server};

use super::{Step, Tool};
use crate::fleet::{Fleet, KEEP_RELEASES, LINKED_DIRS, LINKED_FILES};

/// A script that starts one `ssh` for each server, and waits for all of them.
pub(crate) fn command(fleet: &Fleet, step: Step) -> Command {
    fleet.project.write_config();
    let own = fleet.project.sandbox.join("ssh.sh");
    fs::write(&own, script(fleet, step)).expect("a file can be written");
    let mut sh = fleet.project.sandbox.command("sh");
    sh.arg(own);
    sh
}

fn script(fleet: &Fleet, step: Step) -> String {
    let mut text = format!("program={}\npids=\n", quote(&program(fleet, step)));
    for server in &fleet.project.servers {
        let _ =
            writeln!(text, "{} \"$program\" </dev/null &\npids=\"$pids $!\"", client(&fleet.project, server).join(" "));
    }
    text + "for pid in $pids; do wait \"$pid\" || exit 1; done\n"
}

/// Chosen so that logging in takes as few round trips and as little work as it can.
pub(crate) fn client(project: &Project, server: &Server) -> Vec<String> {
    let options = [
        "BatchMode=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        "PreferredAuthentications=publickey".to_owned(),
        "KexAlgorithms=curve25519-sha256".to_owned(),
        "HostKeyAlgorithms=ssh-ed25519".to_owned(),
        format!("UserKnownHostsFile={}", project.known_hosts().display()),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
    ];
    let mut words: Vec<String> = ["ssh", "-F", "none", "-T"].map(str::to_owned).into();
    words.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), quote(&option)]));
    words.extend(["-i".to_owned(), quote(&project.key().path().display().to_string())]);
    words.extend(["-p".to_owned(), server.port.to_string(), "-l".to_owned(), server.sshd.user()]);
    words.push(server.sshd.address().to_owned());
    words
}

/// What a server is told to do, settings first.
fn program(fleet: &Fleet, step: Step) -> String {
    let settings = format!(
        "deploy_to=$HOME/{}\nrepo_url={}\nstamp={}\nkeep={KEEP_RELEASES}\nlinked_dirs={}\nlinked_files={}\n",
        Tool::Ssh.name(),
        quote(&fleet.project.repo.path().display().to_string()),
        stamp(),
        quote(&LINKED_DIRS.join(" ")),
        quote(&LINKED_FILES.join(" ")),
    );
    settings + if step == Step::Rollback { include_str!("rollback.sh") } else { include_str!("deploy.sh") }
}

/// A new release's name: the time, or one second more than the one before.
fn stamp() -> String {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = jiff::Timestamp::now().as_second();
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1)));
    let second = now.max(last.unwrap_or_default() + 1);
    jiff::Timestamp::from_second(second).expect("a second of our time").strftime("%Y%m%d%H%M%S").to_string()
}

/// `text` as one word of a shell.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
