//! Migrates the database of a release before it goes live, as the gem `capistrano-rails` does.
//!
//! Register it in `xtask/src/main.rs` with `.recipe::<Migrations>()`, after `Bundler`, and turn it on in `deploy.toml`:
//!
//! ```toml
//! [recipes.migrations]
//! ```
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `role` | role | `"db"` | The role whose primary server migrates |
//! | `on_deploy` | boolean | `true` | Whether `deploy` migrates; `deploy:migrations` always does |
//! | `last` | boolean | `false` | Whether it migrates after everything else that can fail before the release is live: compiling, and starting once |
//! | `preset` | `"rails"`, `"sqlx"`, `"diesel"` or `"custom"` | `"rails"` | Whose migrations they are: what the next four keys are where they aren't given |
//! | `command` | shell text | the preset's | What migrates |
//! | `pending` | shell text | the preset's | What prints a line for each migration that the database lacks |
//! | `newer` | shell text | the preset's | What prints a line for each migration that the database has and the release doesn't know |
//! | `status` | shell text | the preset's | What prints which migrations the database has |
//! | `rails_env` | text | the stage's name | `RAILS_ENV`, for the preset `rails`; one in `default_env` comes before the stage's name |
//! | `env` | table of strings | `{}` | Variables for all of them |
//!
//! What it adds:
//!
//! * `deploy:migrate`, after `deploy:updated`, on one server: the primary of the role. The database is asked what is
//!   pending; where nothing is, nothing runs. A migration that fails fails the deploy before anything is published.
//! * `deploy:migrations`, the same as `deploy`, and migrates even where `on_deploy = false`.
//! * `deploy:migrate:status`, which prints which migrations the database has.
//! * `deploy:migrate:pending`, for other tasks: it sets the fact `migrations_pending` to how many are pending. Where it
//!   has run before, `deploy:migrate` doesn't ask again. With a preset that can't tell, the fact is not set.
//! * A question before a rollback, when the database has migrations that the earlier release doesn't know, and the live one
//!   does: they stay, and its code may not get along with them. Without a terminal the rollback needs
//!   `--allow-newer-schema`; `--yes` is no answer, since whoever typed it could not know which migrations there would be.
//! * The same question before a deploy of an older commit. Where the server gets the commit only now, the deploy fails
//!   instead, before anything is migrated.
//! * After a failure, which migrations are in the database already.
//!
//! The presets:
//!
//! | | migrates | asks what is pending | asks what is newer than the release |
//! | --- | --- | --- | --- |
//! | `rails` | `rake db:migrate` | Active Record, in the same process | Active Record, in the earlier release |
//! | `sqlx` | `sqlx migrate run` | `sqlx migrate info` | `sqlx migrate info` in the live release |
//! | `diesel` | `diesel migration run` | `diesel migration list` | `diesel migration list` in the live release |
//! | `custom` | `command` | `pending`; without it, `command` always runs | `newer`, in both releases; without it, nobody is asked |
//!
//! With `rails` the application is started once for asking and migrating. Rails 5.2 or newer is needed, and every database
//! of the environment counts. One that has a schema file, no migrations, and nothing in it (Rails' own for its queue, cache
//! and cable) gets what is in the file.
//!
//! A `command` of your own always runs, since it may do more than migrate, unless you also give a `pending` of its own.

mod ask;
mod newer;
mod preset;

use std::collections::BTreeMap;

use deploy_core::error::{Error, Result};
use deploy_core::prelude::*;
use deploy_core::task::{Effect, Kind, Local, Output, Phase, ServerCx};
use serde::Deserialize;

pub use preset::Preset;

/// What lists of migrations may be. An old application has thousands.
const LIST: Kind = Kind::Text(1 << 20);

/// Migrates the database.
pub const MIGRATE: TaskId = TaskId::new("deploy:migrate");
/// Deploys, and surely migrates.
pub const MIGRATIONS: TaskId = TaskId::new("deploy:migrations");
/// Finds out how many migrations are pending: the fact `migrations_pending`.
pub const PENDING: TaskId = TaskId::new("deploy:migrate:pending");
/// Prints which migrations the database has.
pub const STATUS: TaskId = TaskId::new("deploy:migrate:status");

const READ_STATUS: TaskId = TaskId::new("deploy:migrate:read_status");
const REPORT: TaskId = TaskId::new("deploy:migrate:report");
const CHECK_ROLE: TaskId = TaskId::new("deploy:migrate:check_role");
const CHECK_SERVER: TaskId = TaskId::new("deploy:migrate:check_server");

/// `[recipes.migrations]`. The crate's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above is their documentation, and a test holds it complete")]
pub struct Migrations {
    pub role: String,
    pub on_deploy: bool,
    pub last: bool,
    pub preset: Preset,
    pub command: Option<String>,
    pub pending: Option<String>,
    pub newer: Option<String>,
    pub status: Option<String>,
    pub rails_env: Option<String>,
    pub env: BTreeMap<String, String>,
}

impl Default for Migrations {
    fn default() -> Migrations {
        Migrations {
            role: "db".to_owned(),
            on_deploy: true,
            last: false,
            preset: Preset::Rails,
            command: None,
            pending: None,
            newer: None,
            status: None,
            rails_env: None,
            env: BTreeMap::new(),
        }
    }
}

