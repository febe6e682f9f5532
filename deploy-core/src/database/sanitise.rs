//! What makes another stage's data harmless: in whose data it runs, and what the user is told of it.

use super::dump::Dump;
use super::manifest::Manifest;
use super::shield::Shield;
use super::site::Site;
use crate::error::{Error, Result};
use crate::task::Local;

/// Whose data is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// That of the stage that it is restored to.
    Own,
    /// Another stage's.
    Other(String),
    /// Nobody says, and nothing depends on it.
    Unknown,
}

/// What runs in the data before it goes live.
#[derive(Debug)]
pub(super) struct Sanitising {
    /// Texts of SQL, with the names of their files.
    pub(super) texts: Vec<(String, String)>,
    /// What is done to whose data, in words; none where there is nothing to run.
    pub(super) lines: Vec<String>,
}

impl Origin {
    /// That of data of the stage `name`, which goes to `site`.
    pub(super) fn of(name: &str, site: &Site<'_>) -> Origin {
        if name == site.stage.name { Origin::Own } else { Origin::Other(name.to_owned()) }
    }

    /// That of `dump`: as its manifest says, else `--data-of`, else the user. It goes by the database that it was made of, and
    /// not by the stage's name alone, which a variable or a flag may have led elsewhere.
    ///
    /// # Errors
    ///
    /// When those contradict each other, or what has to be known nobody is there to say.
    pub(super) fn find(local: &Local<'_>, site: &Site<'_>, dump: &Dump, shield: &Shield) -> Result<Origin> {
        let known = dump.manifest.as_ref();
        let said = local.option("data-of");
        match (known, said) {
            (Some(known), Some(said)) if known.stage != said => Err(Error::usage(format!(
                "--data-of says `{said}`, and the manifest of `{}` says `{}`",
                dump.name(),
                known.stage
            ))),
            // The database that is replaced is that of the stage which the data is of.
            (Some(known), _) if matches!(shield, Shield::Of(owner) if *owner == known.stage) => Ok(Origin::Own),
            (_, Some(said)) => Ok(Origin::of(&local.config.stage(said)?.name, site)),
            (Some(known), None) if known.stage != site.stage.name || !was_elsewhere(known, site) => {
                Ok(Origin::of(&known.stage, site))
            }
            (_, None) if site.config.after_restore.is_empty() && !site.config.require_sanitize => Ok(Origin::Unknown),
            (known, None) => ask(local, site, dump, known),
        }
    }
}

/// Whether the backup, which bears the stage's name, was made of another database than that which the stage leads to now.
fn was_elsewhere(manifest: &Manifest, site: &Site<'_>) -> bool {
    let system = site.survey.identity.as_ref().map_or("", |identity| &identity.system);
    let is_known = !manifest.system.is_empty() && !system.is_empty();
    is_known && (manifest.system != system || manifest.database != site.adapter.database())
}

fn ask(local: &Local<'_>, site: &Site<'_>, dump: &Dump, known: Option<&Manifest>) -> Result<Origin> {
    let (stage, dump) = (&site.stage.name, dump.name());
    let files = if site.config.after_restore.is_empty() { "nothing".to_owned() } else { files(site) };
    let why = match known {
        Some(known) => {
            format!("`{dump}` bears the stage's name, and was made of another database, `{}`", known.database)
        }
        None => format!("nothing says whose data `{dump}` has"),
    };
    let question = format!("{why}. Is it stage `{stage}`'s own, so that {files} must not run? [y/N]");
    // `--yes` means that the database may be replaced, and answers nothing else.
    match local.ask.confirm(&question) {
        Some(true) => Ok(Origin::Own),
        Some(false) => Ok(Origin::Other("another".to_owned())),
        None => Err(Error::usage(format!("{why}, and so whether {files} (`after_restore`) has to run in it"))
            .hint("say which stage's it is: --data-of STAGE")),
    }
}

