//! The commands `cargo xtask db …`: backups of a stage's database, restores, and production's data for other stages.
//!
//! The commands know no database system: what is particular to one is an `Adapter`, whose scripts
//! run on the server that has the role `db`. Data passes through the controller, is never whole in memory, and is nowhere
//! left behind.

mod adapter;
mod backup;
mod consent;
mod console;
mod copy;
mod dump;
mod list;
mod manifest;
mod opened;
mod postgres;
mod preview;
mod prune;
mod restore;
mod sanitise;
mod shield;
mod site;
mod source;
mod store;
mod undo;
mod verify;
mod wire;

use std::path::PathBuf;

use self::manifest::Purpose;
use self::site::Site;
use crate::config::Settings;
use crate::error::{Error, Result, nearest};
use crate::registry::Tasks;
use crate::task::{Effect, Local, Opt, Output, Task, TaskId, When};

/// Makes a backup.
pub const BACKUP_CREATE: TaskId = TaskId::new("db:backup:create");
/// Restores a backup.
pub const BACKUP_RESTORE: TaskId = TaskId::new("db:backup:restore");
/// Takes the last restore back.
pub const BACKUP_UNDO: TaskId = TaskId::new("db:backup:undo");
/// Lists backups.
pub const BACKUP_LIST: TaskId = TaskId::new("db:backup:list");
/// Verifies backups.
pub const BACKUP_VERIFY: TaskId = TaskId::new("db:backup:verify");
/// Removes old backups.
pub const BACKUP_PRUNE: TaskId = TaskId::new("db:backup:prune");
/// Copies production's data to a stage.
pub const RESTORE_FROM_PROD: TaskId = TaskId::new("db:restore_from_prod");
/// Talks to the database.
pub const CONSOLE: TaskId = TaskId::new("db:console");
/// Makes a backup before a deploy migrates.
pub const BACKUP_BEFORE_MIGRATE: TaskId = TaskId::new("db:backup:before_migrate");

/// The task of the recipe `migrations` that migrates, where that is registered.
const MIGRATE: TaskId = TaskId::new("deploy:migrate");
/// The task that finds out how many migrations are pending: the fact `migrations_pending`.
const MIGRATIONS_PENDING: TaskId = TaskId::new("deploy:migrate:pending");

/// The stage that is meant where nothing is said.
const DEV: &str = "dev";

/// Registers the commands.
pub(crate) fn register(tasks: &mut Tasks) {
    let file = |about| Opt { name: "file", value: Some("FILE"), about };
    let switch = |name, about| Opt { name, value: None, about };
    let into_protected = switch("into-protected", "Replace the database though the stage is protected");
    let confirm = Opt {
        name: "confirm",
        value: Some("STAGE"),
        about: "The protected stage's name once more, where no terminal is there to type it on",
    };
    let about = "Whose data the backup has, where no manifest says so";
    let data_of = Opt { name: "data-of", value: Some("STAGE"), about };
    let sanitize = switch("sanitize", "Run `after_restore` though the data is the stage's own, or the stage protected");
    let replacing = |task: Task| {
        task.stage_option(DEV).option(into_protected.clone()).option(confirm.clone()).effect(Effect::Elsewhere)
    };
    tasks.task(
        command(BACKUP_CREATE, "Back the stage's database up, to a file on this machine", create)
            .explained(preview::create)
            .stage_option(DEV)
            .output(Output::Data)
            .effect(Effect::Elsewhere),
    );
    let about = "Open the database's own client on the server, or feed it what is piped in";
    tasks.task(
        command(CONSOLE, about, console::console)
            .explained(preview::console)
            .output(Output::Answer)
            .effect(Effect::Elsewhere),
    );
    tasks.task(
        replacing(command(BACKUP_RESTORE, "Replace the stage's database with a backup", restore::restore))
            .explained(preview::restore)
            .option(file("The backup: a path, or a name that `db backup list` shows"))
            .option(data_of.clone())
            .option(sanitize.clone()),
    );
    tasks.task(replacing(command(BACKUP_UNDO, "Take the last restore back", undo::undo)).explained(preview::undo));
    tasks.task(
        command(BACKUP_LIST, "List the backups on this machine", list::list)
            .any_stage()
            .option(switch("json", "As JSON"))
            .output(Output::Answer)
            .effect(Effect::Elsewhere),
    );
    tasks.task(
        command(BACKUP_VERIFY, "Verify backups on this machine", verify::verify)
            .stage_option(DEV)
            .option(file("Only this backup"))
            .option(switch(
                "deep",
                "Restore it, as it is, beside the stage's database, count rows, and remove it again",
            ))
            .output(Output::Data)
            .effect(Effect::Elsewhere),
    );
    tasks.task(
        command(
            BACKUP_PRUNE,
            "Remove the backups that `keep_last`, `keep_daily` and `keep_weekly` don't keep",
            prune::prune,
        )
        .any_stage()
        .effect(Effect::Elsewhere),
    );
    tasks.task(
        replacing(command(
            RESTORE_FROM_PROD,
            "Bring production's data to the stage: back it up, and restore it there",
            copy::restore_from_prod,
        ))
        .explained(preview::copy)
        .option(file("Use this backup instead of making one"))
        .option(data_of)
        .option(sanitize)
        .option(switch("keep", "Keep the dump on this machine, though the stage has `require_sanitize`"))
        .option(switch("no-keep", "Remove the dump from this machine afterwards")),
    );
}

