//! What a restore has on the server: the lock, a private folder, and the dump.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Restore;
use crate::database::adapter::Names;
use crate::database::opened::Sum;
use crate::database::site::{Site, io_failed};
use crate::database::wire::{Packing, Sender};
use crate::error::{Error, ErrorKind, Result};
use crate::script::nonce;
use crate::task::{Found, Held, Local};
use crate::ui::size;

/// How long to wait before looking again whether another restore is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is on the server for a restore.
pub(super) struct Workshop {
    pub(super) names: Names,
    pub(super) folder: String,
    pub(super) file: String,
    /// What has the lock.
    pub(super) holder: String,
    pub(super) held: Box<dyn Held>,
}

impl Restore<'_, '_> {
    /// Takes the lock on restores of this database, and brings the dump to its machine.
    pub(super) fn open(&self) -> Result<Workshop> {
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
}

/// Takes the lock on restores of the database, and makes a private folder on its machine.
///
/// # Errors
///
/// When somebody else has the lock, or the machine has no place for the folder.
pub(in crate::database) fn hold(local: &Local<'_>, site: &Site<'_>, names: &Names) -> Result<(Box<dyn Held>, Found)> {
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

fn absolute(path: &Path) -> Result<String> {
    let path = path.canonicalize().map_err(|error| io_failed("the dump is gone", error))?;
    path.into_os_string().into_string().map_err(|path| Error::usage(format!("`{}` is not UTF-8", path.display())))
}
