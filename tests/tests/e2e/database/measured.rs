//! How fast copies are, and how much memory they take. What is measured is printed, beside the same done by hand.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::postgres::{fill, fill_with_bulk, rows};

use super::scene::{Shop, name, printed_dump};

/// The most that the tool may have in memory, in KiB.
const MEMORY: usize = 64 * 1024;

/// A shop with much in production.
fn large_shop() -> Shop {
    let shop = Shop::new(&["production", "staging"]);
    let (cluster, role) = (shop.cluster("production"), shop.role("production"));
    fill(cluster, &name("production"), role, rows());
    fill_with_bulk(cluster, &name("production"), role, if e2e::full() { 600 } else { 100 });
    shop
}

/// Runs a command of the tool, and returns its output, how long it took, and the most memory that it had, in KiB.
fn measure(shop: &Shop, line: &str) -> (e2e::Output, Duration, usize) {
    let start = Instant::now();
    let mut run = shop.project.start(line);
    let mut peak = 0;
    while !run.is_over() {
        peak = peak.max(run.peak_memory());
        std::thread::sleep(Duration::from_millis(5));
    }
    (run.wait().success(), start.elapsed(), peak)
}

/// Reports past the test harness's capture.
fn tell(what: &str, bytes: u64, time: Duration, more: &str) {
    let rate = bytes as f64 / 1e6 / time.as_secs_f64();
    let _ = writeln!(std::io::stderr(), "measured: {what}: {:.2} s, {rate:.1} MB/s{more}", time.as_secs_f64());
}

/// The same by hand: `ssh HOST pg_dump -Fc >FILE`, then `pg_restore -j2`.
fn by_hand(shop: &Shop) -> (Duration, Duration) {
    let file = shop.project.sandbox.join("by hand.dump");
    let [production, staging] = ["production", "staging"].map(|stage| shop.cluster(stage));
    let dump = format!(
        "{}/pg_dump -Fc -h {} -p {} -U postgres {}",
        production.release().bin().display(),
        production.socket_dir().display(),
        production.port(),
        name("production")
    );
    let start = Instant::now();
    let mut ssh = shop.project.openssh(shop.project.server("production1"), &dump);
    ssh.stdout(std::fs::File::create(&file).expect("a file can be made"));
    assert!(ssh.status().expect("ssh runs").success());
    let dumped = start.elapsed();
    staging.psql("postgres", "create database by_hand template template0");
    let start = Instant::now();
    let mut restore = Command::new(staging.release().program("pg_restore"));
    restore.args(["-j2", "--no-owner", "--no-acl", "-U", "postgres", "-d", "by_hand", "-h"]).arg(staging.socket_dir());
    restore.args(["-p", &staging.port().to_string()]).arg(&file);
    assert!(restore.status().expect("pg_restore runs").success());
    (dumped, start.elapsed())
}

#[test]
fn memory_stays_small_whatever_the_size() {
    let shop = large_shop();
    let (output, created, peak) = measure(&shop, "db backup create --stage production");
    let dump = printed_dump(&shop, &output);
    let bytes = std::fs::metadata(&dump).expect("it is there").len();
    tell("db backup create", bytes, created, &format!(", {peak} KiB"));
    assert!(peak > 0 && peak < MEMORY, "{peak} KiB");
    let line = format!("db backup restore --file {} --stage staging --yes", dump.display());
    let (_, restored, peak) = measure(&shop, &line);
    tell("db backup restore", bytes, restored, &format!(", {peak} KiB"));
    assert!(peak > 0 && peak < MEMORY, "{peak} KiB");
    let (_, copied, peak) = measure(&shop, "db restore-from-prod --stage staging --yes");
    tell("db restore-from-prod", bytes, copied, &format!(", {peak} KiB"));
    assert!(peak > 0 && peak < MEMORY, "{peak} KiB");
    let (dumped, loaded) = by_hand(&shop);
    tell("by hand: ssh HOST pg_dump -Fc >FILE", bytes, dumped, "");
    tell("by hand: pg_restore -j2", bytes, loaded, "");
}