/// Hooks the backup on the migration, where the stage asks for it and a recipe migrates.
pub(crate) fn tune(tasks: &mut Tasks, settings: &Settings) {
    if !settings.database.backup_before_migrate || tasks.get(&MIGRATE).is_none() {
        return;
    }
    let task = command(BACKUP_BEFORE_MIGRATE, "Back the database up before it is migrated", before_migrate)
        .explained(preview::create);
    let counts = tasks.get(&MIGRATIONS_PENDING).is_some();
    tasks.task(if counts { task.needs([MIGRATIONS_PENDING]) } else { task });
    tasks.hook(When::Before(MIGRATE), BACKUP_BEFORE_MIGRATE);
}

fn command(id: TaskId, about: &'static str, body: fn(&Local<'_>) -> Result<()>) -> Task {
    Task::local(id, about, move |local| Ok(body(local)?))
}

/// `db:backup:create`.
fn create(local: &Local<'_>) -> Result<()> {
    let site = Site::open(local, local.stage)?;
    let (path, _) = backup::create(local, &site, Purpose::Backup, &site.config.exclude)?;
    local.print(&format!("{}\n", path.display()));
    Ok(())
}

/// `db:backup:before_migrate`.
fn before_migrate(local: &Local<'_>) -> Result<()> {
    let pending = local.servers.iter().find_map(|server| local.fact(*server, "migrations_pending"));
    if pending.as_deref() == Some("0") {
        local.note("no migration is pending: no backup is needed");
        return Ok(());
    }
    let site = Site::open(local, local.stage)?;
    backup::create(local, &site, Purpose::BeforeMigrate, &site.config.exclude).map(drop)
}

/// The backup that `file` means: a path from where the user is or from the project's root, or a name in a folder of backups.
fn find_backup(local: &Local<'_>, file: &str) -> Result<PathBuf> {
    let path = PathBuf::from(file);
    let known = list::folders(local).into_iter().map(|folder| folder.join(&path));
    let candidates: Vec<_> = [path.clone(), local.config.root.join(&path)].into_iter().chain(known).collect();
    if let Some(found) = candidates.into_iter().find(|candidate| candidate.exists()) {
        return Ok(found);
    }
    let names: Vec<_> = list::kept(local)?.into_iter().map(|backup| backup.name).collect();
    let error = Error::usage(format!("there is no backup `{file}`"));
    Err(match nearest(file, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
    .hint("`cargo xtask db backup list` shows what there is"))
}
