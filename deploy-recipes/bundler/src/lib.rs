//! Installs the gems of a release with [Bundler](https://bundler.io), as the gem `capistrano-bundler` does.
//!
//! Register it in `xtask/src/main.rs` with `.recipe::<Bundler>()`, and turn it on in `deploy.toml`:
//!
//! ```toml
//! [recipes.bundler]
//! without = ["development", "test", "ci"]
//! ```
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `roles` | list of roles | every server with releases | Where gems are installed |
//! | `path` | path, or `"system"` | `"bundle"` | The folder for gems: below `shared/`, or absolute. `"system"`: where Ruby's own gems are |
//! | `without` | list of groups | `["development", "test"]` | Groups of the Gemfile that are left out |
//! | `deployment` | boolean | `true` | Whether a Gemfile that doesn't match its lock file is refused |
//! | `gemfile` | path | Bundler's own | The Gemfile, below the release |
//! | `jobs` | integer | `4` | How many gems are installed at the same time |
//! | `flags` | list | `["--quiet"]` | More flags for `bundle install` |
//! | `check_before_install` | boolean | `true` | Whether `bundle install` is left out where `bundle check` finds every gem, and nothing is wrong with the Gemfile |
//! | `binstubs` | path | none | The folder of the release that gets an executable for each gem that has one |
//! | `bins` | list of programs | `["gem", "rake", "rails"]` | The programs that are run with `bundle exec` wherever a task names them |
//! | `env` | table of strings | `{}` | Variables for Bundler |
//! | `clean` | boolean | `false` | Whether a deploy ends with `bundle:clean` |
//! | `clean_flags` | list | `[]` | Flags for `bundle clean` |
//!
//! What it adds:
//!
//! * `deploy:bundle`, before `deploy:updated`; a rollback runs it too, before `deploy:revert_release`, since the gems of
//!   the earlier release may be gone. It writes the settings with `bundle config set --local`, asks `bundle check`, and
//!   runs `bundle install` only where something is missing. `bundle check` is content with a Gemfile that doesn't match
//!   its lock file, with which no process of the application would start: where `deployment` is on, one starts there, and
//!   otherwise `bundle install` says what is wrong, before the release is published.
//! * `bundle:clean`, which removes gems that the release doesn't use. An earlier release gets them back when it is
//!   rolled back to.
//! * The linked folder `.bundle`: every release, and what is typed in one by hand, has the same settings.
//! * `bundle exec` before the programs in `bins`, inside of what `command_prefix` puts there for a version manager:
//!   `rake = "rbenv exec"` becomes `rbenv exec bundle exec rake`. For Bundler itself say `bundle = "rbenv exec"`. The
//!   text of a `[tasks."NAME"]` is left as it is.

mod gems;

use std::collections::BTreeMap;

use deploy_core::prelude::*;
use deploy_core::task::ServerCx;
use serde::Deserialize;

pub use gems::Gems;

/// Installs the gems of the release.
pub const BUNDLE: TaskId = TaskId::new("deploy:bundle");
/// Removes gems that the release doesn't use.
pub const CLEAN: TaskId = TaskId::new("bundle:clean");

/// `[recipes.bundler]`. The crate's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above is their documentation, and a test holds it complete")]
pub struct Bundler {
    pub roles: Vec<String>,
    pub path: Gems,
    pub without: Vec<String>,
    pub deployment: bool,
    pub gemfile: Option<String>,
    #[serde(deserialize_with = "deploy_core::config::at_least_one")]
    pub jobs: usize,
    pub flags: Vec<String>,
    pub check_before_install: bool,
    pub binstubs: Option<String>,
    pub bins: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub clean: bool,
    pub clean_flags: Vec<String>,
}

impl Default for Bundler {
    fn default() -> Bundler {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Bundler {
            roles: Vec::new(),
            path: Gems::Folder("bundle".to_owned()),
            without: texts(&["development", "test"]),
            deployment: true,
            gemfile: None,
            jobs: 4,
            flags: texts(&["--quiet"]),
            check_before_install: true,
            binstubs: None,
            bins: texts(&["gem", "rake", "rails"]),
            env: BTreeMap::new(),
            clean: false,
            clean_flags: Vec::new(),
        }
    }
}

impl Recipe for Bundler {
    const NAME: &'static str = "bundler";

