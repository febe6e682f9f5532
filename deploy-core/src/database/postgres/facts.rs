//! From what the survey's SQL printed to what is known of a database.

use serde::Deserialize;

use crate::database::adapter::{Schema, Survey, read_fact};
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
    identity: String,
    replaced: Vec<String>,
    extensions: Option<Vec<String>>,
    roles: Vec<String>,
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
    strangers: Vec<(String, String, String)>,
}

/// What is known of a database.
pub(super) fn survey(found: &Found) -> Result<Survey> {
    let maintenance: Option<Maintenance> = read_fact(found, "maintenance")?;
    let live: Option<Live> = read_fact(found, "live")?;
    let tools = found.get("tools").map(String::as_str).unwrap_or_default();
    let mut tools = tools.split(' ').map(|major| major.parse().unwrap_or(0));
    let mut survey = Survey {
        schema: Schema::of(found)?,
        tools: (tools.next().unwrap_or(0), tools.next().unwrap_or(0)),
        ..Survey::default()
    };
    if let Some(live) = live {
        (survey.version, survey.major, survey.user) = (live.version_text, live.version / 10000, live.user);
        (survey.size, survey.data, survey.tables) = (Some(live.size), live.data, live.tables);
        survey.others = live.others;
        survey.strangers = live.strangers;
    }
    if let Some(about) = maintenance {
        (survey.version, survey.major, survey.user) = (about.version_text, about.version / 10000, about.user);
        (survey.whole, survey.superuser) = (true, about.superuser);
        survey.may_create = about.may_create && about.may_own && (about.owns || !about.exists);
        survey.may_own = about.may_own;
        survey.owner = about.owner;
        survey.sessions = about.sessions;
        survey.identity = Some(about.identity).filter(|_| about.exists);
        survey.replaced = about.replaced;
        survey.roles = about.roles;
        survey.extensions = about.extensions.unwrap_or_default();
    }
    Ok(survey)
}
