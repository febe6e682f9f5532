//! What each kind of migrations is run and asked with.

use deploy_core::prelude::*;
use deploy_core::task::ServerCx;
use serde::Deserialize;

use crate::Migrations;

/// Whose migrations they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Active Record's.
    #[default]
    Rails,
    /// Those of sqlx, by `sqlx-cli`.
    Sqlx,
    /// Those of Diesel, by `diesel_cli`.
    Diesel,
    /// Anything else.
    Custom,
}

/// Tasks for rake that ask Active Record.
const RAILS: &str = include_str!("rails.rb");

const SQLX_PENDING: &str = r#"info=$(sqlx migrate info)
printf '%s\n' "$info" | sed -n 's,^\([0-9]*\)/pending,\1,p'"#;

/// A run that is only tried fails where the database has a migration that isn't there.
const SQLX_NEWER: &str = r#"if ! said=$(sqlx migrate run --dry-run 2>&1); then
  missing=$(printf '%s\n' "$said" | sed -n 's/.*migration \([0-9]*\) was previously applied but is missing.*/\1/p')
  if [ -z "$missing" ]; then printf '%s\n' "$said" >&2; exit 1; fi
  printf '%s\n' "$missing"
fi"#;

const DIESEL_PENDING: &str = r#"list=$(diesel migration list)
printf '%s\n' "$list" | sed -n 's/^ *\[ ] //p'"#;

/// Diesel lists only what stands in a folder, so it is asked about that of the live release.
const DIESEL_NEWER: &str = r#"if [ ! -d ../../current/migrations ]; then exit 0; fi
list=$(diesel migration list --migration-dir ../../current/migrations)
printf '%s\n' "$list" | sed -n 's/^ *\[X] //p' | while read -r name; do
  if [ ! -e "migrations/$name" ]; then printf '%s\n' "$name"; fi
done"#;

impl Migrations {
    /// What migrates, whether or not something is pending.
    pub(crate) fn command(&self) -> Script {
        let run = |program: &str, args: &[&str]| Script::new().run(Cmd::new(program).args(args.iter().copied()));
        match (&self.command, self.preset) {
            (Some(text), _) => Script::new().opaque(text),
            (None, Preset::Rails) => run("rake", &["db:migrate"]),
            (None, Preset::Sqlx) => run("sqlx", &["migrate", "run"]),
            (None, Preset::Diesel) => run("diesel", &["migration", "run"]),
            (None, Preset::Custom) => Script::new(),
        }
    }

    /// What asks and, where something is pending, migrates. It prints what was pending.
    pub(crate) fn combined(&self) -> Option<Cmd> {
        let is_rails = self.preset == Preset::Rails && self.command.is_none() && self.pending.is_none();
        is_rails.then(|| ask_rails("migrate").shown_as("rake db:migrate"))
    }

    /// What prints a line for each migration that the database lacks.
    pub(crate) fn pending(&self) -> Option<Cmd> {
        match (&self.pending, self.preset) {
            (Some(text), _) => Some(sh_c(text)),
            (None, Preset::Rails) => Some(ask_rails("pending")),
            (None, Preset::Sqlx) => Some(sh_c(SQLX_PENDING)),
            (None, Preset::Diesel) => Some(sh_c(DIESEL_PENDING)),
            (None, Preset::Custom) => None,
        }
    }

    /// What prints a line for each migration that the database has and the release doesn't know.
    pub(crate) fn newer(&self) -> Option<Cmd> {
        match (&self.newer, self.preset) {
            (Some(text), _) => Some(sh_c(text)),
            (None, Preset::Rails) => Some(ask_rails("newer")),
            (None, Preset::Sqlx) => Some(sh_c(SQLX_NEWER)),
            (None, Preset::Diesel) => Some(sh_c(DIESEL_NEWER)),
            (None, Preset::Custom) => None,
        }
    }

    /// What prints which migrations the database has.
    pub(crate) fn status(&self) -> Option<Cmd> {
        match (&self.status, self.preset) {
            (Some(text), _) => Some(sh_c(text)),
            (None, Preset::Rails) => Some(Cmd::new("rake").arg("db:migrate:status")),
            (None, Preset::Sqlx) => Some(Cmd::new("sqlx").args(["migrate", "info"])),
            (None, Preset::Diesel) => Some(Cmd::new("diesel").args(["migration", "list"])),
            (None, Preset::Custom) => None,
        }
    }

    /// The variables that the commands find.
    pub(crate) fn environment(&self, cx: &ServerCx<'_>) -> Script {
        if self.preset != Preset::Rails {
            return Script::new();
        }
        let is_set = cx.stage.settings.default_env.contains_key("RAILS_ENV") || self.env.contains_key("RAILS_ENV");
        let tasks = sh!("export XTASK_RAILS={}", RAILS);
        match &self.rails_env {
            None if is_set => tasks,
            name => sh!("export RAILS_ENV={}", name.as_ref().unwrap_or(&cx.stage.name)).then(tasks),
        }
    }
}

/// Has rake run one of the tasks in `rails.rb`, which comes in a variable: nothing is left on the server.
fn ask_rails(task: &str) -> Cmd {
    Cmd::new("rake").args(["-E", "eval ENV.fetch('XTASK_RAILS')"]).arg(format!("xtask:{task}"))
}

fn sh_c(text: &str) -> Cmd {
    Cmd::new("sh").args(["-eu", "-c", text])
}