    fn register(self, tasks: &mut Tasks) {
        tasks.linked_dir(".bundle");
        self.binstubs.iter().for_each(|folder| tasks.made_path(format!("{folder}/")));
        for program in &self.bins {
            tasks.command_prefix(program, "bundle exec");
        }
        tasks.task(self.task(BUNDLE, "Install the gems of the release", Bundler::bundle));
        tasks.task(self.task(CLEAN, "Remove gems that the release doesn't use", Bundler::clean));
        tasks.hook(When::Before(flow::UPDATED), BUNDLE);
        tasks.need(&flow::REVERT_RELEASE, BUNDLE);
        if self.clean && self.path == Gems::System {
            tasks.problem("[recipes.bundler] `clean` would remove gems of others, since `path` is \"system\"");
        }
        if self.clean {
            tasks.hook(When::After(flow::FINISHING), CLEAN);
        }
    }
}

impl Bundler {
    /// A task in the release, whose script is made for the path of `shared`.
    fn task(&self, id: TaskId, about: &'static str, script: fn(&Bundler, &str) -> Script) -> Task {
        let (on, own) = (self.servers(), self.clone());
        let script = move |cx: &ServerCx<'_>| script(&own, &cx.layout().shared());
        Task::script(id, about, on, script).dir(Dir::Release).envs(&self.env)
    }

    fn servers(&self) -> Servers {
        match self.roles.as_slice() {
            [] => Servers::releases(),
            roles => Servers::roles(roles).with_releases(),
        }
    }

    fn bundle(&self, shared: &str) -> Script {
        let install = Script::new().run(self.install());
        let script = self.config(shared);
        let script = match (self.check_before_install, self.deployment) {
            (false, _) => script.then(install),
            (true, false) => script.when(bundle().arg("check"), Script::new(), install),
            (true, true) => {
                let starts = Script::new().when(starts(), Script::new(), install.clone());
                script.when(bundle().arg("check"), starts, install)
            }
        };
        match &self.binstubs {
            // `bundle install --binstubs` makes none where `bundle check` was enough, and newer Bundlers don't know it.
            Some(folder) => script.run(bundle().args(["binstubs", "--all", "--path", folder])),
            None => script,
        }
    }

    fn install(&self) -> Cmd {
        bundle().arg("install").arg("--jobs").arg(self.jobs).args(&self.flags)
    }

    /// Without its settings, `bundle clean` would look at the system's gems.
    fn clean(&self, shared: &str) -> Script {
        self.config(shared).run(bundle().arg("clean").args(&self.clean_flags))
    }

    /// What Bundler has to know before it can check, install or clean.
    ///
    /// The settings live on in the linked folder `.bundle`: what is not set any more has to be unset.
    fn config(&self, shared: &str) -> Script {
        let without = Some(self.without.join(":")).filter(|groups| !groups.is_empty());
        // Bundler looks for settings beside the Gemfile, so it has to know first which one that is. This one setting
        // always stands in the release's own `.bundle`, which `BUNDLE_GEMFILE` sees to.
        let settings = setting("gemfile", self.gemfile.as_deref(), |cmd| cmd.env("BUNDLE_GEMFILE", "Gemfile"));
        let places = self.path.settings(self.deployment, shared);
        let settings = places
            .into_iter()
            .fold(settings, |settings, (key, value)| settings.then(setting(key, value.as_deref(), |cmd| cmd)));
        settings.then(setting("without", without.as_deref(), |cmd| cmd))
    }
}

fn bundle() -> Cmd {
    Cmd::new("bundle")
}

/// Whether a process of the application could start: Bundler looks at the lock file only there.
fn starts() -> Cmd {
    bundle().args(["exec", "ruby", "-e", "1"])
}

/// Sets `key`; without a value, unsets it where an earlier deploy has set it.
fn setting(key: &str, value: Option<&str>, with: impl Fn(Cmd) -> Cmd) -> Script {
    let config = |verb: &str| with(bundle().args(["config", verb, "--local", key]));
    match value {
        Some(value) => Script::new().run(config("set").arg(value)),
        None => {
            let is_set = format!("^BUNDLE_{}:", key.to_uppercase().replace('.', "__"));
            let is_set = Cmd::new("grep").args(["-q", "-s", "-e", &is_set, ".bundle/config"]);
            Script::new().when(is_set, Script::new().run(config("unset")), Script::new())
        }
    }
}

#[cfg(test)]
mod tests;
