//! The key of a Rails application's credentials, which no commit has.

use std::path::{Path, PathBuf};

use deploy_core::error::Error;

/// Rails takes the key from here before it looks for a file.
const VARIABLE: &str = "RAILS_MASTER_KEY";

/// The key, as far as a build in a folder of its own needs one and doesn't have it.
pub(crate) enum MasterKey {
    /// It needs none, or has it.
    Unneeded,
    /// What stands in the project's own file.
    Found(String),
    /// It is missing: this is where it would be found.
    Missing(PathBuf),
}

impl MasterKey {
    /// For a build in `folder`, which has the files of a commit of the project in `root`. `variable` says which variables the
    /// build has.
    pub(crate) fn new(root: &Path, folder: &Path, variable: impl Fn(&str) -> Option<String>) -> MasterKey {
        let environment = variable("RAILS_ENV").unwrap_or_else(|| "production".to_owned());
        let of_environment = format!("config/credentials/{environment}");
        let base = [of_environment.as_str(), "config/master"];
        let sealed = [format!("{of_environment}.yml.enc"), "config/credentials.yml.enc".to_owned()];
        let Some(number) = sealed.iter().position(|file| folder.join(file).is_file()) else {
            return MasterKey::Unneeded;
        };
        let key = format!("{}.key", base[number]);
        if variable(VARIABLE).is_some() || folder.join(&key).exists() {
            return MasterKey::Unneeded;
        }
        match std::fs::read_to_string(root.join(&key)) {
            Ok(text) => MasterKey::Found(text.trim().to_owned()),
            Err(_) => MasterKey::Missing(root.join(&key)),
        }
    }

    /// The variable that hands it to Rails.
    pub(crate) fn variable(&self) -> Option<(String, String)> {
        match self {
            MasterKey::Found(key) => Some((VARIABLE.to_owned(), key.clone())),
            _ => None,
        }
    }

    /// The failure of a build, with what may have been missing: Rails names a file in a folder that is made anew each time.
    pub(crate) fn explained(&self, error: anyhow::Error, stage: &str) -> anyhow::Error {
        let MasterKey::Missing(file) = self else { return error };
        match error.downcast::<Error>() {
            Err(error) => error,
            Ok(error) => error
                .hint(format!("if it lacks the key of the credentials, write that into `{}`", file.display()))
                .hint(format!("or into the variable: {VARIABLE}=… cargo xtask deploy {stage}"))
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A project and a checkout of it, each with these files.
    fn key(project: &[&str], checkout: &[&str]) -> MasterKey {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("target/deploy/assets/production");
        let files = project.iter().map(|file| root.path().join(file));
        for file in files.chain(checkout.iter().map(|file| folder.join(file))) {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("{}\n", file.file_name().unwrap().display())).unwrap();
        }
        MasterKey::new(root.path(), &folder, |_| None)
    }

    #[test]
    fn the_projects_own_key_opens_the_commits_credentials() {
        let both = ["config/credentials.yml.enc", "config/credentials/production.yml.enc"];
        let keys = ["config/master.key", "config/credentials/production.key"];
        let found = |checkout: &[&str]| key(&keys, checkout).variable().map(|(_, key)| key);
        assert_eq!(found(&both[..1]).as_deref(), Some("master.key"));
        assert_eq!(found(&both).as_deref(), Some("production.key"));
        assert_eq!(found(&["config.ru"]), None);
        assert_eq!(found(&[both[0], keys[0]]), None, "the commit has its own");
    }

    #[test]
    fn a_key_that_is_missing_is_explained_by_the_projects_path() {
        let missing = key(&["config.ru"], &["config/credentials.yml.enc"]);
        let MasterKey::Missing(file) = &missing else { panic!("there is a key") };
        assert!(file.ends_with("config/master.key") && !file.display().to_string().contains("target"));
        let explained = missing.explained(Error::task("`rake` ended with 1").into(), "production");
        let explained = explained.downcast::<Error>().unwrap().to_string();
        assert!(explained.contains(&file.display().to_string()), "{explained}");
        assert!(explained.contains("RAILS_MASTER_KEY=… cargo xtask deploy production"), "{explained}");
    }
}
