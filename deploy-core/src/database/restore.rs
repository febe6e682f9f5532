//! `db:backup:restore`: into a new database beside the live one, which takes its place in one step at the end.
//!
//! Until that step the live database is as it was. What is half-made is given up by a program on the server, which also
//! notices when the controller is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::adapter::{Inventory, Loading, Names, Right, Schema, Survey, Whose};
use super::backup;
use super::consent::{self, Replacing};
use super::dump::{Checked, Dump};
use super::manifest::Purpose;
use super::opened::Sum;
use super::sanitise::{self, Origin};
use super::site::{Site, io_failed};
use super::wire::{Packing, Sender};
use crate::error::{Error, ErrorKind, Result};
use crate::script::nonce;
use crate::task::{Found, Held, Job, Local};
use crate::ui::size;

/// How long to wait before looking again whether another restore is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// A restore that can begin: the dump is whole, and fits.
pub(super) struct Restore<'r, 'l> {
    local: &'r Local<'l>,
    site: &'r Site<'l>,
    dump: &'r Dump,
    inventory: Inventory,
    /// The SHA-256 of what was checked.
    sha256: String,
    /// Who may use the data, as far as that comes with it.
    rights: Vec<Right>,
    /// Texts of SQL that make the data fit for the stage, with the names of their files.
    after: Vec<(String, String)>,
    /// What goes on from the dump, once what failed is mended.
    again: Option<String>,
}

