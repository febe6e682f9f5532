//! From what the survey's SQL printed to what is known of a database.

use serde::Deserialize;

use crate::database::adapter::{Identity, Schema, Setting, Survey, read_fact};
use crate::error::Result;
use crate::task::Found;

/// What `survey_maintenance.sql` prints.
#[derive(Deserialize)]
struct Maintenance {
    version: u32,
    version_text: String,
    user: String,
    superuser: bool,
    may_create: bool,
    exists: bool,
    owner: Option<String>,
    owns: bool,
    may_own: bool,
    sessions: u64,
    identity: Identity,
    settings: Vec<Setting>,
    free: i64,
    prepared: Vec<String>,
    subscriptions: Vec<String>,
    slots: Vec<String>,
    replaced: Vec<String>,
    extensions: Option<Vec<String>>,
    roles: Vec<String>,
    connections: u64,
}

/// What `survey_live.sql` prints.
#[derive(Deserialize)]
struct Live {
    version: u32,
    version_text: String,
    user: String,
    size: u64,
    data: u64,
    tables: u64,
    others: Vec<String>,
    identity: Identity,
    strangers: Vec<(String, String, String)>,
    relations: u64,
    unreadable: Vec<String>,
    installed: Vec<String>,
}

/// What is known of a database.
pub(super) fn survey(found: &Found) -> Result<Survey> {
    let maintenance: Option<Maintenance> = read_fact(found, "maintenance")?;
    let live: Option<Live> = read_fact(found, "live")?;
    let tools = found.get("tools").map(String::as_str).unwrap_or_default();
    let mut tools = tools.split(' ').map(|major| major.parse().unwrap_or(0));
    let mut survey = Survey {
        schema: Schema::of(found)?,
        restricts: found.get("psql").is_some_and(|version| knows_restrict(version)),
        tools: (tools.next().unwrap_or(0), tools.next().unwrap_or(0)),
        room: found.get("disk").and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).map(|room| room * 1024),
        ..Survey::default()
    };
    let relations = live.as_ref().map_or(0, |live| live.relations);
    if let Some(live) = live {
        (survey.version, survey.major, survey.user) = (live.version_text, live.version / 10000, live.user);
        (survey.size, survey.data, survey.tables) = (Some(live.size), live.data, live.tables);
        survey.others = live.others;
        survey.identity = Some(live.identity);
        survey.strangers = live.strangers;
        (survey.unreadable, survey.installed) = (live.unreadable, live.installed);
    }
    if let Some(about) = maintenance {
        (survey.version, survey.major, survey.user) = (about.version_text, about.version / 10000, about.user);
        (survey.whole, survey.superuser) = (true, about.superuser);
        survey.may_create = about.may_create && about.may_own && (about.owns || !about.exists);
        survey.may_own = about.may_own;
        survey.owner = about.owner;
        survey.sessions = about.sessions;
        survey.identity = Some(about.identity);
        survey.settings = about.settings;
        survey.locks = (relations * 5 / 4).div_ceil(about.connections.max(1));
        survey.free = Some(u64::try_from(about.free).unwrap_or(0));
        (survey.prepared, survey.subscriptions, survey.slots) = (about.prepared, about.subscriptions, about.slots);
        survey.replaced = about.replaced;
        survey.roles = about.roles;
        survey.extensions = about.extensions.unwrap_or_default();
    }
    Ok(survey)
}

/// Whether the psql that says this of its version knows `\\restrict`, which came in August 2025 for all that were kept up.
fn knows_restrict(version: &str) -> bool {
    let digits = version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match major {
        13 => minor >= 22,
        14 => minor >= 19,
        15 => minor >= 14,
        16 => minor >= 10,
        17 => minor >= 6,
        _ => major >= 18,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_which_psql_can_be_restricted() {
        for (version, knows) in [
            ("psql (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", true),
            ("psql (PostgreSQL) 15.13", false),
            ("psql (PostgreSQL) 17.5 (Homebrew)", false),
            ("psql (PostgreSQL) 18.0", true),
            ("psql (PostgreSQL) 18beta1", true),
            ("psql (PostgreSQL) 12.22", false),
            ("", false),
        ] {
            assert_eq!(knows_restrict(version), knows, "{version}");
        }
    }
}
