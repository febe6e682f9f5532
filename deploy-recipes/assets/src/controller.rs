//! Assets that are compiled on the controller, and sent to the servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deploy_core::error::Error;
use deploy_core::prelude::*;
use deploy_core::task::{Local, Payload, ServerCx};

use crate::compile::{ASSETS, Place};
use crate::master_key::MasterKey;
use crate::outside;
use crate::settings::{Assets, Preset};

/// The fact about the run that names the file with the assets.
pub(crate) const ARCHIVE: &str = "assets_archive";

/// The fact about the run that says what the assets were made from.
pub(crate) const INPUTS: &str = "assets_inputs";

/// What a server needs.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Assets of this commit, unless the live release was built from the same.
    Of(String),
    /// Nothing: the release that is reverted to has all.
    Nothing,
}

/// The assets, if the controller has built any.
pub(crate) fn feed(cx: &ServerCx<'_>) -> anyhow::Result<Option<Payload>> {
    let Some(file) = cx.known(ARCHIVE).map(PathBuf::from) else { return Ok(None) };
    let bytes = std::fs::metadata(&file).with_context(|| format!("can't read `{}`", file.display()))?.len();
    Ok(Some(Payload { file, bytes }))
}

impl Assets {
    /// The body of `deploy:survey_assets`: what the release is, whether its assets are there, and what the live
    /// release's were made from, if these are.
    pub(crate) fn survey(&self, place: &Place) -> Script {
        let whole = match self.preset {
            Preset::Rails => Cmd::new("assets_whole").unprefixed(),
            Preset::Npm => Cmd::new("assets_output").unprefixed().args(&self.output),
        };
        let live = sh!(
            "if cd -- {} 2>/dev/null; then deploy_fact assets_live \"$(assets_kept inputs)\"; fi",
            place.layout.current()
        );
        place
            .start(self)
            .then(sh!("deploy_fact assets_revision \"$(cat REVISION 2>/dev/null || :)\""))
            .when(whole, sh!("deploy_fact assets_whole yes"), sh!("deploy_fact assets_whole no"))
            .then(live)
    }

    /// The body of `deploy:build_assets`.
    pub(crate) fn build_here(&self, local: &mut Local<'_>) -> anyhow::Result<()> {
        let Wanted::Of(revision) = self.wanted(local)? else {
            local.note("every server has the assets of the release");
            return Ok(());
        };
        let folder = local.config.work_dir.join("assets").join(&local.stage.name);
        flow::git::checkout(local, &revision, &folder)?;
        self.must_stay_inside(&folder)?;
        if self.skip_unchanged && self.is_live(local, &folder)? {
            local.note("the live release was built from the same");
            return Ok(());
        }
        self.run_here(local, &folder)?;
        let archive = self.pack(local, &folder)?;
        local.set(ARCHIVE, archive.display().to_string());
        Ok(())
    }

    /// The servers of the run that have assets.
    fn facts(&self, local: &Local<'_>, name: &str) -> Vec<String> {
        let servers = self.servers().of(local.stage, |_| true);
        let of_run = servers.into_iter().filter(|server| local.servers.contains(server));
        of_run.map(|server| local.fact(server, name).unwrap_or_default()).collect()
    }

    /// A deploy wants assets of what it deploys; a rollback only where they are gone; a task that is called alone those of
    /// the live release.
    fn wanted(&self, local: &Local<'_>) -> anyhow::Result<Wanted> {
        if local.run_fact("new_release").is_some() {
            return Ok(Wanted::Of(local.run_fact("revision").context("it isn't known which commit is deployed")?));
        }
        let is_whole = |fact: &String| fact == "yes";
        if local.run_fact("release").is_some() && self.facts(local, "assets_whole").iter().all(is_whole) {
            return Ok(Wanted::Nothing);
        }
        one_revision(self.facts(local, "assets_revision")).map(Wanted::Of)
    }

