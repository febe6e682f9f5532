//! Compiles the assets of a release: stylesheets, scripts and images under names with digests, as the gem
//! `capistrano-rails` does, or whatever a build of your own makes.
//!
//! Register it in `xtask/src/main.rs` with `.recipe::<Assets>()`, and turn it on in `deploy.toml`:
//!
//! ```toml
//! [recipes.assets]
//! keep_assets = 3
//! ```
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `preset` | `"rails"`, `"npm"` | `"rails"` | What compiles: `rake assets:precompile`, or `npm ci` and `npm run build` |
//! | `build_on` | `"server"`, `"controller"` | `"server"` | Whether each server compiles, or this machine does once and sends the result |
//! | `roles` | list of roles | `["web"]` | Which servers have assets |
//! | `commands` | list of strings | the preset's | Shell text that compiles instead, in the release |
//! | `prefixes` | list of paths | `["assets"]` | `rails`: the folders below `public/` that assets are compiled to, shared by all releases |
//! | `manifests` | list of patterns | see below | `rails`: the files in these folders that say which digests belong to a release |
//! | `output` | list of paths | `["dist"]` | `npm`: the folders that the build writes, each release its own |
//! | `rails_env` | string | `RAILS_ENV`, else the stage's name | `rails`: the environment to compile in |
//! | `env` | table of strings | `{}` | Variables for the commands. They have `CI = "true"` besides |
//! | `keep_assets` | integer | none | `rails`: how many versions of each asset a deploy leaves; without it, all stay |
//! | `normalize` | list of paths | `[]` | Files and folders of the release whose times become the release's, on all servers alike |
//! | `skip_unchanged` | boolean | `false` | Whether nothing is compiled where the live release was built from the same |
//! | `inputs` | list of paths | see below | All that a build reads: what `skip_unchanged` compares |
//!
//! What it adds:
//!
//! * `deploy:set_shared_assets`, before `deploy:starting`: refuses settings that don't go together. The folders of
//!   `prefixes` are linked folders, unless `public` as a whole is.
//! * `deploy:compile_assets` and `deploy:normalize_assets`, after `deploy:updated`. If compiling fails, nothing is
//!   published.
//! * `deploy:backup_manifest`, after compiling: keeps the manifests of every pipeline in the release, in
//!   `assets_manifest_backup`, at the paths that they have.
//! * `deploy:rollback_assets`, after `deploy:reverted`: puts the earlier release's manifests back. Where one of them, or
//!   an asset that they name, is gone, it compiles again. Releases that Capistrano made are understood.
//! * `deploy:hold_manifest`, after each of the two: the live release has its manifests back until
//!   `deploy:publish_manifest`, before `deploy:publishing`, puts those of the next one in their place.
//! * `deploy:restore_manifest`, after `deploy:failed`: the live release gets its manifests back.
//! * `deploy:cleanup_assets`, after `deploy:finishing`, with `keep_assets`; `deploy:clobber_assets`, never by itself.
//!
//! # Pages of the live release
//!
//! With `rails`, releases share their assets: a build adds files with digests and takes none away, so that the live
//! pages, and those in browsers, keep theirs. It runs in folders of the release's own, which begin with copies of the
//! manifests; when it is done, what it wrote is added to the shared ones. So it may empty its folders first, as Vite does, or
//! fail, and visitors notice nothing. (Only what is live already, as with `cargo xtask deploy compile-assets`, is built where
//! it is.) The one thing that is written over is the manifest, which processes read when they start: it is the live release's
//! again as soon as the new release has its copy, and becomes the new one's in the moment of the switch. A process that starts while assets are compiled, or in that moment, may name the other
//! release's assets; they are there. Releases that were made without this recipe get no manifest back.
//!
//! With `npm`, each release has its own output, since builds empty their folder first. A page that a browser has loaded
//! before a deploy finds only what the new build has too.
//!
//! # Without compiling
//!
//! With `skip_unchanged`, a release takes the live release's assets if it would be built from the same: the names and
//! contents of all files of `inputs`, all settings of this recipe, `default_env` and `command_prefix`. They are compared
//! on the server, in the release as it is before the build, with what the live release wrote down before its own. And the
//! live release's assets must be there. Whatever else the build reads has to be added to `inputs`: views, where Tailwind
//! looks for classes in them. The default for `rails` is `app/assets`, `app/javascript`, `lib/assets`, `vendor/assets`,
//! `vendor/javascript`, `config`, the lock files of Bundler, npm, Yarn and pnpm, `package.json`, and the files that choose
//! a version of Ruby or Node. For `npm` there is none.
//!
//! # Built here
//!
//! With `build_on = "controller"`, the commit's files are put into a folder of their own, so that nothing uncommitted gets
//! in; `bundle exec rake assets:precompile` (or the other commands) runs there with this machine's programs and the
//! variables of `default_env`, all but `PATH`, and `prefixes` or `output` is sent to each server. A rollback that has to
//! compile again does so here, too. Where Rails needs the key of the credentials, it gets that of the project's own
//! `config/master.key`, or `config/credentials/ENVIRONMENT.key`.
//!
//! # What a release ships
//!
//! No symlink of a release leads what is built, kept or sent out of it: it is refused, as a rule when the release's files have
//! just been unpacked. With `npm`, `node_modules` can't be a linked folder: `npm ci` empties it.

