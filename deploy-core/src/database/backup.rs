//! `db:backup:create`: a dump comes here while it is made, and is kept once it is known to be whole.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::adapter::{Form, Schema, read_fact};
use super::dump::Checked;
use super::manifest::{Manifest, Purpose};
use super::site::{Site, io_failed, quoted};
use super::store::{Draft, Store};
use super::wire::{Packing, Receiver};
use crate::config::Exclude;
use crate::error::{Error, Result};
use crate::script::Script;
use crate::task::{Found, Local};
use crate::ui::{several, size};

/// How often a dump is begun of a standby, which takes back what is being read when it has to follow its primary.
const TRIES: u32 = 3;

/// How long to wait before that.
const PATIENCE: Duration = Duration::from_secs(2);

/// A dump that has come, and what was found out behind it.
struct Dumped {
    draft: Draft,
    /// How many bytes came over the wire.
    sent: u64,
    found: Found,
}

/// Makes a backup of the database of `site`, without what `exclude` says. Returns its path and what is in it.
///
/// # Errors
///
/// When the dump fails, arrives changed, or can't be written. Nothing is left behind then.
pub(super) fn create(
    local: &Local<'_>,
    site: &Site<'_>,
    purpose: Purpose,
    exclude: &Exclude,
) -> Result<(PathBuf, Checked)> {
    must_be_possible(site, exclude)?;
    let start = Instant::now();
    let Dumped { mut draft, sent, found } = dump(local, site, exclude)?;
    let inventory = draft.read_back(|file| site.adapter.inspect(Form::Archive, file, true)).map_err(|error| {
        site.explain(io_failed("what pg_dump wrote is not whole, though it reported no failure", error))
    })?;
    draft.mark(&inventory.marks).map_err(|error| draft.failed(error))?;
    let excluded = exclude.words();
    if !excluded.is_empty() {
        local.note(format!("left out, and so not there where this is restored: {}", quoted(&excluded)));
    }
    let invalid: Vec<String> = read_fact(&found, "invalid")?.unwrap_or_default();
    if !invalid.is_empty() {
        local.note(format!("not valid in the database, and so neither where this is restored: {}", quoted(&invalid)));
    }
    let fragile: Vec<String> = read_fact(&found, "fragile")?.unwrap_or_default();
    let warnings: Vec<_> = site.adapter.warnings(&inventory, Some(&site.survey)).into_iter().chain(fragile).collect();
    warnings.iter().for_each(|warning| local.note(warning.clone()));
    let schema = steady(site.survey.schema.as_ref(), &found)?;
    let manifest = Manifest {
        stage: site.stage.name.clone(),
        database: site.adapter.database().to_owned(),
        purpose,
        created: draft.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        by: site.stage.settings.local_user.clone(),
        bytes: draft.bytes(),
        sha256: draft.sha256(&mut |_| (local.stop)().map_or(Ok(()), Err))?,
        seconds: (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        server_version: site.survey.version.clone(),
        database_bytes: site.survey.size.unwrap_or_default(),
        tables: inventory.tables.len() as u64,
        revision: site.revision.clone(),
        schema: schema.filter(|schema| inventory.has_rows_of(&schema.table)),
        settings: site.survey.settings.clone(),
        system: site.survey.identity.as_ref().map(|identity| identity.system.clone()).unwrap_or_default(),
        invalid_indexes: Some(invalid),
        excluded,
        warnings,
    };
    let path = draft.keep(&manifest)?;
    local.note(format!(
        "kept `{}`: {}, {}, {} over the wire, in {:.1} s",
        path.display(),
        size(manifest.bytes),
        several(manifest.tables, "table"),
        size(sent),
        start.elapsed().as_secs_f64()
    ));
    Ok((path, Checked { inventory, sha256: manifest.sha256 }))
}

/// Dumps, and does so once more where a standby took back what was being read.
fn dump(local: &Local<'_>, site: &Site<'_>, exclude: &Exclude) -> Result<Dumped> {
    for _ in 1..TRIES {
        match dump_once(local, site, exclude) {
            Err(error) if site.adapter.is_passing(&error) => local.note(format!("{}: once more", error.message())),
            other => return other,
        }
        std::thread::sleep(PATIENCE);
        if let Some(error) = (local.stop)() {
            return Err(error);
        }
    }
    dump_once(local, site, exclude)
}

fn dump_once(local: &Local<'_>, site: &Site<'_>, exclude: &Exclude) -> Result<Dumped> {
    let draft = Store::new(&site.config.backup_dir).begin(&site.stage.name, site.adapter.extension())?;
    let compress = site.config.compress;
    let packing = if compress > 0 { Packing::None } else { site.packing };
    let (setup, producer) = site.adapter.dump(&site.survey, compress, exclude);
    let script =
        if site.is_local() { setup.then(Script::new().pipe([producer])) } else { setup.then(packing.send(producer)) };
    let mut receiver = Receiver::new(packing, draft).map_err(|error| io_failed("a dump can't be received", error))?;
    let about = format!("dump of {}", site.stage.name);
    let mut failed_here = false;
    let found = site.machine.read(script.then(site.adapter.schema()).into(), &mut |bytes| {
        receiver.take(bytes).map_err(|error| receiver.inner().failed(error)).inspect_err(|_| failed_here = true)?;
        // What a dump will hold is an estimate.
        let done = receiver.inner().bytes();
        local.progress(&about, done, Some(site.survey.data).filter(|data| *data > done));
        Ok(())
    });
    let found = found.map_err(|error| if failed_here { error } else { explained(site, error) })?;
    let (draft, sent) = receiver.finish((!site.is_local()).then_some(&found))?;
    local.progress(&about, draft.bytes(), Some(draft.bytes()));
    Ok(Dumped { draft, sent, found })
}

/// `error` with what it means. What the role may not read is named.
fn explained(site: &Site<'_>, error: Error) -> Error {
    let hidden = error.to_string().contains("permission denied") && !site.survey.unreadable.is_empty();
    let error = site.explain(error);
    if !hidden {
        return error;
    }
    let (user, hidden) = (&site.survey.user, quoted(&site.survey.unreadable));
    error
        .hint(format!("the role `{user}` may not read {hidden}: GRANT pg_read_all_data TO {user}"))
        .hint("or leave it out: exclude = [\"schema:NAME\", \"table:NAME\"] in `[database]`")
}

/// Up to where the database was migrated, if that didn't change while it was dumped.
fn steady(before: Option<&Schema>, found: &Found) -> Result<Option<Schema>> {
    Ok(Schema::of(found)?.filter(|after| Some(after) == before))
}

fn must_be_possible(site: &Site<'_>, exclude: &Exclude) -> Result<()> {
    let survey = &site.survey;
    if survey.size.is_none() {
        return Err(site.explain(
            Error::task(format!("there is no database {}", site.adapter.describe()))
                .hint("is its name right? see `[database]` in deploy.toml"),
        ));
    }
    if survey.tools.0 < survey.major {
        let error = match survey.tools.0 {
            0 => Error::task("there is no pg_dump on this machine".to_owned()),
            old => Error::task(format!(
                "pg_dump is of version {old}, older than the database server, which is {}",
                survey.version
            )),
        };
        let install = format!("install it there: apt-get install postgresql-client-{}", survey.major);
        return Err(site.explain(error.hint(install).hint("or say where a newer one is: database.bin_dir")));
    }
    match site.adapter.must_not_exclude(survey, exclude) {
        Some(error) => Err(site.explain(error)),
        None => Ok(()),
    }
}
