//! Everything for a [Rails](https://rubyonrails.org) application, in one line: a bundle of the recipes `bundler`,
//! `migrations`, `assets` and `passenger`, with what Rails itself needs.
//!
//! Register it in `xtask/src/main.rs` with `.bundle::<Rails>()`, and turn it on in `deploy.toml`:
//!
//! ```toml
//! [recipes.rails]
//!
//! [recipes.bundler]
//! jobs = 8
//!
//! [recipes.passenger]
//! enabled = false
//! ```
//!
//! The recipes of the bundle are on with their defaults, and their own tables tune them; `enabled = false` turns one
//! off.
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `rails_env` | string | the stage's name | The `RAILS_ENV` of every task, unless `default_env` has one |
//! | `linked_dirs` | list of paths | `["log", "tmp/pids", "tmp/cache/assets", "tmp/sockets", "storage"]` | Folders that are added to the stage's `linked_dirs` |
//! | `linked_files` | list of paths | `[]` | Files that are added to the stage's `linked_files`: a deploy stops where one is missing |
//! | `optional_linked_files` | list of paths | `["config/database.yml", "config/master.key", "config/credentials/{rails_env}.key"]` | Files that are added to the stage's `optional_linked_files`: they are linked where they are in `shared/`. `{rails_env}` stands for the environment |
//! | `boot_check` | boolean | `true` | Whether a deploy starts the application once before it is live |
//! | `boot_roles` | list of roles | `["app"]` | Where it does |
//!
//! Of `tmp/cache` only the cache of assets is shared. Bootsnap's never forgets a file, and Vite's says what was built last,
//! which is not what is live: each release has its own.
//!
//! What it adds: `deploy:boot`, after `deploy:updated` and what the other recipes do there. It loads `config.ru` and every
//! class of the new release, as the web server will, so a release that doesn't start is never live, and what was live goes
//! on. That takes as long as the application needs to start, on all servers at once. The application finds the
//! variables of `default_env`; those that only the web server sets it doesn't find. It is a detail, which
//! `cargo xtask tasks --flow deploy --all` shows.
//!
//! The commands `cargo xtask db …` read `config/database.yml`, unless `[database]` says where the connection comes from.
//!
//! A file that every server has to have belongs into `linked_files`: its absence is told before anything is deployed.
//! What the stage links already, in part or as a whole, is not linked a second time.

mod boot;

use deploy_assets::Assets;
use deploy_bundler::Bundler;
use deploy_core::prelude::*;
use deploy_migrations::Migrations;
use deploy_passenger::Passenger;
use serde::Deserialize;

pub use boot::BOOT;

/// `[recipes.rails]`. The crate's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above is their documentation, and a test holds it complete")]
pub struct Rails {
    pub rails_env: Option<String>,
    pub linked_dirs: Vec<String>,
    pub linked_files: Vec<String>,
    pub optional_linked_files: Vec<String>,
    pub boot_check: bool,
    pub boot_roles: Vec<String>,
}

impl Default for Rails {
    fn default() -> Rails {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Rails {
            rails_env: None,
            linked_dirs: texts(&["log", "tmp/pids", "tmp/cache/assets", "tmp/sockets", "storage"]),
            linked_files: Vec::new(),
            optional_linked_files: texts(&[
                "config/database.yml",
                "config/master.key",
                "config/credentials/{rails_env}.key",
            ]),
            boot_check: true,
            boot_roles: texts(&["app"]),
        }
    }
}

impl Bundle for Rails {
    fn recipes(xtask: Xtask) -> Xtask {
        xtask.recipe::<Bundler>().recipe::<Migrations>().recipe::<Assets>().recipe::<Passenger>()
    }
}

impl Recipe for Rails {
    const NAME: &'static str = "rails";

    fn register(self, tasks: &mut Tasks) {
        let rails_env = self.rails_env.as_deref().or(tasks.stage()).unwrap_or("production").to_owned();
        tasks.env("RAILS_ENV", &rails_env);
        tasks.database_yml("config/database.yml", &rails_env);
        self.register_boot(tasks);
        self.link(tasks, &rails_env);
    }
}

impl Rails {
    /// What all releases share.
    fn link(self, tasks: &mut Tasks, rails_env: &str) {
        self.linked_dirs.into_iter().for_each(|dir| tasks.linked_dir(dir));
        self.linked_files.into_iter().for_each(|file| tasks.linked_file(file));
        for file in self.optional_linked_files {
            tasks.optional_linked_file(file.replace("{rails_env}", rails_env));
        }
    }
}

#[cfg(test)]
mod tests;
