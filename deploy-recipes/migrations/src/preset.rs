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

/// sqlx lists what stands in a folder, so it is asked about that of the live release.
const SQLX_NEWER: &str = r#"if [ ! -d ../../current/migrations ]; then exit 0; fi
info=$(sqlx migrate info --source ../../current/migrations)
printf '%s\n' "$info" | sed -n 's,^\([0-9]*\)/installed[^ ]* *,\1 ,p' | while read -r version name; do
  for file in migrations/"$version"_*; do
    if [ ! -e "$file" ]; then printf '%s\n' "$version $name"; fi
  done
done"#;

const DIESEL_PENDING: &str = r#"list=$(diesel migration list)
printf '%s\n' "$list" | sed -n 's/^ *\[ ] //p'"#;

/// Diesel lists only what stands in a folder, so it is asked about that of the live release. What is older than all that
/// the release has was cleared away from it.
const DIESEL_NEWER: &str = r#"if [ ! -d ../../current/migrations ]; then exit 0; fi
list=$(diesel migration list --migration-dir ../../current/migrations)
{ ls migrations 2>/dev/null | sed 's,^,here/,'; printf '%s\n' "$list" | sed -n 's,^ *\[X] ,live/,p'; } | awk -F/ '
  $1 == "here" { if (first == "" || $2 < first) first = $2; known[$2] = 1 }
  $1 == "live" && !($2 in known) && $2 > first { print $2 }'"#;

/// What a command of the user's own says in this release and not in the live one, which gets along with it.
const OWN_NEWER: &str = r#"here=$(sh -eu -c "$1")
there=''
if [ -d ../../current ]; then there=$(cd ../../current && sh -eu -c "$1"); fi
printf '%s\n' "$here" | grep -vxF -e "$there" || :"#;

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
        is_rails.then(|| ask_rails("migrate"))
    }

    /// Whether what migrates runs though nothing is pending: a command of the user's own may do more than migrate.
    pub(crate) fn always_runs(&self) -> bool {
        self.command.is_some() && self.pending.is_none()
    }

    /// Where the folders of migrations are, as patterns; none where nobody knows.
    pub(crate) fn folders(&self) -> &'static [&'static str] {
        match self.preset {
            Preset::Rails => &["db/migrate", "db/*_migrate"],
            Preset::Sqlx | Preset::Diesel => &["migrations"],
            Preset::Custom => &[],
        }
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
            (Some(text), _) => Some(sh_c(OWN_NEWER).arg("sh").arg(text.as_str())),
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
