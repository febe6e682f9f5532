//! A protected database is protected for every stage that leads to it: by a slip, an alias, a variable, a flag.
//!
//! Only the servers know which database is meant. So the protected stages' own are asked, and what they call themselves
//! is compared with what the stage's server says.

use super::adapter::Identity;
use super::site::Site;
use super::store::Store;
use crate::config::Stage;
use crate::error::{Error, Result};
use crate::task::Local;

/// Whose word it takes to replace the database of a stage.
#[derive(Debug)]
pub(super) enum Shield {
    /// Nobody's in particular.
    None,
    /// The database is that of a protected stage: its name is to be typed.
    Of(String),
    /// Whether it is that of a protected stage can't be found out, for this reason: the stage's own name is to be typed.
    Unknown(String, Error),
}

impl Shield {
    /// What protects the database of `site`, which is that of the run's stage. `apart`: a stage of which it is known
    /// already that it has another one.
    ///
    /// # Errors
    ///
    /// When the run is interrupted.
    pub(super) fn of<'l>(local: &Local<'l>, site: &Site<'_>, apart: Option<&str>) -> Result<Shield> {
        if site.stage.protected {
            return Ok(Shield::Of(site.stage.name.clone()));
        }
        let Some(own) = site.survey.identity.as_ref().filter(|_| site.survey.size.is_some()) else {
            return Ok(Shield::None);
        };
        let mut shield = Shield::None;
        let stages = local.config.stages.iter().filter(|stage| apart != Some(&*stage.name));
        // Where variables or flags lead a protected stage elsewhere, its own database is no less precious.
        for stage in stages.chain(&local.config.led_elsewhere).filter(|stage| is_precious(stage)) {
            match is_its(local, stage, own) {
                Ok(true) => return Ok(Shield::Of(stage.name.clone())),
                Ok(false) => {}
                Err(_) if was_elsewhere(stage, own) => {}
                Err(error) => shield = Shield::Unknown(stage.name.clone(), error),
            }
            if let Some(error) = (local.stop)() {
                return Err(error);
            }
        }
        Ok(shield)
    }
}

fn is_precious(stage: &Stage) -> bool {
    stage.protected && stage.settings.database.is_configured()
}

/// Whether the newest backup of `stage` that is kept here was made of another server than that of `own`: for those who have
/// the data, and no way to where it comes from.
fn was_elsewhere(stage: &Stage, own: &Identity) -> bool {
    let backups = Store::new(&stage.settings.database.backup_dir).backups().unwrap_or_default();
    let mut manifests = backups.into_iter().filter_map(|backup| backup.manifest);
    let newest = manifests.find(|manifest| manifest.stage == stage.name && !manifest.system.is_empty());
    newest.is_some_and(|manifest| !own.system.is_empty() && manifest.system != own.system)
}

/// Whether the database of `stage` is `own`.
fn is_its<'l>(local: &Local<'l>, stage: &'l Stage, own: &Identity) -> Result<bool> {
    let site = Site::open(local, stage)?;
    match (&site.survey.identity, site.survey.size) {
        (_, None) => Ok(false),
        (Some(identity), _) => Ok(identity.is_same(own)),
        (None, Some(_)) => Err(Error::task("its server doesn't say which database it is")),
    }
}