/// What is on the server for a restore.
struct Workshop {
    names: Names,
    folder: String,
    file: String,
    /// What has the lock.
    holder: String,
    held: Box<dyn Held>,
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
        let Checked { inventory, sha256 } = checked;
        let rights = brought(local, site, dump, &inventory);
        let restore = Restore { local, site, dump, inventory, sha256, rights, after: Vec::new(), again: None };
        restore.must_fit()?;
        Ok(restore)
    }

    fn must_fit(&self) -> Result<()> {
        let Restore { site, inventory, .. } = self;
        if let Some(error) = site.adapter.misfit(&site.survey, inventory) {
            return Err(site.explain(error));
        }
        if !self.is_beside()
            && let Some(error) = in_the_way(&site.survey, inventory)
        {
            return Err(site.explain(error));
        }
        if !site.survey.may_own {
            let owner = site.config.owner.as_deref().unwrap_or_default();
            return Err(site.explain(
                Error::task(format!("the role `{}` can't make databases for the role `{owner}`", site.survey.user))
                    .hint(format!("GRANT {owner} TO {}, or name another owner: database.owner", site.survey.user)),
            ));
        }
        Ok(())
    }

    /// The same, with texts of SQL that run in the data before it goes live.
    pub(super) fn and_run(self, texts: Vec<(String, String)>) -> Restore<'r, 'l> {
        Restore { after: texts, ..self }
    }

    /// What of the rights can't come since a role is missing, in words, and with the statements.
    fn lost(&self) -> Vec<String> {
        let roles = &self.site.survey.roles;
        let is_missing = |right: &&Right| right.role().is_some_and(|role| !roles.iter().any(|known| known == role));
        let lost: Vec<_> = self.rights.iter().filter(is_missing).filter(|_| !roles.is_empty()).collect();
        let missing: BTreeSet<_> = lost.iter().filter_map(|right| right.role()).collect();
        let names: Vec<_> = missing.into_iter().map(|role| format!("`{role}`")).collect();
        let head =
            format!("loses    what roles may do that are missing: {}. Once they are there, run", names.join(", "));
        let lines = lost.iter().map(|right| format!("         {}", right.sql.replace('\n', " ")));
        if lost.is_empty() { Vec::new() } else { std::iter::once(head).chain(lines).collect() }
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

    /// What sessions in the dumped database begin with and those in this one don't: a dump has none of it, and data that is
    /// the same may be read in another way.
    fn tell_settings(&self) {
        let Some(manifest) = &self.dump.manifest else { return };
        let lacking = manifest.settings.iter().filter(|setting| !self.site.survey.settings.contains(setting));
        let statements: Vec<_> = lacking.map(|setting| self.site.adapter.statement(setting)).collect();
        if !statements.is_empty() {
            self.local.note(format!(
                "the database of stage `{}` has settings that this one lacks; to give it the same:",
                manifest.stage
            ));
            statements.into_iter().for_each(|statement| self.local.note(statement));
        }
    }

    /// Whether a database of its own is loaded. Else what is there goes and the dump comes in one transaction.
    fn is_beside(&self) -> bool {
        self.site.survey.may_create || self.site.survey.size.is_none()
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
        if site.survey.size.is_some() && keep > 0 {
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
        backup::create(self.local, self.site, Purpose::BeforeRestore)?;
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

    /// Takes the lock on restores of this database, and brings the dump to its machine.
    fn open(&self) -> Result<Workshop> {
        let site = self.site;
        let names = site.adapter.names(&Timestamp::now().strftime("%Y%m%d%H%M%S").to_string())?;
        let (held, found) = hold(self.local, site, &names)?;
        let folder = found.get("folder").cloned().unwrap_or_default();
        let file =
            if self.is_read_by_name() { absolute(&self.dump.path)? } else { self.bring(&folder, found.get("room"))? };
        let holder = found.get("lock_session").cloned().unwrap_or_default();
        Ok(Workshop { names, folder, file, holder, held })
    }

    /// Sends the dump to the machine, unpacked there so that several jobs can load it.
    fn bring(&self, folder: &str, room: Option<&String>) -> Result<String> {
        let (site, dump, local) = (self.site, self.dump, self.local);
        let room = room.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).map(|room| room * 1024);
        if room.is_some_and(|room| room < dump.bytes) {
            return Err(site.explain(
                Error::task(format!(
                    "the dump of {} doesn't fit beside `{folder}`, where {} are free",
                    size(dump.bytes),
                    size(room.unwrap_or_default())
                ))
                .hint("make room there: df -h"),
            ));
        }
        let file = format!("{folder}/dump.file");
        let packing = if self.inventory.compressed { Packing::None } else { site.packing };
        let about = format!("dump to {}", site.stage.name);
        let events = local.teller();
        let total = dump.bytes;
        let sum = Sum::default();
        let source = dump.reader(&*site.adapter, &sum, move |seen| events.progress(&about, seen, Some(total)))?;
        let mut sender = Sender::new(packing, source).map_err(|error| io_failed("a dump can't be sent", error))?;
        let found =
            site.machine.write(packing.receive(&file).into(), &mut sender).map_err(|error| site.explain(error))?;
        sender.finish(&found)?;
        dump.must_be(&self.sha256, &sum)?;
        Ok(file)
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

/// Takes the lock on restores of the database, and makes a private folder on its machine.
///
/// # Errors
///
/// When somebody else has the lock, or the machine has no place for the folder.
pub(super) fn hold(local: &Local<'_>, site: &Site<'_>, names: &Names) -> Result<(Box<dyn Held>, Found)> {
    let own = if site.is_local() { local.config.work_dir.display().to_string() } else { site.layout().records() };
    let bases = [own, site.layout().root().to_owned(), site.stage.settings.tmp_dir.clone()];
    let about =
        format!("restore by {} since {}", site.stage.settings.local_user, Timestamp::now().strftime("%H:%M UTC"));
    let start = Instant::now();
    loop {
        let folder = format!("deploy-database-{}", nonce()?);
        let (script, hold) = site.adapter.hold(names, &folder, &bases, &about);
        let mut holder = None;
        match site.machine.hold(script.into(), hold, &mut |name, value| {
            if name == "held_by" {
                holder = Some(value.to_owned());
            }
        }) {
            Ok((found, held)) => return Ok((held, found)),
            Err(error) => match holder {
                None => return Err(site.explain(error)),
                Some(holder) if start.elapsed() >= local.lock_wait => {
                    return Err(Error::new(
                        ErrorKind::Locked,
                        format!("the database {} is being restored already: {holder}", site.describe()),
                    )
                    .hint("wait for it to end: add --lock-wait 30m"));
                }
                Some(_) => std::thread::sleep(PATIENCE),
            },
        }
        if let Some(error) = (local.stop)() {
            return Err(error);
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
    let sanitising = sanitise::decide(local, site, &Origin::find(local, site, dump)?)?;
    let restore = Restore::prepare(local, site, dump)?.and_run(sanitising.texts);
    let restore = restore.again(format!("{again}{}", sanitise::spelled(local)));
    let source = format!("`{}`\n{}", dump.name(), describe(dump));
    let changes = sanitising.lines.into_iter().chain(restore.lost()).collect();
    consent::ask(local, &Replacing { site, source, changes, apart: None })?;
    restore.run()
}

/// Why the dump's tables can't be made in place: those of other roles stay, and have their names.
fn in_the_way(survey: &Survey, inventory: &Inventory) -> Option<Error> {
    let comes = |schema: &str, name: &str| inventory.tables.iter().any(|table| table.0 == schema && table.1 == name);
    let there = survey.strangers.iter().filter(|(schema, name, _)| comes(schema, name));
    let tables: Vec<_> = there.map(|(schema, name, owner)| format!("`{schema}.{name}` of `{owner}`")).collect();
    let user = &survey.user;
    (!tables.is_empty()).then(|| {
        Error::task(format!("tables of other roles are in the way of what the dump has: {}", tables.join(", ")))
            .hint(format!("let the role make databases, so that nothing has to go first: ALTER ROLE {user} CREATEDB"))
            .hint("or drop these tables, or give them to it: ALTER TABLE … OWNER TO …")
    })
}

/// Which rights come with a dump: all of the stage's own, of another stage's those of everybody. Who owns what comes unless
/// an owner is configured.
fn brought(local: &Local<'_>, site: &Site<'_>, dump: &Dump, inventory: &Inventory) -> Vec<Right> {
    let stage = dump.manifest.as_ref().map(|manifest| &*manifest.stage).or(local.option("data-of"));
    let is_own = stage == Some(&*site.stage.name);
    let comes = |right: &&Right| match &right.whose {
        Whose::Everybodys => true,
        Whose::Roles(_) | Whose::Nobodys => is_own,
        Whose::Owners(role) => is_own && site.config.owner.is_none() && site.survey.owner.as_ref() != Some(role),
    };
    inventory.rights.iter().filter(comes).cloned().collect()
}

/// What a dump is, in a few words.
pub(super) fn describe(dump: &Dump) -> String {
    match &dump.manifest {
        Some(manifest) => format!("{}, of stage {}, made {}", size(dump.bytes), manifest.stage, manifest.created),
        None => format!("{}, without a manifest", size(dump.bytes)),
    }
}

fn absolute(path: &Path) -> Result<String> {
    let path = path.canonicalize().map_err(|error| io_failed("the dump is gone", error))?;
    path.into_os_string().into_string().map_err(|path| Error::usage(format!("`{}` is not UTF-8", path.display())))
}
