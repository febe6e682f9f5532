//! Partitions of partitions: their indexes are joined to those of their parents one after the other, all else side by side.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::postgres::compare;

use super::scene::{NONE, Shop, name, printed_dump};

/// How many restores run of a backup, and of a dump in a tar file.
fn rounds() -> (usize, usize) {
    if e2e::full() { (40, 10) } else { (6, 2) }
}

/// A table in pieces of three levels, with keys and indexes on all of them, and one that refers to it.
const PARTITIONED: &str = "
create table events (id bigint generated always as identity, kind int, month int, payload text) partition by range (month);
select format('create table events_%s partition of events for values from (%1$s) to (%s) partition by list (kind)', m, m + 1)
    from generate_series(0, 3) m \\gexec
select format('create table events_%1$s_%2$s partition of events_%1$s for values in (%2$s) partition by hash (id)', m, k)
    from generate_series(0, 3) m, generate_series(0, 1) k \\gexec
select format('create table events_%1$s_%2$s_%3$s partition of events_%1$s_%2$s
    for values with (modulus 2, remainder %3$s)', m, k, h)
    from generate_series(0, 3) m, generate_series(0, 1) k, generate_series(0, 1) h \\gexec
alter table events add primary key (id, month, kind);
create index on events (kind, month);
create index on events (month);
create table seen (id bigint, month int, kind int, foreign key (id, month, kind) references events);
insert into events (kind, month, payload) select n % 2, n % 4, 'payload ' || n from generate_series(1, 2000) n;
insert into seen select id, month, kind from events;
";

const CAREFUL: &str = "
alter system set fsync = on;
alter system set synchronous_commit = on;
select pg_reload_conf();
";

/// A shop of two servers that wait for their disks, as servers do: what one session commits is seen late by the others.
fn shop() -> Shop {
    let mut shop = Shop::new(&["production", "staging"]);
    for stage in ["production", "staging"] {
        shop.cluster(stage).psql("postgres", CAREFUL);
        shop.set(stage, "jobs = 8");
    }
    shop.own("production", PARTITIONED);
    shop
}

fn assert_same(shop: &Shop) {
    let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
    assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE);
    assert_eq!(shop.psql("staging", "select count(*) from pg_index where not indisvalid"), "0");
}

/// Restores `file` again and again, and reports past the test harness's capture how often it held.
fn restore_again_and_again(shop: &Shop, file: &Path, rounds: usize, what: &str) {
    let outputs: Vec<_> = (0..rounds).map(|_| shop.restore(file, "staging")).collect();
    let failed: Vec<_> = outputs.iter().filter(|output| output.ending() != "exit status: 0").collect();
    let held = outputs.len() - failed.len();
    let _ = writeln!(std::io::stderr(), "trial: {what}, 8 jobs: {held} of {}", outputs.len());
    assert!(failed.is_empty(), "{}", failed[0]);
    assert_same(shop);
}

/// A dump of the format `directory`, packed.
fn pack(shop: &Shop) -> PathBuf {
    let (cluster, sandbox) = (shop.cluster("production"), &shop.project.sandbox);
    let (folder, file) = (sandbox.join("by hand"), sandbox.join("by hand.tar"));
    let mut pg_dump = Command::new(cluster.release().program("pg_dump"));
    pg_dump.args(["-Fd", "-U", "postgres", "-d", &name("production"), "-h"]).arg(cluster.socket_dir());
    assert!(pg_dump.args(["-p", &cluster.port().to_string(), "-f"]).arg(&folder).status().unwrap().success());
    let mut tar = Command::new("tar");
    assert!(tar.arg("-C").arg(&folder).arg("-cf").arg(&file).arg(".").status().unwrap().success());
    file
}

#[test]
fn partitions_of_partitions_are_restored_by_many_jobs() {
    let shop = shop();
    let dump = shop.back_up("production");
    restore_again_and_again(&shop, &dump, rounds().0, "restores of partitions of partitions");
    let tar = pack(&shop);
    restore_again_and_again(&shop, &tar, rounds().1, "restores of such a dump in a tar file");
}

#[test]
fn an_index_that_lacks_parts_is_told_and_restored_as_it_was() {
    let shop = shop();
    shop.own("production", "create index unfinished on only events (payload)");
    let output = shop.project.xtask("db backup create --stage production").success().says("`public.unfinished`");
    let dump = printed_dump(&shop, &output);
    let invalid = "select indexrelid::regclass from pg_index where not indisvalid";
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.psql("staging", invalid), "unfinished");
    // What was valid there must be so here.
    let beside = dump.with_extension("pgdump.json");
    let manifest = std::fs::read_to_string(&beside).unwrap();
    std::fs::write(&beside, manifest.replace("public.unfinished", "public.other")).unwrap();
    shop.restore(&dump, "staging").fails_with(1).says("the index unfinished is not valid");
    std::fs::remove_file(&beside).unwrap();
    let _ = shop.restore(&dump, "staging").success();
    assert_eq!(shop.psql("staging", invalid), "unfinished");
}
