//! What is about to be replaced is shown first, and somebody has to agree.

use super::shield::Shield;
use super::site::{Site, quoted};
use crate::error::{Error, Result};
use crate::task::Local;
use crate::ui::{several, size};

/// What a command is about to do to a stage's database.
pub(super) struct Replacing<'r, 'l> {
    pub(super) site: &'r Site<'l>,
    /// Where the data comes from, in one line or two.
    pub(super) source: String,
    /// What is done to the data before it goes live, a line each.
    pub(super) changes: Vec<String>,
}

/// Whether the command line says that a protected stage is meant. Asked before anything is contacted.
///
/// # Errors
///
/// When it doesn't.
pub(super) fn must_be_meant(local: &Local<'_>) -> Result<()> {
    let stage = &local.stage.name;
    if !local.stage.protected {
        return Ok(());
    }
    if local.option("into-protected").is_none() {
        return Err(Error::usage(format!("stage `{stage}` is protected: its database is not replaced by accident"))
            .hint(format!("to do it all the same, add --into-protected; you will have to type `{stage}` then"))
            .hint(format!("without a terminal, add --into-protected --confirm {stage}")));
    }
    must_confirm(local, stage)
}

/// What `--confirm` says has to be `stage`.
fn must_confirm(local: &Local<'_>, stage: &str) -> Result<()> {
    match local.option("confirm") {
        Some(other) if other != stage => {
            Err(Error::usage(format!("--confirm says `{other}`, and the stage is `{stage}`")))
        }
        _ => Ok(()),
    }
}

/// Shows what is going to happen, and has the user agree: whose word it takes, `shield` says.
///
/// # Errors
///
/// When the user doesn't, or nobody is there to ask.
pub(super) fn ask(local: &Local<'_>, shield: Shield, replacing: &Replacing<'_, '_>) -> Result<()> {
    replacing.lines().into_iter().for_each(|line| local.note(line));
    let stage = &replacing.site.stage.name;
    match shield {
        Shield::None => {}
        Shield::Of(owner) if owner == *stage => return typed(local, stage, "is protected"),
        Shield::Of(owner) => return shared(local, replacing.site, &owner),
        Shield::Unknown(owner, why) => return unknown(local, replacing.site, &owner, &why),
    }
    if replacing.site.survey.size.is_none() {
        return Ok(());
    }
    let database = replacing.site.adapter.database();
    match local.confirm(&format!("Replace the database `{database}` of stage `{stage}`?")) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::task("nothing was changed: the answer was no")),
        None => {
            Err(Error::usage(format!("nobody is there to say whether the database of stage `{stage}` may be replaced"))
                .hint("add --yes to answer for yourself"))
        }
    }
}

/// The stage's database is that of the protected stage `owner`, whatever the configuration says.
fn shared(local: &Local<'_>, site: &Site<'_>, owner: &str) -> Result<()> {
    let stage = &site.stage.name;
    if local.option("into-protected").is_none() {
        return Err(Error::usage(format!(
            "stage `{stage}` leads to the database of stage `{owner}`, which is protected: {}",
            site.describe()
        ))
        .hint(format!("give stage `{stage}` a database of its own: [stages.{stage}.database]"))
        .hint(format!("to replace the database of `{owner}` all the same, add --into-protected --confirm {owner}")));
    }
    must_confirm(local, owner)?;
    typed(local, owner, &format!("is protected, and this is its database (stage `{stage}` leads to it)"))
}

/// Nobody knows whether the stage's database is that of the protected stage `owner`.
fn unknown(local: &Local<'_>, site: &Site<'_>, owner: &str, why: &Error) -> Result<()> {
    let stage = &site.stage.name;
    let reason = std::iter::once(why.message().to_owned()).chain(why.causes()).collect::<Vec<_>>().join(": ");
    let what = format!(
        "it can't be found out whether the database of stage `{stage}` is that of stage `{owner}`, which is protected"
    );
    if local.option("into-protected").is_none() {
        return Err(Error::usage(what)
            .detail(reason)
            .hint(format!("to replace {} all the same, add --into-protected --confirm {stage}", site.describe())));
    }
    must_confirm(local, stage)?;
    local.note(format!("{what}: {reason}"));
    typed(local, stage, "may lead to a protected database")
}

/// Has the user spell the name of a stage. `--yes` is no answer to that.
fn typed(local: &Local<'_>, stage: &str, why: &str) -> Result<()> {
    if local.option("confirm") == Some(stage) {
        return Ok(());
    }
    let question = format!("Stage `{stage}` {why}. Type its name to go on, or anything else to stop:");
    match local.ask.text(&question) {
        Some(answer) if answer.trim() == stage => Ok(()),
        Some(_) => Err(Error::task(format!("nothing was changed: that was not `{stage}`"))),
        None => Err(Error::usage(format!("stage `{stage}` is protected, and nobody is there to type its name"))
            .hint(format!("without a terminal, add --confirm {stage}"))),
    }
}

impl Replacing<'_, '_> {
    fn lines(&self) -> Vec<String> {
        let Replacing { site, source, changes, .. } = self;
        let survey = &site.survey;
        let into = format!("stage `{}`\n{}", site.stage.name, site.describe());
        let mut lines: Vec<_> = [("from", source), ("into", &into)]
            .into_iter()
            .flat_map(|(word, text)| {
                let words = std::iter::once(word).chain(std::iter::repeat(""));
                words.zip(text.lines()).map(|(word, line)| format!("{word:9}{line}"))
            })
            .collect();
        lines.push(match survey.size {
            None => "replaces nothing: there is no such database yet".to_owned(),
            Some(bytes) => {
                let (tables, sessions) = (several(survey.tables, "table"), several(survey.sessions, "session"));
                format!("replaces {} in {tables}, used by {sessions}", size(bytes))
            }
        });
        if !survey.slots.is_empty() {
            lines.push(format!(
                "slots    {} stay with what is replaced: who reads by them begins anew",
                quoted(&survey.slots)
            ));
        }
        lines.extend(changes.iter().cloned());
        if survey.size.is_some() && survey.may_create {
            lines.push(match site.config.keep_replaced {
                0 => "keeps    nothing of what is replaced".to_owned(),
                1 => "keeps    what is replaced beside it, for `cargo xtask db backup undo`".to_owned(),
                keep => format!(
                    "keeps    what is replaced beside it, for `cargo xtask db backup undo`: the last {keep} of them"
                ),
            });
        }
        lines
    }
}