    /// Whether the live release of every server was built from what stands in `folder`.
    fn is_live(&self, local: &mut Local<'_>, folder: &Path) -> anyhow::Result<bool> {
        let shell = local.shell()?;
        shell.change_dir(folder);
        let settings = self.settings_text(&Place::environment(&local.stage.settings));
        let text = format!("repo=''\n{ASSETS}\nassets_inputs \"$SETTINGS\" \"$@\"");
        let hash = shell.cmd("sh").args(["-c", &text, "sh"]).args(self.inputs());
        // Not as an argument: others could read what `env` holds in `ps`.
        let Ok(inputs) = hash.env("SETTINGS", settings).quiet().ignore_stderr().read() else { return Ok(false) };
        local.set(INPUTS, &inputs);
        Ok(local.run_fact("new_release").is_some()
            && self.facts(local, "assets_live").iter().all(|live| *live == inputs))
    }

    fn run_here(&self, local: &Local<'_>, folder: &Path) -> anyhow::Result<()> {
        let shell = local.shell()?;
        shell.change_dir(folder);
        self.variables_here(local)?.into_iter().for_each(|(name, value)| shell.set_var(name, value));
        let key = MasterKey::new(&local.config.root, folder, |name| shell.var(name).ok());
        key.variable().into_iter().for_each(|(name, value)| shell.set_var(name, value));
        let commands: &[&str] = match self.preset {
            Preset::Rails => &["bundle exec rake assets:precompile"],
            Preset::Npm => &["npm ci", "npm run build"],
        };
        let own: Vec<_> = self.commands.iter().map(String::as_str).collect();
        let commands = if own.is_empty() { commands } else { &own };
        let run = |command: &&str| local.run(shell.cmd("sh").args(["-euc", command]));
        commands.iter().try_for_each(run).map_err(|error| key.explained(error, &local.stage.name))
    }

    /// The variables of a build here: those of the stage, without the servers' `PATH`, and the recipe's.
    fn variables_here(&self, local: &Local<'_>) -> anyhow::Result<BTreeMap<String, String>> {
        let mut variables = local.default_env()?;
        variables.remove("PATH");
        if self.preset == Preset::Rails {
            variables.entry("RAILS_ENV".to_owned()).or_insert_with(|| local.stage.name.clone());
        }
        variables.extend(self.variables());
        Ok(variables)
    }

    /// Looked at before the build, which would write where symlinks lead, and after it.
    fn must_stay_inside(&self, folder: &Path) -> anyhow::Result<()> {
        self.folders().iter().try_for_each(|name| outside::must_stay_inside(folder, name))
    }

    /// One file with all that was compiled.
    fn pack(&self, local: &Local<'_>, folder: &Path) -> anyhow::Result<PathBuf> {
        self.must_stay_inside(folder)?;
        let folders = self.folders();
        if let Some(missing) = folders.iter().find(|name| !folder.join(name).is_dir()) {
            return Err(Error::task(format!("the build made no folder `{missing}`"))
                .hint("see `prefixes` or `output` in [recipes.assets]")
                .into());
        }
        let archive = PathBuf::from(format!("{}.tar.gz", folder.display()));
        // A symlink by that name leads to a file that isn't ours.
        if archive.symlink_metadata().is_ok() {
            std::fs::remove_file(&archive).with_context(|| format!("can't remove `{}`", archive.display()))?;
        }
        let shell = local.shell()?;
        let tar = shell.cmd("tar").args(["-c", "-z", "-f"]).arg(&archive).arg("-C").arg(folder).arg("--").args(folders);
        local.run(tar)?;
        Ok(archive)
    }
}

/// The one commit that the releases of all servers were made of.
fn one_revision(mut revisions: Vec<String>) -> anyhow::Result<String> {
    revisions.sort_unstable();
    revisions.dedup();
    match revisions.as_slice() {
        [revision] if !revision.is_empty() => Ok(flow::ObjectId::parse(revision)?.as_str().to_owned()),
        [] => Err(Error::task("no server that takes part has assets").hint("see `roles` in [recipes.assets]").into()),
        _ => Err(Error::task(format!("the servers' releases were made of several commits: {}", revisions.join(", ")))
            .hint("deploy one of them everywhere: cargo xtask deploy STAGE --revision SHA")
            .into()),
    }
}
