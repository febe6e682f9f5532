//! `db:backup:restore`: into a new database beside the live one, which takes its place in one step at the end.
//!
//! Until that step the live database is as it was. What is half-made is given up by a program on the server, which also
//! notices when the controller is gone.

mod fit;
mod workshop;

use std::time::Instant;

pub(super) use self::fit::{lacking, setting};
use self::workshop::Workshop;
pub(super) use self::workshop::hold;
use super::adapter::{Inventory, Loading, Names, Right, Schema, Setting};
use super::backup;
use super::consent::{self, Replacing};
use super::dump::{Checked, Dump};
use super::manifest::Purpose;
use super::sanitise::{self, Origin};
use super::shield::Shield;
use super::site::Site;
use crate::config::Exclude;
use crate::error::{Error, ErrorKind, Result};
use crate::task::{Job, Local};
use crate::ui::size;

/// A restore that can begin: the dump is whole, and fits.
pub(super) struct Restore<'r, 'l> {
    local: &'r Local<'l>,
    site: &'r Site<'l>,
    dump: &'r Dump,
    inventory: Inventory,
    /// The extensions that are left out of it here.
    dropped: Vec<String>,
    /// The SHA-256 of what was checked.
    sha256: String,
    /// Who may use the data, as far as that comes with it.
    rights: Vec<Right>,
    /// What sessions begin with, as far as that comes with it.
    settings: Vec<Setting>,
    /// Texts of SQL that make the data fit for the stage, with the names of their files.
    after: Vec<(String, String)>,
    /// What goes on from the dump, once what failed is mended.
    again: Option<String>,
}

impl<'r, 'l> Restore<'r, 'l> {
    /// Checks everything that can be checked before anything changes.
    ///
    /// # Errors
    ///
    /// When the dump is damaged or doesn't fit, or the stage asks for what isn't there.
    pub(super) fn prepare(local: &'r Local<'l>, site: &'r Site<'l>, dump: &'r Dump) -> Result<Restore<'r, 'l>> {
        must_be_ready(site)?;
        let about = format!("check of {}", dump.name());
        let checked = dump.check(&*site.adapter, &mut |seen| {
            local.progress(&about, seen, Some(dump.bytes));
            (local.stop)().map_or(Ok(()), Err)
        })?;
        Restore::fitting(local, site, dump, checked)
    }

    /// The same for a dump that is known to be whole.
    ///
    /// # Errors
    ///
    /// When it doesn't fit, or the stage asks for what isn't there.
    pub(super) fn of_whole(
        local: &'r Local<'l>,
        site: &'r Site<'l>,
        dump: &'r Dump,
        checked: Checked,
    ) -> Result<Restore<'r, 'l>> {
        must_be_ready(site)?;
        Restore::fitting(local, site, dump, checked)
    }

    fn fitting(local: &'r Local<'l>, site: &'r Site<'l>, dump: &'r Dump, checked: Checked) -> Result<Restore<'r, 'l>> {
        let Checked { mut inventory, sha256 } = checked;
        let dropped = site.adapter.leave_out(&mut inventory, &site.config.exclude.extensions);
        let rights = fit::brought(local, site, dump, &inventory);
        let known = dump.manifest.as_ref().map_or(&[][..], |manifest| &manifest.settings);
        let settings = fit::coming(site, known).into_iter().cloned().collect();
        let (after, again) = (Vec::new(), None);
        let restore = Restore { local, site, dump, inventory, dropped, sha256, rights, settings, after, again };
        restore.must_fit()?;
        Ok(restore)
    }

    /// The same, with texts of SQL that run in the data before it goes live.
    pub(super) fn and_run(self, texts: Vec<(String, String)>) -> Restore<'r, 'l> {
        Restore { after: texts, ..self }
    }

    /// The same; where it fails, the user is told to go on by the command `again`.
    pub(super) fn again(self, again: String) -> Restore<'r, 'l> {
        Restore { again: Some(again), ..self }
    }

    /// Restores beside the live database, and gives that up again. Returns a line for each table: its rows, and its name.
    ///
    /// # Errors
    ///
    /// When the dump can't be restored.
    pub(super) fn rehearse(self) -> Result<String> {
        if !self.site.survey.may_create {
            return Err(self.site.explain(
                Error::task(format!("the role `{}` may make no databases", self.site.survey.user))
                    .hint("ALTER ROLE … CREATEDB, or choose another stage: --stage"),
            ));
        }
        let workshop = self.open()?;
        self.load(&workshop.names, &self.loading(&workshop))?;
        let found = self.site.run(vec![self.site.adapter.count(&workshop.names).into()], &mut |_, _| {})?;
        workshop.held.give_up();
        Ok(found.get("rows").cloned().unwrap_or_default())
    }

