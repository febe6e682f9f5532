//! The harness's PostgreSQL: a comparison that finds nothing, or servers that are not there, would prove nothing.

use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use e2e::Sandbox;
use e2e::postgres::{Cluster, Contents, Load, Release, Role, Tools, compare, fill, fill_with_bulk};

/// A cluster with an empty database `shop`.
fn empty_shop(sandbox: &Arc<Sandbox>, name: &str) -> (Cluster, Role) {
    let cluster = Cluster::start(sandbox, name);
    let role = cluster.role("shop", "it's a s3cret:\\%", true);
    cluster.create("shop", &role);
    (cluster, role)
}

/// Runs one of PostgreSQL's programs as the superuser, in a shell.
fn shell(cluster: &Cluster, script: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-euc", script]).env("PATH", format!("{}:/usr/bin:/bin", cluster.release().bin().display()));
    sh.env("PGHOST", cluster.socket_dir()).env("PGPORT", cluster.port().to_string()).env("PGUSER", "postgres");
    let output = sh.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_cluster_lets_in_whom_it_should() {
    let sandbox = Sandbox::new();
    let (cluster, shop) = empty_shop(&sandbox, "production");
    assert_eq!(
        cluster.psql_as(&shop, "shop", "select current_user || inet_server_port()"),
        format!("shop{}", cluster.port())
    );
    assert_eq!(cluster.databases(), ["shop"]);
    assert!(cluster.properties("shop").starts_with("shop|UTF8|C.UTF-8|"), "{}", cluster.properties("shop"));
    // A session that was just left may still be on its way out.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !cluster.connections().is_empty() {
        assert!(std::time::Instant::now() < patience, "{:?}", cluster.connections());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let error = cluster.try_psql("elsewhere", "select 1").unwrap_err();
    assert!(error.contains("database \"elsewhere\" does not exist"), "{error}");
    cluster.authenticate("host all shop 127.0.0.1/32 reject");
    let refused = cluster.try_psql_as(&shop, "shop", "select 1").unwrap_err();
    assert!(refused.contains("pg_hba.conf rejects connection"), "{refused}");
}

#[test]
fn a_cluster_stops_comes_back_and_ends_with_its_sandbox() {
    let sandbox = Sandbox::new();
    let (mut cluster, _) = empty_shop(&sandbox, "production");
    cluster.stop();
    assert!(cluster.try_psql("shop", "select 1").is_err());
    cluster.restart();
    assert_eq!(cluster.psql("shop", "select 1"), "1");
    assert!(sandbox.processes().is_empty(), "{:?}", sandbox.processes());
    drop(cluster);
    let folder = sandbox.path().to_owned();
    drop(sandbox);
    assert!(!folder.exists());
}

#[test]
fn a_copy_of_a_bit_of_everything_is_no_different() {
    let sandbox = Sandbox::new();
    let (production, shop) = empty_shop(&sandbox, "production");
    let (staging, _) = empty_shop(&sandbox, "staging");
    fill(&production, "shop", &shop, 200);
    let here = Contents::of(&production, "shop");
    assert!(here.count("TABLE") > 20 && here.count("rows of") > 20 && here.count("sequence") > 8, "{here:#?}");
    assert_eq!(here.count("large object"), 3);
    assert!(!compare(&production, "shop", &staging, "shop").is_empty());
    let file = sandbox.join("shop.pgdump");
    shell(&production, &format!("pg_dump -Fc shop >{}", file.display()));
    shell(&staging, &format!("pg_restore --no-owner --no-acl --exit-on-error -d shop {}", file.display()));
    assert_eq!(compare(&production, "shop", &staging, "shop"), [] as [&str; 0]);
}

/// What each of `changes` does to a filled database, as the comparison tells it.
fn told(changes: &str) -> Vec<String> {
    let sandbox = Sandbox::new();
    let (cluster, shop) = empty_shop(&sandbox, "production");
    fill(&cluster, "shop", &shop, 200);
    let mut before = Contents::of(&cluster, "shop");
    let mut told = Vec::new();
    for change in changes.split("\n\n") {
        cluster.psql("shop", change);
        let after = Contents::of(&cluster, "shop");
        let differences = before.differences(&after);
        assert_eq!(differences.len(), 1, "`{change}` makes one difference: {differences:?}");
        told.extend(differences);
        before = after;
    }
    told
}

#[test]
fn every_small_change_is_told() {
    let changes = r#"
        update pictures set content = 4301 where id = 3

        delete from booked where ctid = (select ctid from booked where room = 0 limit 1)

        update "Größe"."Straße 7" set "$1 %s \n" = 'E' where "$1 %s \n" = 'e'

        update oddities set raw = set_byte(raw, 2999, 1) where length(raw) = 3000

        select setval('never_used', 1, true)

        select lo_put(4200, 89999, '\x11')

        comment on large object 4300 is null

        drop index people_by_name

        alter table orders enable trigger "Off Duty"

        alter table only people alter boss set default 3

        refresh materialized view not_yet

        create or replace function double(int) returns int immutable language sql return $1 * 3

        update pg_index set indisvalid = false where indexrelid = 'orders_by_time'::regclass
    "#;
    let names: Vec<String> = told(changes).iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect();
    let expected = [
        "rows of public.pictures",
        "rows of public.booked",
        "rows of \"Größe\".\"Straße 7\"",
        "rows of public.oddities",
        "sequence public.never_used",
        "large object 4200",
        "large object 4300",
        "INDEX public.people_by_name",
        "TRIGGER public.orders Off Duty",
        "TABLE public.people",
        "rows of public.not_yet",
        "FUNCTION public.double(integer)",
        "INDEX public.orders_by_time",
    ];
    assert_eq!(names, expected);
}

#[test]
fn two_rows_that_swap_a_value_are_told() {
    let sandbox = Sandbox::new();
    let (cluster, _) = empty_shop(&sandbox, "production");
    cluster.psql("shop", "create table t (a int, b int); insert into t values (1, 2), (3, 4)");
    let before = Contents::of(&cluster, "shop");
    cluster.psql("shop", "update t set b = 6 - b");
    let told = before.differences(&Contents::of(&cluster, "shop"));
    assert!(told.len() == 1 && told[0].starts_with("rows of public.t: was `2 rows "), "{told:?}");
}

#[test]
fn bulk_does_not_compress() {
    let sandbox = Sandbox::new();
    let (cluster, shop) = empty_shop(&sandbox, "production");
    fill_with_bulk(&cluster, "shop", &shop, 3);
    let file = sandbox.join("shop.pgdump");
    shell(&cluster, &format!("pg_dump -Fc shop >{}", file.display()));
    assert!(std::fs::metadata(file).unwrap().len() > 3_000_000);
}

#[test]
fn a_load_of_clients_is_consistent_and_counts_what_it_lost() {
    let sandbox = Sandbox::new();
    let (cluster, shop) = empty_shop(&sandbox, "production");
    Load::prepare(&cluster, "shop", &shop);
    let load = Load::start(&cluster, "shop", &shop, 3);
    load.wait_for(100);
    Load::check(&cluster, "shop").unwrap();
    assert_eq!(cluster.connections().len(), 3);
    cluster.psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop'");
    load.wait_for(100);
    // Two may be quick enough for all bookings, while the third has yet to notice.
    let since = Instant::now();
    while cluster.connections().len() < 3 && since.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(20));
    }
    let report = load.stop();
    assert_eq!((&*report.reconnects, report.refused.concat().len()), (&[1, 1, 1][..], 0), "{report:?}");
    assert_eq!(cluster.psql("shop", "select count(*) >= 200 from bookings"), "t");
    Load::check(&cluster, "shop").unwrap();
}

