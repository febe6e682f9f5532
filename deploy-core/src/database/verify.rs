//! `db:backup:verify`: whether backups are whole, and with `--deep` whether they can be restored.

use std::collections::BTreeSet;

use super::adapter::{Adapter, Given};
use super::dump::Dump;
use super::list;
use super::postgres::Postgres;
use super::restore::Restore;
use super::sanitise::{self, Origin};
use super::site::Site;
use crate::error::{Error, Result};
use crate::task::Local;
use crate::ui::several;

/// Verifies the backup that was asked for, else all of them.
pub(super) fn verify(local: &Local<'_>) -> Result<()> {
    let files = match local.option("file") {
        Some(file) => vec![super::find_backup(local, file)?],
        None => list::kept(local)?.into_iter().map(|backup| backup.path).collect(),
    };
    if files.is_empty() {
        return Err(
            Error::task("there is no backup to verify").hint("make one: cargo xtask db backup create --stage STAGE")
        );
    }
    if local.option("deep").is_some() {
        return files.iter().try_for_each(|file| deep(local, file));
    }
    let adapter = reader(local)?;
    let mut damaged = Vec::new();
    for file in &files {
        match look(local, file, &adapter) {
            Ok(text) => local.print(&text),
            Err(error) if (local.stop)().is_some() => return Err(error),
            Err(error) => {
                let text = error.to_string();
                let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("hint:"));
                local.print(&format!("{}\n", lines.next().unwrap_or_default()));
                lines.for_each(|line| local.print(&format!("{line}\n")));
                damaged.push(file);
            }
        }
    }
    match damaged.len() {
        0 => Ok(()),
        count => Err(Error::task(format!("{count} of {} can't be restored", several(files.len() as u64, "backup")))
            .hint("make a new one: cargo xtask db backup create --stage STAGE")),
    }
}

/// What reads dumps without any database.
fn reader(local: &Local<'_>) -> Result<Postgres> {
    let mut database = local.stage.settings.database.clone();
    database.parts.name.get_or_insert_with(|| "none".to_owned());
    Postgres::new(&Given::Nothing, &database, &local.stage.name)
}

fn look(local: &Local<'_>, file: &std::path::Path, adapter: &dyn Adapter) -> Result<String> {
    let dump = Dump::open(file, adapter)?;
    let about = format!("check of {}", dump.name());
    let checked = dump.check(adapter, &mut |seen| {
        local.progress(&about, seen, Some(dump.bytes));
        (local.stop)().map_or(Ok(()), Err)
    })?;
    let how = if dump.manifest.is_some() {
        "checksum and contents are right"
    } else {
        "no manifest; complete in its structure"
    };
    let tables = match checked.inventory.tables.len() {
        0 => String::new(),
        count => format!(", {}", several(count as u64, "table")),
    };
    let lacks = dump.manifest.iter().flat_map(|manifest| &manifest.excluded).map(|word| format!("lacks `{word}`"));
    let warnings = dump.manifest.iter().flat_map(|manifest| manifest.warnings.clone());
    let all: BTreeSet<_> = warnings.chain(adapter.warnings(&checked.inventory, None)).chain(lacks).collect();
    let more: String = all.into_iter().map(|line| format!("  {line}\n")).collect();
    Ok(format!("{}: {how}{tables}\n{more}", dump.name()))
}

/// Restores the backup beside the stage's database, counts rows, and removes it again.
fn deep(local: &Local<'_>, file: &std::path::Path) -> Result<()> {
    let site = Site::open(local, local.stage)?;
    let dump = Dump::open(file, &*site.adapter)?;
    may_stand_there(local, &site, &dump)?;
    let rows = Restore::prepare(local, &site, &dump)?.rehearse()?;
    local.print(&format!("{}: restored beside {}, and removed again\n", dump.name(), site.adapter.describe()));
    for line in rows.lines() {
        let (count, table) = line.split_once(' ').unwrap_or((line, ""));
        local.print(&format!("{count:>12}  {table}\n"));
    }
    Ok(())
}

/// The data stands on the stage's server for a while, as it is in the dump: what is protected elsewhere is only brought there
/// when somebody agrees.
fn may_stand_there(local: &Local<'_>, site: &Site<'_>, dump: &Dump) -> Result<()> {
    let source = dump.manifest.as_ref().map(|manifest| &*manifest.stage);
    sanitise::must_be_possible(site, &source.map_or(Origin::Unknown, |source| Origin::of(source, site)))?;
    let stage = &site.stage.name;
    let Some(source) = source.filter(|source| source != stage) else { return Ok(()) };
    if !local.config.stage(source).is_ok_and(|source| source.protected) {
        return Ok(());
    }
    let question = format!(
        "Put the data of the protected stage `{source}` on the server of stage `{stage}` for a while, as it is? [y/N]"
    );
    match local.confirm(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::task("nothing was verified: the answer was no")),
        None => Err(Error::usage(format!(
            "`{}` would stand on the server of stage `{stage}` for a while, as it is in the protected stage `{source}`",
            dump.name()
        ))
        .hint("add --yes to answer for yourself")),
    }
}
