//! What is written down beside a backup.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::adapter::{Schema, Setting};
use crate::error::{Error, Result};

/// The manifest of a backup: `NAME.json` beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The stage that it comes from.
    pub(super) stage: String,
    /// The database's name.
    pub(super) database: String,
    /// Why it was made.
    pub(super) purpose: Purpose,
    /// When it was begun, as `2026-11-22T10:15:00Z`.
    pub(super) created: String,
    /// Who made it.
    pub(super) by: String,
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// The SHA-256 of the file.
    pub(super) sha256: String,
    /// How long it took, in seconds.
    pub(super) seconds: f64,
    /// The version of the database server.
    pub(super) server_version: String,
    /// How large the database was on the server's disk, in bytes.
    pub(super) database_bytes: u64,
    /// How many tables are in it.
    pub(super) tables: u64,
    /// The commit that was live on the database's server.
    pub(super) revision: Option<String>,
    /// Up to where the database was migrated, where the application notes that.
    pub(super) schema: Option<Schema>,
    /// What the server called itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) system: String,
    /// What sessions in it begin with, which no dump has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) settings: Vec<Setting>,
    /// The indexes that were not valid; `None`: nobody looked.
    #[serde(default)]
    pub(super) invalid_indexes: Option<Vec<String>>,
    /// What was left out of it: `schema:audit`, `data:public.events`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) excluded: Vec<String>,
    /// What was found in the database that can't be restored as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<String>,
}

/// Why a backup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// Somebody asked for it.
    Backup,
    /// Its data went to another stage.
    Copy,
    /// A deploy was about to migrate.
    BeforeMigrate,
    /// A restore was about to overwrite the database.
    BeforeRestore,
}

impl Manifest {
    /// The path of the manifest of `dump`.
    pub(super) fn path_of(dump: &Path) -> PathBuf {
        let mut name = dump.as_os_str().to_owned();
        name.push(".json");
        PathBuf::from(name)
    }

    /// The manifest of `dump`, if there is one.
    ///
    /// # Errors
    ///
    /// When it can't be read, or isn't one.
    pub(super) fn of(dump: &Path) -> Result<Option<Manifest>> {
        let path = Manifest::path_of(dump);
        let broken = |error: anyhow::Error| {
            Error::task(format!("failed to read the manifest `{}`", path.display())).because(error).hint(format!(
                "if you trust the dump, remove the manifest: the dump is then checked without it: rm {}",
                path.display()
            ))
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| broken(error.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(error.into())),
        }
    }

    /// The text of the manifest's file.
    pub(super) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