    /// Restores, once the user agreed.
    ///
    /// # Errors
    ///
    /// When anything fails. The live database is then as it was, and nothing half-made is left.
    pub(super) fn run(self) -> Result<()> {
        let start = Instant::now();
        if self.is_beside() {
            self.beside()?
        } else {
            self.in_place()?
        }
        let database = self.site.adapter.describe();
        self.local.note(format!(
            "restored {database} from `{}` in {:.1} s",
            self.dump.name(),
            start.elapsed().as_secs_f64()
        ));
        self.tell_settings();
        Ok(())
    }

    /// What sessions in the dumped database begin with and those in this one don't, unless it came along: a dump has none of
    /// it, and data that is the same may be read in another way.
    fn tell_settings(&self) {
        let Some(manifest) = &self.dump.manifest else { return };
        let lacks =
            |setting: &&Setting| !self.site.survey.settings.contains(setting) && !self.settings.contains(setting);
        let lacking = manifest.settings.iter().filter(lacks);
        let statements: Vec<_> = lacking.map(|setting| self.site.adapter.statement(setting)).collect();
        if !statements.is_empty() {
            self.local.note(format!(
                "the database of stage `{}` has settings that this one lacks; to give it the same:",
                manifest.stage
            ));
            statements.into_iter().for_each(|statement| self.local.note(statement));
            self.local.note("or have them come with the data: database.settings = \"source\"");
        }
    }

    /// Whether a database of its own is loaded. Else what is there goes and the dump comes in one transaction.
    fn is_beside(&self) -> bool {
        self.site.survey.may_create || !replaces(self.site)
    }

    /// Whether the dump is loaded from where it is. In a transaction of its own there is no time to look whether it is
    /// still the same.
    fn is_read_by_name(&self) -> bool {
        self.site.is_local() && self.dump.is_ready() && self.is_beside()
    }

    fn beside(&self) -> Result<()> {
        let workshop = self.open()?;
        let loading = self.loading(&workshop);
        let (site, names) = (self.site, &workshop.names);
        self.load(names, &loading).map_err(|error| self.unchanged_by(error))?;
        if !workshop.held.is_there() {
            return Err(Error::connection("the program that keeps the lock on the server is gone")
                .hint("the live database is as it was; try again"));
        }
        let keep = site.config.keep_replaced;
        let swap = site.adapter.swap(&names.next, &names.previous, &workshop.holder, Some(keep));
        let found = site.run(vec![swap.into()], &mut |_, _| {})?;
        workshop.held.give_up();
        if replaces(site) && keep > 0 {
            let stage = &site.stage.name;
            self.local.note(format!(
                "the replaced database is `{}`: cargo xtask db backup undo --stage {stage}",
                found.get("previous").unwrap_or(&names.previous)
            ));
        }
        Ok(())
    }

    /// For roles that may make no database: a backup first, then everything in one transaction.
    fn in_place(&self) -> Result<()> {
        let user = &self.site.survey.user;
        self.local.note(format!("the role `{user}` may make no databases: the data is replaced in one transaction"));
        // What goes back to it needs all of it.
        backup::create(self.local, self.site, Purpose::BeforeRestore, &Exclude::default())?;
        let workshop = self.open()?;
        let script = self.site.adapter.overwrite(&self.loading(&workshop), &self.after);
        self.site.run(vec![script.into()], &mut |_, _| {}).map_err(|error| self.unchanged_by(error))?;
        workshop.held.give_up();
        Ok(())
    }

    /// What is live after `error`, and how to go on. A file of SQL is called as the project calls it.
    fn unchanged_by(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Task {
            return error;
        }
        let root = &self.local.config.root;
        let error = self.site.config.after_restore.iter().fold(error, |error, path| {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            error.with_place(&name, &path.strip_prefix(root).unwrap_or(path).to_string_lossy())
        });
        let error = error.hint(format!("the live database of stage `{}` is as it was", self.site.stage.name));
        match &self.again {
            Some(again) => error.hint(format!("the dump is kept; once this is mended, go on from it: {again}")),
            None => error,
        }
    }

