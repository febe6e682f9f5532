//! What is live where: told after a failure, and compared before a run says that it has switched.

use std::collections::BTreeMap;

use super::SYMLINK_RELEASE;
use super::publish::SWITCHED;
use crate::config::Stage;
use crate::error::{Error, Result};
use crate::event::ServerNo;
use crate::plan::Plan;
use crate::task::Facts;

/// Servers by what is live on them; under `None` those of which that isn't known.
type Live<'f> = BTreeMap<Option<&'f str>, Vec<String>>;

/// Which release is live where, after a flow has failed; nothing if the failure path didn't get to look anywhere.
pub(crate) fn live_now(stage: &Stage, facts: &Facts) -> Option<String> {
    let mut live = Live::new();
    for (number, server) in stage.servers.iter().enumerate() {
        let Some(facts) = facts.servers.get(&number) else { continue };
        // A server that was there at first and can't be asked now was lost.
        if facts.contains_key("live_now") || facts.contains_key("live") {
            live.entry(facts.get("live_now").map(String::as_str)).or_default().push(server.label());
        }
    }
    let is_known = live.keys().any(Option::is_some);
    is_known.then(|| describe(&live))
}

fn describe(live: &Live<'_>) -> String {
    let line = |(release, servers): (&Option<&str>, &Vec<String>)| match *release {
        None => format!("  what is live is not known of {}", servers.join(", ")),
        Some("") => format!("  nothing is live on {}", servers.join(", ")),
        Some(release) => format!("  release {release} is live on {}", servers.join(", ")),
    };
    live.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The servers that `plan` switches.
pub(crate) fn switched(plan: &Plan) -> &[ServerNo] {
    let switch = plan.steps.iter().find(|step| step.task.id() == &SYMLINK_RELEASE);
    switch.map_or(&[], |switch| &switch.servers)
}

/// Compares what every server that was switched read back from its link with the release that the run is about.
///
/// # Errors
///
/// When one has something else live, or didn't say what.
pub(crate) fn must_be_live(stage: &Stage, plan: &Plan, facts: &Facts) -> Result<()> {
    let Some(release) = facts.run.get("release").map(String::as_str) else { return Ok(()) };
    let mut live = Live::new();
    for number in switched(plan) {
        let own = facts.servers.get(number).and_then(|facts| facts.get(SWITCHED));
        live.entry(own.map(String::as_str)).or_default().push(stage.servers[*number].label());
    }
    if live.keys().all(|name| *name == Some(release)) {
        return Ok(());
    }
    let others = live.iter().filter(|(name, _)| **name != Some(release)).flat_map(|(_, servers)| servers.clone());
    let others = others.collect::<Vec<_>>().join(", ");
    Err(Error::task(format!("all tasks have ended well, and yet release {release} isn't live on {others}"))
        .detail(describe(&live))
        .hint(format!("look once more: cargo xtask deploy status {}", stage.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::stage;

    fn facts(servers: &[&[(&str, &str)]]) -> Facts {
        let of =
            |facts: &&[(&str, &str)]| facts.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Facts { servers: servers.iter().map(of).enumerate().collect(), ..Facts::default() }
    }

    #[test]
    fn what_is_live_after_a_failure_is_told_by_server_and_what_is_not_known_too() {
        let stage = stage(&["a", "b", "c", "d"]);
        let told = live_now(&stage, &facts(&[&[("live_now", "1")], &[("live", "1")], &[("live_now", "")], &[]]));
        assert_eq!(
            told.as_deref(),
            Some("  what is live is not known of b\n  nothing is live on c\n  release 1 is live on a")
        );
        assert_eq!(live_now(&stage, &facts(&[&[("live", "1")]])), None);
    }
}
