//! How the login went, and whether the agent arrives on the other side.

use super::by_hand::{ByHand, word};
use super::facts::Facts;
use super::finding::{Finding, count};
use crate::config::SshConfigFile;
use crate::error::Error;
use crate::transport::ssh::{Attempt, AttemptOutcome, Login};

/// How many refused keys are too many: a server hangs up at the sixth.
const MANY_REFUSALS: usize = 3;

/// What findings about forwarding are called.
const WHAT: &str = "agent_forwarding";

/// Gives the agent keys to hold.
const START_AGENT: &str = "eval \"$(ssh-agent -s)\" && ssh-add";

/// What the story of a login says, from the first step to the last.
pub(super) fn findings(login: &Login, failure: Option<&Error>, by_hand: ByHand<'_>) -> Vec<Finding> {
    let mut findings = vec![match failure {
        None => logged_in(login),
        Some(error) => failed(error, by_hand),
    }];
    findings.extend(configuration(login, by_hand));
    if !login.jumps.is_empty() {
        findings.push(Finding::ok("jump", jumps(login)));
    }
    findings.extend(host_key(login, by_hand));
    if failure.is_none() {
        findings.push(keys(login));
    }
    findings.extend(login.exposed.iter().map(|file| {
        let chmod = format!("chmod 600 {}", word(&file.display().to_string()));
        Finding::warning("key_file", format!("others may read the private key `{}`", file.display()), chmod)
    }));
    if !login.banner.is_empty() {
        findings.push(Finding::ok("ciphers", format!("{}, {}", login.algorithms, login.banner)));
    }
    findings
}

fn logged_in(login: &Login) -> Finding {
    let (elapsed, round_trip) = (login.elapsed.as_millis(), login.round_trip.as_secs_f64() * 1000.0);
    let Login { user, host, port, connections, .. } = login;
    let again = if *connections > 1 { format!(", at the {connections}. attempt to connect") } else { String::new() };
    Finding::ok("login", format!("{user}@{host} port {port} in {elapsed} ms, round trip {round_trip:.1} ms{again}"))
}

/// A server that could not be logged in to. The last way out is OpenSSH's own account.
fn failed(error: &Error, by_hand: ByHand<'_>) -> Finding {
    let lines = std::iter::once(error.message().to_owned()).chain(error.detail_text().map(str::to_owned));
    let value: Vec<String> = lines.chain(error.causes()).collect();
    let (mut mend, loudly) = (error.hint_texts().to_vec(), by_hand.log_in_loudly());
    if !mend.iter().any(|hint| hint.contains(&loudly)) {
        mend.push(loudly);
    }
    Finding { mend, ..Finding::problem("login", value.join("\n"), "") }
}

/// Where the settings came from, and what of them could not be understood.
fn configuration(login: &Login, by_hand: ByHand<'_>) -> Option<Finding> {
    if login.config.is_empty() {
        return None;
    }
    let files = match &by_hand.stage.settings.ssh.config_file {
        SshConfigFile::Default => "SSH's own files".to_owned(),
        SshConfigFile::None => "no file".to_owned(),
        SshConfigFile::File(file) => file.display().to_string(),
    };
    let source = format!("{files} ({})", login.config);
    Some(if login.warnings.is_empty() {
        Finding::ok("configuration", source)
    } else {
        let value = [&[source], &login.warnings[..]].concat().join("\n");
        let file = match &by_hand.stage.settings.ssh.config_file {
            SshConfigFile::File(file) => format!("-F {} ", word(&file.display().to_string())),
            _ => String::new(),
        };
        Finding::warning("configuration", value, format!("ssh -G {file}{}", word(&by_hand.server.host)))
    })
}

/// The road, the nearest jump host first.
fn jumps(login: &Login) -> String {
    let mut hops = Vec::new();
    let mut next = login.jumps.first();
    while let Some(jump) = next {
        hops.push(format!("{}@{} port {}", jump.user, jump.host, jump.port));
        next = jump.jumps.first();
    }
    hops.reverse();
    format!("through {}", hops.join(", then "))
}

fn host_key(login: &Login, by_hand: ByHand<'_>) -> Option<Finding> {
    let key = login.host_key.as_ref()?;
    Some(match key.known_from {
        Some(_) => Finding::ok("host_key", key.to_string()),
        None => Finding::warning(
            "host_key",
            format!("{key}; it was taken on trust"),
            by_hand.on_server("for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf \"$key\"; done"),
        ),
    })
}

fn keys(login: &Login) -> Finding {
    let story: Vec<String> = login.attempts.iter().map(ToString::to_string).collect();
    let offered = format!("the server offers {}", login.offered.join(", "));
    let value = match (story.is_empty(), login.offered.is_empty()) {
        (true, true) => "the server wants none".to_owned(),
        // Where the first key did, nobody asked what else the server offers.
        (false, true) => story.join("; "),
        (true, false) => offered,
        (false, false) => format!("{}; {offered}", story.join("; ")),
    };
    let refused = |attempt: &&Attempt| attempt.outcome == AttemptOutcome::Refused;
    match login.attempts.iter().filter(refused).count() {
        MANY_REFUSALS.. => Finding::warning(
            "keys",
            format!("{value}\na server hangs up after too many refused keys"),
            "name the right one in deploy.toml: [ssh] identity_files = [\"~/.ssh/KEY\"], identities_only = true",
        ),
        _ => Finding::ok("keys", value),
    }
}

/// Whether commands on the server reach the operator's agent. `granted` is what the server said to the request, if there was
/// one.
pub(super) fn forwarding(wanted: bool, granted: Option<bool>, facts: &Facts, by_hand: ByHand<'_>) -> Finding {
    match granted {
        None if wanted => Finding::problem(WHAT, "asked for, but there is no agent here to forward", START_AGENT),
        None => Finding::ok(WHAT, "off"),
        Some(false) => Finding::problem(
            WHAT,
            "the server refuses it",
            by_hand.on_server(
                "sudo sshd -T | grep -i allowagentforwarding; grep -nE 'restrict|no-agent' ~/.ssh/authorized_keys",
            ),
        )
        .or("write `AllowAgentForwarding yes` in the server's sshd_config, or take forward_agent out of deploy.toml"),
        Some(true) if facts.get("agent_socket").is_none() => Finding::problem(
            WHAT,
            "granted, but the variable SSH_AUTH_SOCK is not set there",
            by_hand.on_server("grep -n SSH_AUTH_SOCK ~/.*rc ~/.*profile"),
        ),
        Some(true) => proven(facts, by_hand),
    }
}

/// What `ssh-add -l` said on the server.
fn proven(facts: &Facts, by_hand: ByHand<'_>) -> Finding {
    let said = facts.get("agent_said").unwrap_or_default();
    match facts.number("agent_status") {
        Some(0) => Finding::ok(WHAT, format!("works: the server sees {}", count(said.lines().count(), "key"))),
        // It ends so for other reasons, too.
        Some(1) if said.contains("no identities") => {
            Finding::warning(WHAT, "works, but the agent here holds no key", "ssh-add")
        }
        Some(126 | 127) => Finding::warning(
            WHAT,
            "granted, and not proven: there is no `ssh-add` on the server",
            by_hand.install(facts, "openssh-client"),
        ),
        _ => Finding::problem(WHAT, format!("granted, but the agent doesn't answer there: {said}"), "ssh-add -l")
            .or(by_hand.log_in_loudly()),
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