#[test]
fn a_load_finds_what_is_not_of_one_moment() {
    let sandbox = Sandbox::new();
    let (cluster, shop) = empty_shop(&sandbox, "production");
    Load::prepare(&cluster, "shop", &shop);
    let load = Load::start(&cluster, "shop", &shop, 1);
    load.wait_for(10);
    load.stop();
    cluster.psql("shop", "delete from bookings where number = 2");
    let error = Load::check(&cluster, "shop").unwrap_err();
    assert!(error.contains("pieces in stock and") && error.contains("bookings of connection 1000"), "{error}");
}

#[test]
fn other_releases_are_there_to_be_met() {
    let sandbox = Sandbox::new();
    for number in [14, 17] {
        let cluster = Cluster::start_release(&sandbox, &format!("of-{number}"), Release::major(number, &sandbox));
        let role = cluster.role("shop", "s3cret", true);
        cluster.create("shop", &role);
        fill_with_bulk(&cluster, "shop", &role, 1);
        assert!(cluster.release().version().starts_with(&format!("{number}.")));
        assert_eq!(cluster.psql("shop", "show server_version"), cluster.release().version());
        assert_eq!(Contents::of(&cluster, "shop").count("TABLE"), 1);
    }
}

#[test]
fn tools_write_down_how_they_are_called() {
    let sandbox = Sandbox::new();
    let release = Release::installed();
    let tools = Tools::new(&sandbox, &release);
    tools.replace("pg_restore", "\"$real\" \"$@\"; exit 7");
    let run = |program: &str| Command::new(tools.folder().join(program)).args(["--version", "x y"]).output().unwrap();
    assert!(String::from_utf8_lossy(&run("pg_dump").stdout).contains(release.version()));
    assert_eq!(run("pg_restore").status.code(), Some(7));
    assert_eq!(tools.calls(), ["pg_dump --version x y", "pg_restore --version x y"]);
}
