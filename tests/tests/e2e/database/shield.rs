//! A protected database stays what it is, whatever stage, variable or server leads to it.

use std::fs;

use super::scene::{NONE, Shop, name};

/// A shop whose staging leads to production's database, with a dump of something else.
fn misled() -> (Shop, String) {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.own("staging", "create table new_things (id int)");
    shop.mark("production");
    let dump = shop.back_up("staging").to_str().unwrap().to_owned();
    let production = shop.role("production").clone();
    let place = format!("port = {}\nname = \"shop_production\"", shop.cluster("production").port());
    shop.project.no_database("staging");
    shop.set("staging", &format!("host = \"localhost\"\n{place}"));
    shop.set("staging", &format!("user = {:?}\npassword = {:?}", production.name, production.password));
    (shop, dump)
}

#[test]
fn a_stage_that_leads_to_a_protected_database_is_refused() {
    let (shop, dump) = misled();
    let before = shop.before("production");
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "staging"];
    for more in [
        &["--yes"][..],
        &["--into-protected", "--yes"],
        &["--into-protected", "--confirm", "staging", "--yes"],
        &["--confirm", "production", "--yes"],
    ] {
        let output = shop.project.xtask_with(&[&restore, more].concat()).fails_with(2);
        shop.is_as("production", &before).map_err(|error| format!("{more:?}: {error}\n{output}")).unwrap();
    }
    let refused = shop.project.xtask_with(&[&restore, &["--yes"][..]].concat()).fails_with(2);
    refused.says("leads to the database of stage `production`, which is protected").says("--confirm production");
    let confirmed = ["--into-protected", "--confirm", "production"];
    shop.project.xtask_with(&[&restore, &confirmed[..]].concat()).success();
    assert_eq!(shop.psql("production", "select count(*) from new_things"), "0");
    let undo = ["db", "backup", "undo", "--stage", "staging"];
    shop.project.xtask_with(&[&undo, &["--yes"][..]].concat()).fails_with(2).says("stage `production`");
    assert_eq!(shop.psql("production", "select count(*) from new_things"), "0");
    shop.project.xtask_with(&[&undo, &confirmed[..]].concat()).success();
    assert_eq!(shop.psql("production", "select name from old_things"), "old");
}

#[test]
fn flags_and_variables_lead_no_stage_to_a_protected_database() {
    let shop = Shop::new(&["production", "staging"]);
    shop.own("staging", "create table new_things (id int)");
    shop.mark("production");
    let dump = shop.back_up("staging").to_str().unwrap().to_owned();
    let before = shop.before("production");
    let (role, port) = (shop.role("production").clone(), shop.cluster("production").port());
    let place = [
        format!("--set=stages.staging.database.port={port}"),
        "--set=stages.staging.database.name=shop_production".to_owned(),
        format!("--set=stages.staging.database.user={}", role.name),
    ];
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "staging", "--yes"];
    let arguments: Vec<_> = restore.into_iter().chain(place.iter().map(String::as_str)).collect();
    shop.project.xtask_with(&arguments).fails_with(2).says("which is protected");
    shop.is_as("production", &before).unwrap();
}

#[test]
fn where_a_protected_stage_can_not_be_asked_the_stages_own_name_is_asked_for() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.mark("staging");
    let dump = shop.back_up("staging").to_str().unwrap().to_owned();
    shop.cluster_mut("production").stop();
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "staging"];
    let refused = shop.project.xtask_with(&[&restore, &["--yes"][..]].concat()).fails_with(2);
    refused.says("can't be found out").says("`production`").says("--into-protected --confirm staging");
    let confirmed = ["--into-protected", "--confirm", "staging"];
    shop.project.xtask_with(&[&restore, &confirmed[..]].concat()).success();
}

/// Production's configuration leads to a hot standby, and staging's by mistake to the primary behind it.
#[test]
fn a_standby_and_its_primary_are_one_database() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.own("staging", "create table new_things (id int)");
    shop.mark("production");
    let dump = shop.back_up("staging").to_str().unwrap().to_owned();
    let standby = shop.cluster_mut("production").standby("standby");
    let role = shop.role("production").clone();
    let primary = shop.cluster("production").port();
    shop.set("production", &format!("port = {}", standby.port()));
    shop.set("staging", &format!("port = {primary}\nname = \"shop_production\""));
    shop.set("staging", &format!("user = {:?}\npassword = {:?}", role.name, role.password));
    let before = shop.contents("production");
    let restore = ["db", "backup", "restore", "--file", &dump, "--stage", "staging", "--yes"];
    shop.project.xtask_with(&restore).fails_with(2).says("leads to the database of stage `production`");
    let copy = shop.project.xtask("db restore-from-prod --stage staging --yes").fails();
    copy.says("one and the same database");
    assert_eq!(before.differences(&shop.contents("production")), NONE);
    // A restore to a standby is refused at once, and a backup of one is as good as any.
    shop.project.no_database("staging");
    shop.set("staging", &format!("host = \"127.0.0.1\"\nport = {}\nname = \"shop_production\"", standby.port()));
    shop.set("staging", &format!("user = {:?}\npassword = {:?}", role.name, role.password));
    shop.project.other_stage("production", "protected = false");
    shop.project.xtask_with(&restore).fails().says("follows another one").says("read-only");
    assert!(shop.back_up("production").exists());
    // The standby takes back what is being read, once.
    let tools = shop.tools("production");
    tools.replace(
        "pg_dump",
        "case $* in *--version*) exec \"$real\" \"$@\" ;; esac\nif [ -e \"$0.once\" ]; then exec \"$real\" \"$@\"; fi\n: >\"$0.once\"\n\
         echo 'pg_dump: error: query failed: ERROR:  canceling statement due to conflict with recovery' >&2\nexit 1",
    );
    shop.project
        .xtask("db backup create --stage production")
        .success()
        .says("took back what the dump was reading")
        .says("once more");
}

