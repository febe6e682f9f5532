//! `db:backup:undo`: the replaced database comes back, and what is live takes its place.

use jiff::Timestamp;

use super::consent::{self, Replacing};
use super::dump::Dump;
use super::manifest::Purpose;
use super::restore::{self, Restore, describe};
use super::shield::Shield;
use super::site::Site;
use super::store::{Backup, Store};
use crate::error::{Error, Result};
use crate::task::Local;

/// Takes the last restore back. Done twice, it takes itself back.
pub(super) fn undo(local: &Local<'_>) -> Result<()> {
    consent::must_be_meant(local)?;
    let site = Site::open(local, local.stage)?;
    site.must_take_writes()?;
    match (site.survey.replaced.first(), site.survey.may_create) {
        (Some(replaced), true) => swap_back(local, &site, replaced),
        (_, false) if site.survey.size.is_some() => restore_last(local, &site),
        _ => Err(nothing(&site)),
    }
}

fn swap_back(local: &Local<'_>, site: &Site<'_>, replaced: &str) -> Result<()> {
    site.must_be_free()?;
    let source = format!("the replaced database `{replaced}`");
    consent::ask(local, Shield::of(local, site, None)?, &Replacing { site, source, changes: Vec::new() })?;
    let names = site.adapter.names(&Timestamp::now().strftime("%Y%m%d%H%M%S").to_string())?;
    let (held, lock) = restore::hold(local, site, &names)?;
    let holder = lock.get("lock_session").map(String::as_str).unwrap_or_default();
    let found = site.run(vec![site.adapter.survey().into()], &mut |_, _| {})?;
    if site.adapter.understand(&found)?.replaced.first().map(String::as_str) != Some(replaced) {
        return Err(Error::task(format!("`{replaced}` is no longer what was replaced last: somebody was faster"))
            .hint("look at what is live now, and undo again if it has to be"));
    }
    let found = site.run(vec![site.adapter.swap(replaced, &names.previous, holder, None).into()], &mut |_, _| {})?;
    held.give_up();
    local.note(format!(
        "`{replaced}` is live again; what was live is `{}`",
        found.get("previous").unwrap_or(&names.previous)
    ));
    Ok(())
}

/// Where no database can be made, a restore made a backup before.
fn restore_last(local: &Local<'_>, site: &Site<'_>) -> Result<()> {
    let backups = Store::new(&site.config.backup_dir).backups()?;
    let was_before = |backup: &&Backup| {
        backup.stage == site.stage.name
            && backup.is_whole()
            && backup.manifest.as_ref().is_some_and(|manifest| manifest.purpose == Purpose::BeforeRestore)
    };
    let last = backups.iter().find(was_before).ok_or_else(|| nothing(site))?;
    let dump = Dump::open(&last.path, &*site.adapter)?;
    let restore = Restore::prepare(local, site, &dump)?;
    let source = format!("`{}`\n{}", dump.name(), describe(&dump));
    consent::ask(local, Shield::of(local, site, None)?, &Replacing { site, source, changes: Vec::new() })?;
    restore.run()
}

fn nothing(site: &Site<'_>) -> Error {
    let stage = &site.stage.name;
    Error::task(format!("there is nothing to undo: no replaced database of stage `{stage}` is kept")).hint(format!(
        "an earlier backup can be restored: cargo xtask db backup list, and restore --stage {stage} --file FILE"
    ))
}
