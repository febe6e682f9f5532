//! What is known before the configuration is read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What [`Config::load`](super::Config::load) needs to know. The library itself reads neither environment nor command line.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// Where to begin to look: the current folder, absolute.
    pub start: PathBuf,
    /// `--config FILE`; a relative path begins at `start`.
    pub file: Option<PathBuf>,
    /// The texts of `--set KEY=VALUE`, in order.
    pub set: Vec<String>,
    /// The environment: `DEPLOY__…` sets values, `HOME` and cargo's own variables say where things are.
    pub env: Vec<(OsString, OsString)>,
    /// The local user's name, for `local_user` where nothing says otherwise.
    pub user: String,
    /// Names that no stage may have: `cargo xtask deploy NAME` has another meaning for them.
    pub reserved_stages: Vec<String>,
    /// Names that no `[commands.NAME]` may have: the tool has them.
    pub reserved_commands: Vec<String>,
    /// The names of the registered recipes.
    pub recipes: Vec<String>,
    /// The recipes that each bundle turns on.
    pub bundles: BTreeMap<String, Vec<String>>,
    /// Whether errors are shown in colour.
    pub color: bool,
}

impl LoadRequest {
    /// The local user's name on one line, whatever the environment says: it stands in logs and locks of servers.
    pub(super) fn one_line_user(&self) -> String {
        let plain = self.user.replace(char::is_control, " ");
        let user = plain.trim();
        if user.is_empty() { "unknown".to_owned() } else { user.to_owned() }
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }
}