/// What libpq reads by itself, where nobody thinks of it: from this machine for local stages.
#[test]
fn variables_of_postgresql_lead_nowhere() {
    let shop = Shop::new(&["production", "dev"]);
    shop.own("dev", "create table new_things (id int)");
    shop.mark("production");
    let dump = shop.back_up("dev").to_str().unwrap().to_owned();
    let before = shop.before("production");
    let service = shop.project.sandbox.join("services");
    let (role, port) = (shop.role("production"), shop.cluster("production").port());
    let password = role.password.clone();
    fs::write(&service, format!("[prod]\nhost=127.0.0.1\nport={port}\nuser={}\ndbname=shop_production\n", role.name))
        .unwrap();
    let mut restore = shop.project.command(&["db", "backup", "restore", "--file", &dump, "--stage", "dev", "--yes"]);
    restore.env("PGSERVICE", "prod").env("PGSERVICEFILE", &service).env("PGPASSWORD", password);
    restore.env("PGHOSTADDR", "192.0.2.1").env("PGOPTIONS", "-c statement_timeout=1").env("PGPORT", port.to_string());
    shop.project.sandbox.run(restore).success();
    shop.is_as("production", &before).unwrap();
    assert_eq!(shop.others("dev").len(), 1, "dev's own database was replaced");
}

/// The same from a server's sshd.
#[test]
fn variables_of_a_server_lead_nowhere() {
    let shop = Shop::new(&["production", "staging"]);
    shop.own("staging", "create table new_things (id int)");
    shop.mark("production");
    let dump = shop.back_up("staging");
    let before = shop.before("production");
    let port = shop.cluster("production").port();
    let service = shop.project.sandbox.join("services");
    fs::write(&service, format!("[prod]\nhost=127.0.0.1\nport={port}\ndbname=shop_production\n")).unwrap();
    let variables = format!("environment=\"PGSERVICE=prod\",environment=\"PGSERVICEFILE={}\"", service.display());
    let key = format!("{variables} {}\n", shop.project.key().public());
    fs::write(shop.project.sandbox.join("authorized_keys"), key).unwrap();
    let _ = shop.restore(&dump, "staging").success();
    shop.is_as("production", &before).unwrap();
    assert_eq!(shop.others("staging").len(), 1);
}

/// A name that leads to another server after a while: of several addresses, or a proxy that moved on.
#[test]
fn another_server_than_the_one_that_was_asked_about_is_not_written_to() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.own("staging", "create table new_things (id int)");
    let dump = shop.back_up("staging");
    let role = shop.role("staging").clone();
    // The other one has all that the first has, by name.
    let system = |shop: &Shop, stage: &str| {
        shop.cluster(stage).psql("postgres", "select system_identifier from pg_control_system()")
    };
    shop.cluster_mut("production").renew();
    assert_ne!(system(&shop, "production"), system(&shop, "staging"));
    shop.cluster("production").role(&role.name, &role.password, true);
    shop.cluster("production").create(&name("staging"), &role);
    shop.cluster("production").psql(&name("staging"), "create table precious (id int)");
    shop.project.no_database("production");
    let tools = shop.tools("staging");
    let (count, port) = (tools.folder().join("count"), shop.cluster("production").port());
    for asked in [3, 8] {
        fs::write(&count, "").unwrap();
        let switch = format!(
            "echo >>'{0}'\n[ \"$(wc -l <'{0}')\" -le {asked} ] || PGPORT={port}\nexec \"$real\" \"$@\"",
            count.display()
        );
        tools.replace("psql", &switch);
        let output = shop.restore(&dump, "staging").fails().says("another database server answers");
        let databases = shop.cluster("production").databases();
        assert_eq!(databases, [name("staging")], "after {asked}: {output}");
        assert_eq!(shop.cluster("production").psql(&name("staging"), "select count(*) from precious"), "0");
    }
}
