//! Moments at which a copy can be met: what is copied stops by itself in the middle, and goes on when told.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use e2e::postgres::{Tools, fill_with_bulk};

use super::scene::{Shop, name};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `is_so`.
#[track_caller]
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A `pg_dump` that stops after so many bytes, until [`Pause::end`].
pub(super) struct Pause {
    program: PathBuf,
}

impl Pause {
    pub(super) fn after(tools: &Tools, bytes: usize) -> Pause {
        let stops = format!(
            "case \"$*\" in *--version*) exec \"$real\" \"$@\" ;; esac\n\
             rm -f \"$0.status\" \"$0.stopped\" \"$0.go\"\n\
             {{ \"$real\" \"$@\" || echo $? >\"$0.status\"; }} | {{ head -c {bytes}; : >\"$0.stopped\"\n\
             while [ ! -e \"$0.go\" ]; do sleep 0.05; done; cat; }}\n\
             [ ! -s \"$0.status\" ] || exit \"$(cat \"$0.status\")\""
        );
        tools.replace("pg_dump", &stops);
        Pause { program: tools.folder().join("pg_dump") }
    }

    /// Waits until the dump has stopped.
    pub(super) fn begun(&self) {
        wait_until("the middle of the dump", || self.file("stopped").exists());
    }

    /// Lets the dump go on.
    pub(super) fn end(&self) {
        std::fs::write(self.file("go"), "").expect("a file can be written");
    }

    /// Forgets the last dump.
    pub(super) fn forget(&self) {
        for end in ["status", "stopped", "go"] {
            let _ = std::fs::remove_file(self.file(end));
        }
    }

    fn file(&self, end: &str) -> PathBuf {
        self.program.with_extension(end)
    }
}

/// Where a restore of [`sleepy`] data stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While rows are copied into a table.
    Rows,
    /// While an index is made.
    Index,
    /// While the stage's own SQL runs.
    Sql,
}

/// A shop whose production can be restored anywhere, but stops for ten minutes in the database `shop_staging_restore_…` at
/// `moment`.
pub(super) fn sleepy(moment: Moment) -> Shop {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 100);
    fill_with_bulk(shop.cluster("production"), &name("production"), shop.role("production"), 3);
    shop.mark("staging");
    shop.own("production", SLEEP);
    match moment {
        Moment::Rows => shop.own("production", "create table slow (n int check (public.sleeps(n) > 0))"),
        Moment::Index => shop.own("production", "create table slow (n int); create index on slow (public.sleeps(n))"),
        Moment::Sql => shop.own("production", "create table slow (n int)"),
    };
    shop.own("production", "insert into slow select generate_series(1, 100)");
    if moment == Moment::Sql {
        std::fs::write(shop.project.folder().join("slow.sql"), "select sleeps(50);\n").expect("a file can be written");
        shop.set("staging", "after_restore = [\"slow.sql\"]");
    }
    shop
}

const SLEEP: &str = "
create function public.sleeps(n int) returns int immutable language plpgsql as $$ begin
    if n = 50 and current_database() <> 'shop_production' then
        perform pg_catalog.pg_sleep(600);
    end if;
    return n;
end $$";

/// Waits until a restore to `stage` has stopped.
pub(super) fn sleeps(shop: &Shop, stage: &str) {
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    wait_until("the middle of the restore", || shop.cluster(stage).psql("postgres", asleep) != "0");
}
