//! What is about to be replaced is shown first, and somebody has to agree.

use super::site::Site;
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
    match local.option("confirm") {
        Some(other) if other != stage => {
            Err(Error::usage(format!("--confirm says `{other}`, and the stage is `{stage}`")))
        }
        _ => Ok(()),
    }
}

/// Shows what is going to happen, and has the user agree.
///
/// # Errors
///
/// When the user doesn't, or nobody is there to ask.
pub(super) fn ask(local: &Local<'_>, replacing: &Replacing<'_, '_>) -> Result<()> {
    replacing.lines().into_iter().for_each(|line| local.note(line));
    let stage = &replacing.site.stage.name;
    if replacing.site.stage.protected {
        return typed(local, stage);
    }
    if replacing.site.survey.size.is_none() {
        return Ok(());
    }
    let database = replacing.site.adapter.database();
    match local.confirm(&format!("Replace the database `{database}` of stage `{stage}`? [y/N]")) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::task("nothing was changed: the answer was no")),
        None => {
            Err(Error::usage(format!("nobody is there to say whether the database of stage `{stage}` may be replaced"))
                .hint("add --yes to answer for yourself"))
        }
    }
}

/// Has the user spell the name of a protected stage. `--yes` is no answer to that.
fn typed(local: &Local<'_>, stage: &str) -> Result<()> {
    if local.option("confirm") == Some(stage) {
        return Ok(());
    }
    let question = format!("Stage `{stage}` is protected. Type its name to go on, or anything else to stop:");
    match local.ask.text(&question) {
        Some(answer) if answer.trim() == stage => Ok(()),
        Some(_) => Err(Error::task(format!("nothing was changed: that was not `{stage}`"))),
        None => Err(Error::usage(format!("stage `{stage}` is protected, and nobody is there to type its name"))
            .hint(format!("without a terminal, add --confirm {stage}"))),
    }
}

impl Replacing<'_, '_> {
    fn lines(&self) -> Vec<String> {
        let Replacing { site, source, changes } = self;
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