    fn loading<'w>(&'w self, workshop: &'w Workshop) -> Loading<'w> {
        let survey = &self.site.survey;
        let owner = self.site.config.owner.as_deref().or(survey.owner.as_deref()).unwrap_or(&survey.user);
        Loading {
            file: &workshop.file,
            form: self.dump.form,
            folder: &workshop.folder,
            inventory: &self.inventory,
            owner,
            user: &survey.user,
            superuser: survey.superuser,
            others: &survey.others,
            invalid: self.dump.manifest.as_ref().and_then(|manifest| manifest.invalid_indexes.as_deref()),
            rights: &self.rights,
            settings: &self.settings,
        }
    }

    /// Makes the new database, in one program.
    fn load(&self, names: &Names, loading: &Loading<'_>) -> Result<()> {
        let (site, adapter) = (self.site, &self.site.adapter);
        let mut jobs: Vec<Job> = vec![
            adapter.make(names, loading).into(),
            adapter.load(names, loading).into(),
            adapter.check(names, loading).into(),
        ];
        jobs.extend(self.after.iter().map(|(label, sql)| Job::from(adapter.sanitise(names, loading, label, sql))));
        jobs.push(adapter.settle(names, loading, !self.after.is_empty()).into());
        let manifest = self.dump.manifest.as_ref();
        let total = manifest.map(|manifest| manifest.database_bytes).filter(|bytes| *bytes > 0);
        let about = format!("load into {}", site.stage.name);
        let found = site.run(jobs, &mut |name, value| {
            if let (true, Ok(bytes)) = (name == "loaded", value.trim().parse()) {
                self.local.progress(&about, bytes, total.map(|total: u64| total.max(bytes)));
            }
        })?;
        if self.is_read_by_name() {
            self.dump.must_be_untouched()?;
        }
        let Some(expected) = manifest.and_then(|manifest| manifest.schema.as_ref()) else { return Ok(()) };
        match Schema::of(&found)? {
            Some(schema) if schema.is_same(expected) => Ok(()),
            other => Err(Error::task(format!(
                "the restored database is migrated up to {}, and the dumped one was up to {expected}",
                other.map_or("nothing".to_owned(), |schema| schema.to_string())
            ))),
        }
    }
}

/// Makes sure that the database can be replaced, and that nothing holds it.
fn must_be_ready(site: &Site<'_>) -> Result<()> {
    site.must_take_writes()?;
    site.must_be_free()
}

/// `db:backup:restore`.
pub(super) fn restore(local: &Local<'_>) -> Result<()> {
    let file = local.option("file").ok_or_else(|| {
        Error::usage("nothing says which backup to restore")
            .hint("add --file FILE; `cargo xtask db backup list` shows what there is")
    })?;
    consent::must_be_meant(local)?;
    let site = Site::open(local, local.stage)?;
    let dump = Dump::open(&super::find_backup(local, file)?, &*site.adapter)?;
    replace(local, &site, &dump, &format!("cargo xtask db backup restore --stage {} --file {file}", site.stage.name))
}

/// Restores `dump` to `site`, once the user agreed. The command `again` goes on from it.
///
/// # Errors
///
/// When it can't be restored, or the user doesn't agree.
pub(super) fn replace(local: &Local<'_>, site: &Site<'_>, dump: &Dump, again: &str) -> Result<()> {
    let shield = Shield::of(local, site, None)?;
    let sanitising = sanitise::decide(local, site, &Origin::find(local, site, dump, &shield)?, &shield)?;
    let restore = Restore::prepare(local, site, dump)?.and_run(sanitising.texts);
    let restore = restore.again(format!("{again}{}", sanitise::spelled(local)));
    let source = format!("`{}`\n{}", dump.name(), describe(dump));
    let sets = dump.manifest.as_ref().and_then(|of| setting(site, &of.stage, &of.settings));
    let changes = restore.lacks().into_iter().chain(sets).chain(sanitising.lines).chain(restore.lost()).collect();
    consent::ask(local, shield, &Replacing { site, source, changes })?;
    restore.run()
}

/// Whether there is a database that is replaced.
fn replaces(site: &Site<'_>) -> bool {
    site.survey.size.is_some()
}

/// What a dump is, in a few words.
pub(super) fn describe(dump: &Dump) -> String {
    match &dump.manifest {
        Some(manifest) => format!("{}, of stage {}, made {}", size(dump.bytes), manifest.stage, manifest.created),
        None => format!("{}, without a manifest", size(dump.bytes)),
    }
}
