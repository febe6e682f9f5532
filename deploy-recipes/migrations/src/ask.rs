//! The scripts that migrate, and that ask the database.

use deploy_core::prelude::*;
use deploy_core::task::ServerCx;

use crate::newer::{self, ALLOW};
use crate::{Migrations, Preset};

/// Counts the lines of `pending_migrations`: the fact `migrations_pending`, and the variable `count`.
fn count() -> Script {
    sh!(r#"count=$(printf '%s\n' "$pending_migrations" | awk 'NF { n++ } END { print n + 0 }')
deploy_fact migrations_pending "$count""#)
}

fn skip() -> Script {
    sh!("if [ \"$count\" -eq 0 ]; then deploy_skip 'no migration is pending'; fi")
}

fn note(what: &'static str) -> Script {
    sh!(
        "if [ \"$count\" -eq 1 ]; then deploy_note \"1 migration \"{}; else deploy_note \"$count migrations \"{}; fi",
        what,
        what
    )
}

/// What ran: a failure that comes later says so.
fn ran() -> Script {
    note("ran").then(sh!("deploy_fact migrations_ran \"$pending_migrations\""))
}

/// Fails where the release is older than the database, by migrations in the variable `newer`.
fn refuse(cx: &ServerCx<'_>) -> Script {
    let what = "the database has migrations that this release doesn't know, and the live one does: ";
    let hint = format!("if the older code gets along with that: cargo xtask deploy {} --{ALLOW}", cx.stage.name);
    sh!(
        r#"if [ -n "$newer" ]; then
  deploy_fail {}"$(printf '%s\n' "$newer" | awk '{ printf "%s%s", part, $0; part = ", " }')" {}
fi"#,
        what,
        hint
    )
}

impl Migrations {
    /// Asks and migrates, in one go where the preset can. What an earlier task of the run has found out isn't asked again.
    pub(crate) fn migrate(&self, cx: &ServerCx<'_>) -> Script {
        let known = cx.known("migrations_pending");
        if known == Some("0") && !self.always_runs() {
            return sh!("deploy_skip 'no migration is pending'");
        }
        let start = self.environment(cx).then(self.refuse_newer(cx));
        match (known, self.combined(), self.pending()) {
            (Some(count), ..) => {
                let lines = cx.known("pending_migrations").unwrap_or_default();
                start.then(self.command()).then(sh!("count={}\npending_migrations={}", count, lines)).then(ran())
            }
            (None, None, None) => start.then(self.command()).then(sh!("deploy_fact migrations_ran ''")),
            (None, Some(both), _) => {
                start.fact("pending_migrations", both).then(self.refuse_told(cx)).then(count()).then(skip()).then(ran())
            }
            (None, None, Some(ask)) if self.always_runs() => {
                let unknown = sh!("pending_migrations=''\ndeploy_note 'what is pending can not be found out'");
                let start = start.fact_or("pending_migrations", ask, unknown).then(self.refuse_told(cx)).then(count());
                start.then(self.command()).then(ran())
            }
            (None, None, Some(ask)) => {
                let start = start.fact("pending_migrations", ask).then(self.refuse_told(cx)).then(count()).then(skip());
                start.then(self.command()).then(ran())
            }
        }
    }

    pub(crate) fn find_pending(&self, cx: &ServerCx<'_>) -> Script {
        let Some(ask) = self.pending() else {
            return sh!("deploy_skip 'nothing is there to ask with: [recipes.migrations] has no `pending`'");
        };
        let start = self.environment(cx);
        start.fact("pending_migrations", ask).then(self.refuse_told(cx)).then(count()).then(note("pending"))
    }

    pub(crate) fn read_status(&self, cx: &ServerCx<'_>) -> Script {
        let Some(status) = self.status() else {
            let hint = "in deploy.toml: [recipes.migrations] status = \"…\"";
            return sh!("deploy_fail 'nothing is there to ask with: [recipes.migrations] has no `status`' {}", hint);
        };
        self.environment(cx).fact("migrations_status", status)
    }

    /// Whether Active Record itself is asked what is pending, and so tells what is newer in the same process.
    fn asks_rails(&self) -> bool {
        self.preset == Preset::Rails && self.pending.is_none()
    }

    /// Fails where the database is ahead of the release, unless that is allowed. The application isn't started only to ask.
    fn refuse_newer(&self, cx: &ServerCx<'_>) -> Script {
        if newer::is_allowed(cx) {
            return Script::new();
        }
        match self.newer() {
            _ if self.asks_rails() && self.newer.is_none() => sh!("export XTASK_NEWER=refuse"),
            _ if self.preset == Preset::Rails && self.newer.is_none() => Script::new(),
            None => Script::new(),
            Some(ask) => {
                Script::new().fact("newer_migrations", ask).then(sh!("newer=$newer_migrations")).then(refuse(cx))
            }
        }
    }

    /// The same, where Active Record has told instead of what is pending.
    fn refuse_told(&self, cx: &ServerCx<'_>) -> Script {
        if !self.asks_rails() {
            return Script::new();
        }
        sh!("newer=$(printf '%s\\n' \"$pending_migrations\" | sed -n 's/^newer //p')").then(refuse(cx))
    }
}
