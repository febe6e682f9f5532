//! Where gems are installed, and how Bundler is told.

use serde::Deserialize;

/// `path`: where gems are installed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Gems {
    /// Where Ruby's own gems are, which all applications of the server share.
    System,
    /// In a folder: below `shared/`, or absolute.
    Folder(String),
}

impl From<String> for Gems {
    fn from(text: String) -> Gems {
        if text == "system" { Gems::System } else { Gems::Folder(text) }
    }
}

impl Gems {
    /// Bundler's settings, in their order, with their values; without one, a setting that is not to be there.
    ///
    /// Bundler takes `deployment` for a wish to have a folder, so the gems of the system go with `frozen`, which is the
    /// other half of it.
    pub(crate) fn settings(&self, deployment: bool, shared: &str) -> [(&'static str, Option<String>); 4] {
        let is_frozen = Some(if deployment { "true" } else { "false" }.to_owned());
        match self {
            Gems::System => {
                [("deployment", None), ("path", None), ("frozen", is_frozen), ("path.system", Some("true".to_owned()))]
            }
            Gems::Folder(folder) => {
                let path = if folder.starts_with('/') { folder.clone() } else { format!("{shared}/{folder}") };
                [("frozen", None), ("path.system", None), ("deployment", is_frozen), ("path", Some(path))]
            }
        }
    }
}