impl Recipe for Migrations {
    const NAME: &'static str = "migrations";

    fn register(self, tasks: &mut Tasks) {
        if self.preset == Preset::Custom && self.command.is_none() {
            tasks.problem("`[recipes.migrations]` with `preset = \"custom\"` needs a `command` that migrates");
        }
        self.register_flow(tasks);
        let migrate = self.task(MIGRATE, "Migrate the database", Migrations::migrate);
        tasks.task(reports_pending(migrate).reports("migrations_ran", LIST).reports("newer_migrations", LIST));
        self.hook_migrate(tasks);
        let about = "Say which migrations ran before the failure";
        let report = Task::local(REPORT, about, |local| {
            report(local);
            Ok(())
        });
        tasks.task(report.hidden());
        tasks.hook(When::After(flow::FAILED), REPORT);
        let pending = self.task(PENDING, "Find out how many migrations are pending", Migrations::find_pending);
        tasks.task(reports_pending(pending).hidden().effect(Effect::Looks));
        let read = self.task(READ_STATUS, "Read which migrations the database has", Migrations::read_status);
        tasks.task(read.reports("migrations_status", LIST).hidden().effect(Effect::Looks));
        let status = Task::local(STATUS, "Show which migrations the database has", |local| {
            print_status(local);
            Ok(())
        });
        tasks.task(status.needs([READ_STATUS]).output(Output::Answer).effect(Effect::Looks));
        newer::register(&self, tasks);
    }
}

impl Migrations {
    /// The switch is a part of rollbacks too, which don't migrate, and can be called alone.
    fn hook_migrate(&self, tasks: &mut Tasks) {
        if self.last {
            tasks.hook(When::Before(flow::SYMLINK_RELEASE), MIGRATE);
            for task in [flow::ROLLBACK, flow::PUBLISHING, flow::SYMLINK_RELEASE] {
                tasks.change(&task, |task| task.without([MIGRATE]));
            }
        } else {
            tasks.hook(When::After(flow::UPDATED), MIGRATE);
        }
    }

    /// The flow `deploy:migrations`, and what becomes of `deploy`.
    fn register_flow(&self, tasks: &mut Tasks) {
        for (id, must) in [(CHECK_ROLE, false), (CHECK_SERVER, true)] {
            let (role, about) = (self.role.clone(), "Check that there is a server that migrates");
            tasks.task(Task::local(id, about, move |local| Ok(check_server(local, &role, must)?)).hidden());
        }
        let deploy = Phase { name: "check", tasks: vec![flow::DEPLOY] };
        let migrations = Task::flow(MIGRATIONS, "Deploy a new release, and surely migrate", [deploy], flow::FAILED);
        tasks.task(migrations.needs([CHECK_SERVER]).without([CHECK_ROLE]));
        if self.on_deploy {
            tasks.need(&flow::DEPLOY, CHECK_ROLE)
        } else {
            tasks.change(&flow::DEPLOY, |deploy| deploy.without([MIGRATE]))
        }
    }

    /// A task in the release, on the server that migrates.
    fn task(&self, id: TaskId, about: &'static str, script: fn(&Migrations, &ServerCx<'_>) -> Script) -> Task {
        let own = self.clone();
        Task::script(id, about, self.servers(), move |cx| script(&own, cx)).dir(Dir::Release).envs(&self.env)
    }

    fn servers(&self) -> Servers {
        Servers::primary(&self.role).with_releases()
    }
}

fn reports_pending(task: Task) -> Task {
    task.reports("pending_migrations", LIST).reports("migrations_pending", Kind::Count)
}

/// What a deploy that failed has left in the database.
fn report(local: &Local<'_>) {
    for ran in local.servers.iter().filter_map(|server| local.fact(*server, "migrations_ran")) {
        local.note(match ran.lines().count() {
            0 => "`deploy:migrate` ran before that: what it changed stays in the database".to_owned(),
            1 => format!("a migration ran before that, and stays in the database: {ran}"),
            count => format!("{count} migrations ran before that, and stay in the database: {}", newer::names(&ran)),
        });
    }
}

fn print_status(local: &Local<'_>) {
    for server in local.servers {
        if let Some(status) = local.fact(*server, "migrations_status") {
            local.print(&format!("{status}\n"));
        }
    }
}

/// Nobody should believe that the database was migrated where no server could.
fn check_server(local: &Local<'_>, role: &str, must: bool) -> Result<()> {
    let stage = &local.stage.name;
    let Some(number) = Servers::primary(role).of(local.stage, |_| true).first().copied() else {
        return Err(Error::config(format!("no server of stage `{stage}` has the role `{role}`: nobody would migrate"))
            .hint(format!(
                "give one the role, or turn the recipe off: [stages.{stage}.recipes.migrations] enabled = false"
            )));
    };
    let server = local.server(number).label();
    match (local.servers.contains(&number), must) {
        (true, _) => Ok(()),
        (false, true) => Err(Error::usage(format!("`{server}` migrates, and doesn't take part"))
            .hint("leave out --hosts and --roles, or deploy without migrating: cargo xtask deploy STAGE")),
        (false, false) => {
            local.note(format!("`{server}`, which migrates, doesn't take part: the database stays as it is"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
