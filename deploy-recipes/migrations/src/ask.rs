//! The scripts that migrate, and that ask the database.

use deploy_core::prelude::*;
use deploy_core::task::ServerCx;

use crate::Migrations;

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

impl Migrations {
    /// Asks and migrates, in one go where the preset can. What an earlier task of the run has found out isn't asked again.
    pub(crate) fn migrate(&self, cx: &ServerCx<'_>) -> Script {
        let start = self.environment(cx);
        match (cx.known("migrations_pending"), self.combined(), self.pending()) {
            (Some("0"), ..) => sh!("deploy_skip 'no migration is pending'"),
            (Some(_), ..) | (None, None, None) => start.then(self.command()),
            (None, Some(both), _) => {
                start.fact("pending_migrations", both).then(count()).then(skip()).then(note("ran"))
            }
            (None, None, Some(ask)) => {
                start.fact("pending_migrations", ask).then(count()).then(skip()).then(self.command()).then(note("ran"))
            }
        }
    }

    pub(crate) fn find_pending(&self, cx: &ServerCx<'_>) -> Script {
        let Some(ask) = self.pending() else {
            return sh!("deploy_skip 'nothing is there to ask with: [recipes.migrations] has no `pending`'");
        };
        self.environment(cx).fact("pending_migrations", ask).then(count()).then(note("pending"))
    }

    pub(crate) fn read_status(&self, cx: &ServerCx<'_>) -> Script {
        let Some(status) = self.status() else {
            let hint = "in deploy.toml: [recipes.migrations] status = \"…\"";
            return sh!("deploy_fail 'nothing is there to ask with: [recipes.migrations] has no `status`' {}", hint);
        };
        self.environment(cx).fact("migrations_status", status)
    }
}
