//! `[recipes.assets]`, and which of its values go together.

use std::collections::BTreeMap;

use deploy_core::config::Server;
use deploy_core::error::Error;
use deploy_core::task::{Local, Servers};
use serde::Deserialize;

/// `[recipes.assets]`. The crate's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the crate's table is their documentation, and a test holds it complete")]
pub struct Assets {
    pub preset: Preset,
    pub build_on: BuildOn,
    pub roles: Vec<String>,
    pub commands: Vec<String>,
    pub prefixes: Vec<String>,
    pub manifests: Vec<String>,
    pub output: Vec<String>,
    pub rails_env: Option<String>,
    pub env: BTreeMap<String, String>,
    pub keep_assets: Option<usize>,
    pub normalize: Vec<String>,
    pub skip_unchanged: bool,
    pub inputs: Vec<String>,
}

/// What compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Rails, with Sprockets, Propshaft, or whatever `rake assets:precompile` runs: into folders that releases share.
    Rails,
    /// The script `build` of `package.json`: into folders of the release's own.
    Npm,
}

/// Where the assets are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildOn {
    /// On every server.
    Server,
    /// On this machine, once.
    Controller,
}

/// The manifests of Sprockets, of Webpacker and its like, of Propshaft, and of Vite.
const MANIFESTS: [&str; 4] = [".sprockets-manifest*", "manifest*.*", ".manifest.json", ".vite/manifest*.json"];

/// What `rake assets:precompile` reads, as a rule.
const RAILS_INPUTS: [&str; 14] = [
    "app/assets",
    "app/javascript",
    "lib/assets",
    "vendor/assets",
    "vendor/javascript",
    "config",
    "Gemfile.lock",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    ".ruby-version",
    ".node-version",
    ".tool-versions",
];

impl Default for Assets {
    fn default() -> Assets {
        Assets {
            preset: Preset::Rails,
            build_on: BuildOn::Server,
            roles: texts(&["web"]),
            commands: Vec::new(),
            prefixes: texts(&["assets"]),
            manifests: texts(&MANIFESTS),
            output: texts(&["dist"]),
            rails_env: None,
            env: BTreeMap::new(),
            keep_assets: None,
            normalize: Vec::new(),
            skip_unchanged: false,
            inputs: Vec::new(),
        }
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl Assets {
    /// The servers that have assets.
    pub(crate) fn servers(&self) -> Servers {
        Servers::roles(self.roles.clone()).with_releases()
    }

    /// The folders of the release that assets are compiled to.
    pub(crate) fn folders(&self) -> Vec<String> {
        match self.preset {
            Preset::Rails => self.prefixes.iter().map(|prefix| format!("public/{prefix}")).collect(),
            Preset::Npm => self.output.clone(),
        }
    }

    /// The variables of every task. Rails sets its groups of gems by `RAILS_GROUPS`.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        // Tools that ask, or go on where they should stop, don't when they know that nobody looks.
        let mut variables = BTreeMap::from([("CI".to_owned(), "true".to_owned())]);
        if self.preset == Preset::Rails {
            variables.insert("RAILS_GROUPS".to_owned(), "assets".to_owned());
            variables.extend(self.rails_env.iter().map(|name| ("RAILS_ENV".to_owned(), name.clone())));
        }
        variables.extend(self.env.clone());
        variables
    }

    /// The paths that `skip_unchanged` compares.
    pub(crate) fn inputs(&self) -> Vec<String> {
        match (self.inputs.is_empty(), self.preset) {
            (true, Preset::Rails) => texts(&RAILS_INPUTS),
            _ => self.inputs.clone(),
        }
    }

    /// The body of `deploy:set_shared_assets`.
    pub(crate) fn check(&self, local: &mut Local<'_>) -> anyhow::Result<()> {
        if self.servers().of(local.stage, |_: &Server| true).is_empty() {
            let roles = self.roles.join("`, `");
            local.note(format!("no server has the role `{roles}`: assets are compiled nowhere"));
        }
        Ok(self.refuse(&local.stage.settings.linked_dirs)?)
    }

    /// Refuses settings that don't go together, or not with the stage's `linked_dirs`.
    pub(crate) fn refuse(&self, linked_dirs: &[String]) -> Result<(), Error> {
        let error = |message: String, hint: &str| Err(Error::config(message).hint(hint));
        let npm = self.preset == Preset::Npm;
        if self.folders().is_empty() {
            return error(
                "the assets are compiled to no folder".into(),
                "name one in [recipes.assets]: `prefixes`, or `output` with the preset `npm`",
            );
        }
        if npm && self.keep_assets.is_some() {
            return error(
                "`keep_assets` means nothing with the preset `npm`: each release has its own output".into(),
                "take it out of [recipes.assets]",
            );
        }
        if npm && self.skip_unchanged && self.inputs.is_empty() {
            return error(
                "`skip_unchanged` has to know what the build reads".into(),
                "write in [recipes.assets]: inputs = [\"src\", \"package.json\", \"package-lock.json\"], or what it is",
            );
        }
        if let Some(linked) = linked_dirs.iter().find(|dir| self.empties_packages() && is_packages(dir)) {
            return error(
                format!("the linked folder `{linked}` is what the live release has too, and `npm ci` empties it first"),
                "take it out of linked_dirs, or write in [recipes.assets]: commands = [\"npm install\", …]",
            );
        }
        match self.misplaced(linked_dirs) {
            Some((linked, folder)) if npm => error(
                format!(
                    "the build would write to `{folder}`, and so into the linked folder `{linked}` of the live release"
                ),
                "take it out of linked_dirs: each release has its own output",
            ),
            Some((linked, folder)) => error(
                format!("the linked folder `{linked}` lies inside of `{folder}`, which is linked as a whole"),
                "take it out of linked_dirs",
            ),
            None => Ok(()),
        }
    }

    /// Whether the build removes all packages of npm's before it installs them.
    fn empties_packages(&self) -> bool {
        let cleans = |command: &String| ["npm ci", "npm clean-install"].iter().any(|text| command.contains(text));
        if self.commands.is_empty() { self.preset == Preset::Npm } else { self.commands.iter().any(cleans) }
    }

    /// A linked folder that is in the way of one of ours.
    fn misplaced<'s>(&self, linked_dirs: &'s [String]) -> Option<(&'s String, String)> {
        let inside = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
        let is_in_the_way = |linked: &str, folder: &str| match self.preset {
            Preset::Rails => inside(linked, folder),
            Preset::Npm => linked == folder || inside(linked, folder) || inside(folder, linked),
        };
        let pairs =
            self.folders().into_iter().flat_map(|folder| linked_dirs.iter().map(move |dir| (dir, folder.clone())));
        pairs.into_iter().find(|(linked, folder)| is_in_the_way(linked, folder))
    }
}

/// Whether a folder is npm's, or lies in it.
fn is_packages(dir: &str) -> bool {
    dir.split('/').any(|name| name == "node_modules")
}
