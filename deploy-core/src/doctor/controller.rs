//! The controller's side: its programs, its agent, and the repository as it sees it.

use super::by_hand::word;
use super::finding::{Finding, Severity, count};
use super::machine::judge_git;
use crate::config::{Config, GitStrategy, Stage, TransportKind};
use crate::error::{Error, ErrorKind};
use crate::repository::{Repository, git_version};
use crate::task::names::beginning;
use crate::transport::ssh::{AgentRecord, client_version};

/// How git is installed here.
const INSTALL_GIT: &str = if cfg!(target_os = "macos") { "xcode-select --install" } else { "sudo apt-get install git" };

/// The oldest git, as major and minor version, that understands what is asked of it here: `rev-parse --end-of-options`.
const OLDEST_GIT: (u32, u32) = (2, 30);

/// What needs nothing of the servers.
pub(super) fn findings(config: &Config, stage: &Stage) -> Vec<Finding> {
    let mut findings = vec![match git_version(&config.root) {
        Ok(said) => judge_git(&said, OLDEST_GIT, INSTALL_GIT.to_owned()),
        Err(error) => Finding::problem("git", error.message(), INSTALL_GIT),
    }];
    if stage.transport == TransportKind::Ssh {
        findings.push(match client_version() {
            Some(version) => Finding::ok("ssh", version),
            None => Finding::warning(
                "ssh",
                "there is no `ssh` here: ~/.ssh/config is read without it, and not all of it is understood",
                "sudo apt-get install openssh-client",
            ),
        });
    }
    if stage.servers.iter().any(|server| !server.no_release) {
        findings.push(repository(config, stage));
    }
    findings
}

/// What logins said about the agents that they asked, each agent once.
pub(super) fn agents(agents: Vec<AgentRecord>) -> Vec<Finding> {
    let mut seen: Vec<AgentRecord> = Vec::new();
    for agent in agents {
        if !seen.contains(&agent) {
            seen.push(agent);
        }
    }
    seen.iter().map(agent).collect()
}

fn agent(agent: &AgentRecord) -> Finding {
    let socket = agent.socket.display();
    match &agent.keys {
        Ok(0) => Finding::warning("agent", format!("{socket} holds no key"), "ssh-add"),
        Ok(keys) => Finding::ok("agent", format!("{socket} holds {}", count(*keys, "key"))),
        Err(reason) => Finding::warning("agent", format!("{socket}: {reason}"), "eval \"$(ssh-agent -s)\" && ssh-add"),
    }
}

fn repository(config: &Config, stage: &Stage) -> Finding {
    let settings = &stage.settings;
    let repository = Repository::new(&settings.repo_url, &config.root, &config.work_dir);
    let fetches = settings.git.strategy == GitStrategy::Fetch;
    if fetches && let Err(error) = repository.must_be_for_servers(stage.transport == TransportKind::Local) {
        return unreadable(&error, &repository);
    }
    match repository.resolve(&settings.branch) {
        Ok(resolved) => {
            let sha = beginning(&resolved.sha, 10);
            let note = resolved.note.map(|note| format!("; {note}")).unwrap_or_default();
            Finding::ok("repository", format!("{}: `{}` is {sha}{note}", repository.address(), settings.branch))
        }
        // Where servers fetch by themselves, the first of them finds out what the branch is.
        Err(error) if fetches && error.kind() == ErrorKind::Connection => {
            Finding { severity: Severity::Warning, ..unreadable(&error, &repository) }
        }
        Err(error) => unreadable(&error, &repository),
    }
}

fn unreadable(error: &Error, repository: &Repository) -> Finding {
    let value: Vec<String> = std::iter::once(error.message().to_owned()).chain(error.causes()).collect();
    let finding =
        Finding::problem("repository", value.join("\n"), format!("git ls-remote {}", word(repository.address())));
    error.hint_texts().iter().fold(finding, |finding, hint| finding.or(hint))
}