/// Decides what runs in data of `origin` at `site`: what is configured in another stage's, unless the database is that of a
/// protected stage, whichever stage leads to it; in all where `--sanitize` says so.
///
/// # Errors
///
/// When the stage takes no data that nothing makes harmless, or a file can't be read.
pub(super) fn decide(local: &Local<'_>, site: &Site<'_>, origin: &Origin, shield: &Shield) -> Result<Sanitising> {
    let is_protected = site.stage.protected || matches!(shield, Shield::Of(_));
    let spelled = local.option("sanitize").is_some();
    if spelled && site.config.after_restore.is_empty() {
        return Err(Error::usage(format!("stage `{}` has nothing that --sanitize could run", site.stage.name))
            .hint(format!("name SQL: [stages.{}.database] after_restore = [\"…/anonymise.sql\"]", site.stage.name)));
    }
    must_be_possible(site, origin)?;
    let runs = spelled || *origin != Origin::Own && !is_protected;
    if !runs && *origin != Origin::Own && site.config.require_sanitize {
        return Err(Error::usage(format!(
            "stage `{}` takes no data of other stages as it is (`require_sanitize`), and is protected",
            site.stage.name
        ))
        .hint("add --sanitize to run `after_restore` in it"));
    }
    let texts = if runs { texts(site)? } else { Vec::new() };
    let lines = if site.config.after_restore.is_empty() { Vec::new() } else { lines(site, origin, runs) };
    Ok(Sanitising { texts, lines })
}

/// What the command line says of all this, for a command that goes on.
pub(super) fn spelled(local: &Local<'_>) -> String {
    let data_of = local.option("data-of").map(|stage| format!(" --data-of {stage}")).unwrap_or_default();
    let sanitize = if local.option("sanitize").is_some() { " --sanitize" } else { "" };
    format!("{data_of}{sanitize}")
}

fn lines(site: &Site<'_>, origin: &Origin, runs: bool) -> Vec<String> {
    let files = format!("{} (`after_restore`)", files(site));
    let data = match origin {
        Origin::Own => "the stage's own data".to_owned(),
        Origin::Other(name) if name == "another" => "another stage's data".to_owned(),
        Origin::Other(name) => format!("the data of stage `{name}`"),
        Origin::Unknown => "the data".to_owned(),
    };
    if !runs {
        let why = match origin {
            Origin::Own => "is for that of other stages",
            Origin::Other(_) | Origin::Unknown => "runs in no protected stage",
        };
        return vec![format!("leaves   {data} as it is: {files} {why}, unless --sanitize is added")];
    }
    let mut lines = vec![format!("changes  {data} by {files} before it goes live")];
    if site.survey.may_create || site.survey.size.is_none() {
        lines.push("         until then it stands on that server as it came, in a database of its own".to_owned());
    }
    lines
}

/// The names of the files, in words.
fn files(site: &Site<'_>) -> String {
    let names = site.config.after_restore.iter().map(|path| format!("`{}`", name(path)));
    names.collect::<Vec<_>>().join(", ")
}

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The texts of the files of `after_restore`.
fn texts(site: &Site<'_>) -> Result<Vec<(String, String)>> {
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::task(format!("failed to read `{}`, which is to run after a restore", path.display()))
                .because(error)
                .hint(format!("it is named in `after_restore` of stage `{}`", site.stage.name))
        })?;
        if text.contains('\0') {
            return Err(Error::task(format!("`{}`, which is to run after a restore, is no text", path.display()))
                .hint("it has a NUL byte: save it as UTF-8"));
        }
        Ok((name(path), text))
    };
    site.config.after_restore.iter().map(read).collect()
}

/// A stage that asks for it takes no data of another stage as it is.
pub(super) fn must_be_possible(site: &Site<'_>, origin: &Origin) -> Result<()> {
    let (config, stage) = (site.config, &site.stage.name);
    if !config.require_sanitize || !config.after_restore.is_empty() || *origin == Origin::Own {
        return Ok(());
    }
    Err(Error::config(format!("stage `{stage}` takes no data of other stages as it is (`require_sanitize`)")).hint(
        format!("name SQL that makes it harmless: [stages.{stage}.database] after_restore = [\"…/anonymise.sql\"]"),
    ))
}
