//! Ways to reach production's database through another stage: each is refused, and nothing is changed.

use super::scene::Shop;
use e2e::Proxy;

/// A way: what it is, staging's `[database]`, and what stands on the command line.
type Way = (&'static str, String, Vec<String>);

fn place(shop: &Shop, host: &str) -> String {
    let (port, role) = (shop.cluster("production").port(), shop.role("production"));
    format!(
        "host = {host:?}\nport = {port}\nname = \"shop_production\"\nuser = {:?}\npassword = {:?}",
        role.name, role.password
    )
}

fn ways(shop: &Shop, proxy: u16) -> Vec<Way> {
    let (port, role) = (shop.cluster("production").port(), shop.role("production"));
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let url = |rest: &str| {
        let login = format!("{}:{}", encode(&role.name), encode(&role.password));
        format!("url = \"postgresql://{login}@{rest}\"")
    };
    let socket = shop.cluster("production").socket_dir();
    let here = place(shop, "127.0.0.1");
    let with = |more: &str| format!("{here}\n{more}");
    let own = place(shop, "127.0.0.1")
        .replace(&format!("port = {port}"), &format!("port = {}", shop.cluster("staging").port()));
    let none = Vec::new;
    let set = |pairs: &[String]| pairs.iter().map(|pair| format!("--set={pair}")).collect::<Vec<_>>();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let lead = |of: &str| set(&[format!("{of}port={}", shop.cluster("staging").port())]);
    vec![
        ("the same words", here.clone(), none()),
        ("another name of the machine", place(shop, "localhost"), none()),
        ("several hosts", place(shop, "127.0.0.1,localhost"), none()),
        (
            "the socket, as a superuser",
            format!("host = {socket:?}\nport = {port}\nname = \"shop_production\"\nuser = \"postgres\""),
            none(),
        ),
        ("a proxy", here.replace(&port.to_string(), &proxy.to_string()), none()),
        ("a URL", url(&format!("127.0.0.1:{port}/shop_production")), none()),
        (
            "a URL whose parameters lead there",
            url(&format!("db.example.com/x?host=127.0.0.1&port={port}&dbname=shop_production")),
            none(),
        ),
        ("a URL with an address", url(&format!("db.example.com:{port}/shop_production?hostaddr=127.0.0.1")), none()),
        ("a URL with several hosts", url(&format!("127.0.0.1:{port},localhost:{port}/shop_production")), none()),
        ("another maintenance database", with("maintenance_database = \"template1\""), none()),
        ("an owner", with(&format!("owner = {:?}", role.name)), none()),
        ("a flag for the port", own.clone(), set(&[format!("stages.staging.database.port={port}")])),
        (
            "a flag for a URL",
            own,
            set(&[format!(
                "stages.staging.database.{}",
                url(&format!("127.0.0.1:{port}/shop_production")).replace(" = ", "=").replace('"', "")
            )]),
        ),
        ("a flag that takes the protection away", here.clone(), set(&["stages.production.protected=false".into()])),
        ("a flag that leads production elsewhere", here.clone(), lead("stages.production.database.")),
        (
            "a flag that names another database for production",
            here.clone(),
            set(&["stages.production.database.name=postgres2".into()]),
        ),
        ("what leads into protected stages, without a name", here.clone(), words("--into-protected")),
        ("the name of the wrong stage", here.clone(), words("--into-protected --confirm staging")),
        ("a name without the flag", here.clone(), words("--confirm production")),
        ("SQL that is asked for", with("after_restore = [\"fix.sql\"]"), words("--sanitize")),
        ("one's own word of the data", here.clone(), words("--data-of production")),
    ]
}

#[test]
fn production_is_reached_through_no_other_stage() {
    let mut shop = Shop::new(&["production", "staging"]);
    shop.mark("production");
    shop.own("staging", "create table new_things (id int)");
    let dump = shop.back_up("staging");
    std::fs::remove_file(dump.with_extension("pgdump.json")).unwrap();
    std::fs::write(shop.project.folder().join("fix.sql"), "drop table if exists new_things;\n").unwrap();
    let file = dump.to_str().unwrap().to_owned();
    let before = shop.before("production");
    let proxy = Proxy::to(shop.cluster("production").port());
    let mut all = ways(&shop, proxy.port());
    let last = all[0].1.clone();
    let commands = ["db backup undo", "db restore-from-prod", "db restore-from-prod --file"];
    all.extend(commands.map(|command| (command, last.clone(), Vec::new())));
    assert_eq!(all.len(), 24);
    let (mut wrong, count) = (Vec::new(), all.len());
    // One of each kind, unless there is time for all.
    let chosen = all.into_iter().enumerate().filter(|(number, _)| e2e::full() || number % 4 == 2);
    for (_, (way, database, more)) in chosen {
        shop.project.no_database("staging");
        shop.set("staging", &database);
        let command = if way.starts_with("db ") { way.to_owned() } else { "db backup restore --file".to_owned() };
        let mut words: Vec<&str> = command.split(' ').collect();
        if command.ends_with("--file") {
            words.push(&file);
        }
        words.extend(["--stage", "staging", "--yes"]);
        words.extend(more.iter().map(String::as_str));
        let output = shop.project.xtask_with(&words);
        let said = output.to_string();
        let is_refused =
            ["exit status: 2", "exit status: 3"].contains(&&*output.ending()) || said.contains("nothing to undo");
        let is_why = ["protected", "one and the same database", "nothing to undo", "database `postgres2`"];
        if !is_refused || !is_why.iter().any(|why| said.contains(why)) {
            wrong.push(format!("{way}: {said}"));
        }
        if let Err(error) = shop.is_as("production", &before) {
            wrong.push(format!("{way}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} ways: {}", wrong.len(), wrong.join("\n"));
}