mod compile;
mod controller;
mod manifests;
mod master_key;
mod outside;
mod settings;
#[cfg(test)]
mod tests;

use deploy_core::prelude::*;
use deploy_core::task::{Effect, Kind, ServerCx};

pub use settings::{Assets, BuildOn, Preset};

/// Refuses settings that don't go together.
pub const SET_SHARED_ASSETS: TaskId = TaskId::new("deploy:set_shared_assets");
/// Compiles the assets of the release.
pub const COMPILE_ASSETS: TaskId = TaskId::new("deploy:compile_assets");
/// Gives files the same times on all servers.
pub const NORMALIZE_ASSETS: TaskId = TaskId::new("deploy:normalize_assets");
/// Keeps the manifests of the release in it.
pub const BACKUP_MANIFEST: TaskId = TaskId::new("deploy:backup_manifest");
/// Goes back to the assets of an earlier release.
pub const ROLLBACK_ASSETS: TaskId = TaskId::new("deploy:rollback_assets");
/// Puts the live release's manifests back until the new release goes live.
pub const HOLD_MANIFEST: TaskId = TaskId::new("deploy:hold_manifest");
/// Puts the manifests of the release in place, right before it goes live.
pub const PUBLISH_MANIFEST: TaskId = TaskId::new("deploy:publish_manifest");
/// Puts the live release's manifests back after a failure.
pub const RESTORE_MANIFEST: TaskId = TaskId::new("deploy:restore_manifest");
/// Removes old versions of assets.
pub const CLEANUP_ASSETS: TaskId = TaskId::new("deploy:cleanup_assets");
/// Removes all assets.
pub const CLOBBER_ASSETS: TaskId = TaskId::new("deploy:clobber_assets");
/// Reads what the releases on a server have.
pub const SURVEY_ASSETS: TaskId = TaskId::new("deploy:survey_assets");
/// Compiles on the controller.
pub const BUILD_ASSETS: TaskId = TaskId::new("deploy:build_assets");

impl Recipe for Assets {
    const NAME: &'static str = "assets";

