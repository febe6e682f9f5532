//! The folder of the deployment, and what stands in it.

use super::by_hand::{ByHand, word};
use super::facts::Facts;
use super::finding::Finding;

/// How much has to be free for a release, in kilobytes: less is a problem, or worth a warning.
const SPACE: [u64; 2] = [100 * 1024, 1024 * 1024];

/// How many files can be made: less is a problem, or worth a warning.
const INODES: [u64; 2] = [1_000, 20_000];

/// How long a lock is believed without a beat, in seconds.
const LEASE: i64 = crate::flow::lock::LEASE_SECONDS as i64;

/// What can be said of a server that gets releases.
pub(super) fn findings(facts: &Facts, by_hand: ByHand<'_>) -> Vec<Finding> {
    let own = [
        deploy_to(facts, by_hand),
        unusable(facts, by_hand),
        space(facts, by_hand),
        inodes(facts, by_hand),
        current(facts, by_hand),
        lock(facts, by_hand),
        mirror(facts, by_hand),
        repository(facts, by_hand),
    ];
    own.into_iter().flatten().chain(linked_files(facts, by_hand)).collect()
}

fn deploy_to(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let (root, place) = (by_hand.server.deploy_to.as_str(), facts.get("place")?);
    let owner = facts.get("place_owner").unwrap_or("owner unknown");
    let user = facts.get("user").unwrap_or("$USER");
    let take = format!("sudo mkdir -p {0} && sudo chown {user} {0}", word(root));
    let take = by_hand.on_server(&take);
    let what = "deploy_to";
    Some(match (facts.get("place_use"), place == root) {
        (Some("writable"), true) => Finding::ok(what, format!("{root} ({owner})")),
        (Some("writable"), false) => {
            Finding::ok(what, format!("{root} isn't there yet, and can be made in {place} ({owner})"))
        }
        (Some("file"), _) => Finding::problem(
            what,
            format!("{place} is no folder"),
            by_hand.on_server(&format!("sudo mv {0} {0}.old", word(place))),
        ),
        (Some("full"), _) => Finding::problem(
            what,
            format!("nothing can be written to {root}"),
            by_hand.on_server("df -h; df -i; quota"),
        ),
        (_, true) => {
            let value = format!("{root} can't be written to by `{user}` ({owner})");
            // What is another person's isn't taken away from them.
            let finding = match owner.split_whitespace().nth(1) {
                None | Some("root" | "unknown") => Finding::problem(what, value, take),
                Some(own) if own == user => {
                    Finding::problem(what, value, by_hand.on_server(&format!("chmod u+rwx {}", word(root))))
                }
                Some(_) => share(Finding::problem(what, value, ""), facts, by_hand),
            };
            finding.or("if its file system is mounted read-only, see `mount` and `dmesg` on the server")
        }
        (_, false) => {
            Finding::problem(what, format!("{root} isn't there, and `{user}` can't make it in {place} ({owner})"), take)
        }
    })
}

fn unusable(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let folders = facts.get("unusable").filter(|_| facts.get("place_use") == Some("writable"))?;
    let user = facts.get("user").unwrap_or("$USER");
    let value = format!("`{user}` can't write to {}", folders.replace('\n', ", "));
    Some(share(Finding::problem("folders", value, ""), facts, by_hand))
}

/// `finding`, with what lets us write to a deployment that is others' too: nobody is shut out by it.
fn share(finding: Finding, facts: &Facts, by_hand: ByHand<'_>) -> Finding {
    let (user, root) = (facts.get("user").unwrap_or("$USER"), word(&by_hand.server.deploy_to));
    let group = shared_by(facts).unwrap_or("GROUP");
    let share = format!(
        "sudo chgrp -R {group} {root} && sudo chmod -R g+rwX {root} && sudo find {root} -type d -exec chmod g+s {{}} +"
    );
    let is_member = facts.get("groups").is_some_and(|groups| groups.split_whitespace().any(|own| own == group));
    let join = (!is_member).then(|| by_hand.on_server(&format!("sudo usermod -aG {group} {user}")));
    let umask = "set umask = \"0002\" in deploy.toml, so that what one user makes can be changed by the group";
    Finding { mend: join.into_iter().chain([by_hand.on_server(&share), umask.to_owned()]).collect(), ..finding }
}

/// The group that shares the deployment, where one does, and its name is one. A command for the operator's own shell has no
/// other word of a server.
fn shared_by(facts: &Facts) -> Option<&str> {
    let is_name = |group: &&str| group.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    facts.get("group")?.split_whitespace().nth(2).filter(is_name).filter(|group| !group.starts_with('-'))
}

/// What is left, from the last line that `df -P` writes: the number before the one with a percent sign.
fn left(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let percent = words.iter().position(|word| word.ends_with('%') && word.len() > 1)?;
    words.get(percent.checked_sub(1)?)?.parse().ok()
}

fn space(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let free = left(facts.get("space")?)?;
    let gigabytes = free as f64 / f64::from(1 << 20);
    scarce("space", free, SPACE, format!("{gigabytes:.1} GiB free"), by_hand)
}

