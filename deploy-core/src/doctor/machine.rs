//! The server itself: its clock, its shell, and the programs on it.

use super::by_hand::{ByHand, word};
use super::facts::Facts;
use super::finding::{Finding, Severity};
use super::visit::{Clock, Visit};

/// By how much a clock may be wrong, in milliseconds: nobody would notice.
const SKEW: i64 = 2_000;

/// From here on, certificates and signatures of a moment ago are refused. In milliseconds.
const GREAT_SKEW: i64 = 5 * 60_000;

/// The oldest git, as major and minor version, that understands what scripts say: `update-ref --stdin` is new in 1.8.5.
const OLDEST_GIT: (u32, u32) = (1, 9);

/// What can be said of every server.
pub(super) fn findings(visit: &Visit, by_hand: ByHand<'_>) -> Vec<Finding> {
    let facts = &visit.facts;
    let mut findings: Vec<Finding> = visit.clock.map(|clock| judge_clock(clock, by_hand)).into_iter().collect();
    if facts.knows("user") {
        findings.push(shell(facts));
    }
    findings.extend(strays(&visit.strays, by_hand));
    findings.extend(path(facts));
    findings.extend(tools(facts, by_hand));
    findings.extend(tmp_dir(facts, by_hand));
    findings
}

/// The server read its clock at some time between our question and its answer, and cut off what was less than a second:
/// the difference lies between two numbers. The one nearer to zero is certain.
fn judge_clock(clock: Clock, by_hand: ByHand<'_>) -> Finding {
    let (least, most) = (clock.server - clock.answered, clock.server + 999 - clock.asked);
    let certain = least.max(0) + most.min(0);
    let seconds = |milliseconds: i64| milliseconds.abs() as f64 / 1000.0;
    if certain.abs() <= SKEW {
        let bound = seconds(least).max(seconds(most));
        return Finding::ok("clock", format!("the same as here, to {bound:.1} s"));
    }
    let which = if certain > 0 { "ahead of" } else { "behind" };
    let value = format!("{:.0} s {which} this machine's", seconds(certain));
    let finding = Finding::warning("clock", value, by_hand.on_server("sudo timedatectl set-ntp true"))
        .or("or here, if this machine's is the wrong one: sudo timedatectl set-ntp true");
    match certain.abs() {
        GREAT_SKEW.. => Finding { severity: Severity::Problem, ..finding },
        _ => finding,
    }
}

fn shell(facts: &Facts) -> Finding {
    let user = facts.get("user").unwrap_or("?");
    let login = facts.get("login_shell").unwrap_or("unknown");
    let sh = facts.get("sh").unwrap_or("unknown");
    Finding::ok("shell", format!("{login} of user `{user}`; `sh` is {sh}"))
}

/// Text that nobody asked for breaks what other programs say over SSH.
fn strays(strays: &[String], by_hand: ByHand<'_>) -> Option<Finding> {
    (!strays.is_empty()).then(|| {
        Finding::warning(
            "startup_files",
            format!("the login shell prints text although no terminal is there:\n{}", strays.join("\n")),
            by_hand.on_server("grep -nE 'echo|printf' ~/.*rc ~/.*profile ~/.*env"),
        )
        .or("let it print on terminals only: [ -t 1 ] && echo …")
    })
}

/// What a person who logs in has on the PATH, and tasks have not.
fn path(facts: &Facts) -> Option<Finding> {
    let path = facts.get("path")?;
    let (system, own): (Vec<&str>, Vec<&str>) =
        facts.lines("path_lacks").into_iter().partition(|folder| is_system_folder(folder));
    if own.is_empty() {
        let also =
            if system.is_empty() { String::new() } else { format!(" (a login shell also has {})", system.join(":")) };
        return Some(Finding::ok("path", format!("{path}{also}")));
    }
    let own = own.join(":");
    Some(Finding::warning(
        "path",
        format!("{path}\ntasks don't have what a login shell has: {own}"),
        format!("write in deploy.toml, if tasks need it: default_env = {{ PATH = \"{own}:$PATH\" }}"),
    ))
}

/// Folders of programs that a deployment has no use for, or that another name leads to.
fn is_system_folder(folder: &str) -> bool {
    folder == "/bin" || folder == "/snap/bin" || folder.ends_with("/sbin") || folder.ends_with("/games")
}

fn tools(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    if !facts.knows("tools_missing") {
        return None;
    }
    let mut missing = facts.lines("tools_missing");
    missing.extend(facts.get("no_rename").map(|_| "mv -T"));
    let Some(first) = missing.first() else {
        return Some(Finding::ok("tools", "all that scripts call is there"));
    };
    // Without `timeout` only a controller that vanishes without a trace is noticed late.
    let bearable = missing.iter().all(|tool| tool.starts_with("timeout"));
    let value = format!("missing: {}", missing.join(", "));
    let package = if first.starts_with("awk") { "gawk coreutils" } else { "coreutils grep sed tar" };
    let mend = by_hand.install(facts, package);
    Some(if bearable { Finding::warning("tools", value, mend) } else { Finding::problem("tools", value, mend) })
}

fn tmp_dir(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let folder = &by_hand.stage.settings.tmp_dir;
    let other = "or name another folder in deploy.toml: tmp_dir = \"/var/tmp\"";
    let make = format!("sudo install -d -m 1777 {}", word(folder));
    let remount = format!("sudo mount -o remount,exec {}", word(folder));
    let make = by_hand.on_server(&make);
    Some(match facts.get("tmp")? {
        "fine" => Finding::ok("tmp_dir", folder),
        "noexec" => Finding::warning(
            "tmp_dir",
            format!("{folder}: programs in it can't be run (noexec)"),
            by_hand.on_server(&remount),
        )
        .or(other),
        "full" => {
            Finding::problem("tmp_dir", format!("{folder}: nothing can be written"), by_hand.on_server("df -h; df -i"))
        }
        "missing" => Finding::problem("tmp_dir", format!("{folder} doesn't exist"), make).or(other),
        _ => Finding::problem("tmp_dir", format!("{folder} can't be written to"), make).or(other),
    })
}

/// Whether the server's git understands what we say.
pub(super) fn git(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    if !facts.knows("git") {
        return None;
    }
    let install = by_hand.install(facts, "git");
    Some(match facts.get("git") {
        None => Finding::problem("git", "there is no git on this server", install),
        Some(version) => judge_git(version, OLDEST_GIT, install),
    })
}

/// Judges what `git --version` says, where `oldest` is the oldest major and minor version that will do.
pub(super) fn judge_git(said: &str, oldest: (u32, u32), install: String) -> Finding {
    let version = said.trim_start_matches("git version ");
    let (major, minor) = oldest;
    let mut numbers = version.split('.').map(|number| number.parse::<u32>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(own)), Some(Ok(own_minor))) if (own, own_minor) < oldest => {
            Finding::problem("git", format!("{version} is too old: {major}.{minor} or newer is needed"), install)
        }
        _ => Finding::ok("git", version),
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