    fn register(self, tasks: &mut Tasks) {
        match self.preset {
            Preset::Rails => self.folders().into_iter().for_each(|folder| tasks.linked_dir(folder)),
            Preset::Npm => self.output.iter().for_each(|folder| tasks.made_path(format!("{folder}/"))),
        }
        self.normalize.iter().for_each(|path| tasks.made_path(format!("{path}/")));
        self.add_tasks(tasks);
        tasks.hook(When::Before(flow::STARTING), SET_SHARED_ASSETS);
        tasks.hook(When::After(flow::UPDATED), COMPILE_ASSETS);
        tasks.hook(When::After(flow::UPDATED), NORMALIZE_ASSETS);
        tasks.hook(When::After(COMPILE_ASSETS), BACKUP_MANIFEST);
        tasks.hook(When::After(BACKUP_MANIFEST), HOLD_MANIFEST);
        tasks.hook(When::Before(flow::PUBLISHING), PUBLISH_MANIFEST);
        tasks.hook(When::After(flow::REVERTED), ROLLBACK_ASSETS);
        tasks.hook(When::After(ROLLBACK_ASSETS), HOLD_MANIFEST);
        tasks.hook(When::After(flow::FAILED), RESTORE_MANIFEST);
        if self.keep_assets.is_some() {
            tasks.hook(When::After(flow::FINISHING), CLEANUP_ASSETS);
        }
    }
}

impl Assets {
    fn add_tasks(&self, tasks: &mut Tasks) {
        let own = self.clone();
        tasks.task(Task::local(SET_SHARED_ASSETS, "Check the settings of assets", move |local| own.check(local)));
        let compile = self.task(COMPILE_ASSETS, "Compile the assets of the release", Assets::compile);
        let rollback = self.task(ROLLBACK_ASSETS, "Go back to the assets of the release", Assets::roll_back);
        match self.build_on {
            BuildOn::Server => [compile, rollback].into_iter().for_each(|task| tasks.task(task)),
            BuildOn::Controller => {
                let own = self.clone();
                let about = "Read what the releases have of assets";
                let survey = self.task(SURVEY_ASSETS, about, Assets::survey).effect(Effect::Prepares).hidden();
                let line = Kind::Line(200);
                tasks.task(
                    ["assets_revision", "assets_whole", "assets_live"]
                        .into_iter()
                        .fold(survey, |task, fact| task.reports(fact, line)),
                );
                let build = Task::local(BUILD_ASSETS, "Compile the assets here", move |local| own.build_here(local));
                tasks.task(build.needs([SURVEY_ASSETS]).sets(controller::ARCHIVE).sets(controller::INPUTS).hidden());
                for task in [compile, rollback] {
                    tasks.task(task.needs([BUILD_ASSETS]).feed(controller::feed));
                }
            }
        }
        tasks.task(self.task(NORMALIZE_ASSETS, "Give assets the same times on all servers", Assets::normalize));
        tasks.task(self.task(BACKUP_MANIFEST, "Keep the manifests of the release", Assets::back_up).hidden());
        for (id, about) in [
            (HOLD_MANIFEST, "Put the live release's manifests back until the new one goes live"),
            (RESTORE_MANIFEST, "Put the live release's manifests back"),
        ] {
            tasks.task(self.task(id, about, Assets::restore_live).dir(Dir::Home).hidden());
        }
        let own = self.clone();
        // On every server, since all go live in the same command: where there are no assets there is nothing to do.
        tasks.task(
            Task::script(
                PUBLISH_MANIFEST,
                "Put the manifests of the release in place",
                Servers::releases(),
                move |cx| own.publish_on(cx),
            )
            .dir(Dir::Release)
            .hidden(),
        );
        tasks.task(self.task(CLEANUP_ASSETS, "Remove old versions of assets", Assets::clean_up));
        tasks.task(self.task(CLOBBER_ASSETS, "Remove all assets", Assets::clobber));
    }

    /// The body of `deploy:publish_manifest`: what other servers have by the backup's name the repository has put there.
    fn publish_on(&self, cx: &ServerCx<'_>) -> Script {
        if self.roles.iter().any(|role| cx.server.roles.contains(role)) {
            self.publish(&compile::Place::of(cx))
        } else {
            Script::new()
        }
    }

    /// A task in the release.
    fn task(&self, id: TaskId, about: &'static str, script: fn(&Assets, &compile::Place) -> Script) -> Task {
        let own = self.clone();
        let script = move |cx: &ServerCx<'_>| script(&own, &compile::Place::of(cx));
        Task::script(id, about, self.servers(), script).dir(Dir::Release).envs(self.variables())
    }
}