fn inodes(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let free = left(facts.get("inodes")?)?;
    scarce("inodes", free, INODES, format!("{free} free"), by_hand)
}

fn scarce(
    what: &'static str,
    free: u64,
    [least, little]: [u64; 2],
    value: String,
    by_hand: ByHand<'_>,
) -> Option<Finding> {
    let clean_up = by_hand.xtask("deploy cleanup");
    let look = by_hand.on_server(&format!("du -x -d 2 {} | sort -n", word(&by_hand.server.deploy_to)));
    Some(match free {
        _ if free < least => Finding::problem(what, value, clean_up).or(look),
        _ if free < little => Finding::warning(what, value, clean_up).or(look),
        _ => Finding::ok(what, value),
    })
}

fn current(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let path = format!("{}/current", by_hand.server.deploy_to);
    let live = facts.get("live").unwrap_or("nothing");
    Some(match facts.get("current")? {
        "none" => Finding::ok("current", "nothing is live yet"),
        "link" => Finding::ok("current", format!("{live} is live")),
        "dangling" => Finding::problem(
            "current",
            format!("{path} points to `{live}`, which isn't there"),
            by_hand.xtask("deploy"),
        ),
        _ => Finding::problem(
            "current",
            format!("{path} is no link to a release"),
            by_hand.on_server(&format!("mv {0} {0}.old", word(&path))),
        ),
    })
}

fn linked_files(facts: &Facts, by_hand: ByHand<'_>) -> Vec<Finding> {
    let files = &by_hand.stage.settings.linked_files;
    if !facts.knows("linked") || files.is_empty() {
        return Vec::new();
    }
    let findings: Vec<_> = facts.lines("linked").iter().filter_map(|line| linked_file(line, by_hand)).collect();
    if findings.is_empty() { vec![Finding::ok("linked_files", files.join(", "))] } else { findings }
}

/// What is wrong with a linked file, by a line of `probe_linked`.
fn linked_file(line: &str, by_hand: ByHand<'_>) -> Option<Finding> {
    let mut words = line.splitn(3, ' ');
    let (wrong, folder, path) = (words.next()?, words.next()?, words.next()?);
    // A command for the operator's own shell is made of our own words only, never of a server's.
    let own = |file: &&String| path == format!("{}/shared/{file}", by_hand.server.deploy_to);
    let file = by_hand.stage.settings.linked_files.iter().find(own)?;
    let what = "linked_files";
    Some(match wrong {
        "folder" => Finding::problem(
            what,
            format!("{path} is a folder"),
            format!("{} && {}", by_hand.on_server(&format!("mv {0} {0}.old", word(path))), by_hand.upload(file, false)),
        ),
        "unreadable" => Finding::warning(
            what,
            format!("{path} can't be read by the user who deploys"),
            by_hand.on_server(&format!("sudo chmod u+r {0}; ls -l {0}", word(path))),
        ),
        _ => Finding::problem(what, format!("{path} doesn't exist"), by_hand.upload(file, folder == "missing")),
    })
}

fn lock(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    if !facts.knows("current") {
        return None;
    }
    let Some(age) = facts.number("lock_age") else { return Some(Finding::ok("lock", "free")) };
    let holder = facts.get("lock").unwrap_or("somebody who left no name");
    let unlock = by_hand.xtask("deploy unlock");
    Some(match age {
        LEASE.. => Finding::warning("lock", format!("left behind by {holder}: the next run takes it over"), unlock),
        _ => Finding::warning("lock", format!("held by {holder}"), by_hand.xtask("deploy --lock-wait 10m"))
            .or(format!("only if that run is gone: {unlock} --force")),
    })
}

fn mirror(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let repo = format!("{}/repo", by_hand.server.deploy_to);
    let state = facts.get("mirror")?;
    let anew = by_hand.on_server(&format!("mv {0} {0}.old", word(&repo)));
    Some(match state {
        "none" => Finding::ok("mirror", "not there yet: the first deploy makes it"),
        "fine" => match facts.get("mirror_tip") {
            Some(tip) => Finding::ok("mirror", format!("{repo}, at {tip}")),
            None => Finding::ok("mirror", repo),
        },
        "suspect" => Finding::warning(
            "mirror",
            format!("{repo}: a release couldn't be made from it; the next deploy looks at all that is in it"),
            by_hand.xtask("deploy"),
        ),
        _ => Finding::warning("mirror", format!("{repo} is damaged: the next deploy makes a new one"), anew),
    })
}

/// Whether a server that fetches by itself may read the repository.
fn repository(facts: &Facts, by_hand: ByHand<'_>) -> Option<Finding> {
    let said = facts.get("repository_said").unwrap_or("no answer in time");
    Some(match facts.number("repository_status")? {
        0 => Finding::ok("repository", "this server can read it"),
        _ => Finding::problem(
            "repository",
            format!("this server can't read it: {said}"),
            by_hand.on_server(&format!("git ls-remote {} HEAD", word(&by_hand.stage.settings.repo_url))),
        )
        .or("give the server a deploy key, set ssh.forward_agent = true, or git.strategy = \"push\""),
    })
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
