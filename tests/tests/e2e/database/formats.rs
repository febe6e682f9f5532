//! Dumps that the tool didn't make.

use std::process::Command;

use e2e::postgres::compare;

use super::scene::{NONE, Shop, name};

/// Dumps production by a shell command into a file of this name.
fn dump(shop: &Shop, file: &str, command: &str) -> std::path::PathBuf {
    let (cluster, path) = (shop.cluster("production"), shop.project.sandbox.join(file));
    let mut sh = Command::new("sh");
    sh.args(["-euc", command]).current_dir(shop.project.sandbox.path()).env("FILE", &path);
    sh.env("PATH", format!("{}:/usr/bin:/bin", cluster.release().bin().display()));
    sh.env("PGHOST", cluster.socket_dir()).env("PGPORT", cluster.port().to_string());
    sh.env("PGUSER", "postgres").env("PGDATABASE", name("production"));
    let output = sh.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// How others make dumps.
const FORMATS: [(&str, &str); 8] = [
    ("custom.dump", "pg_dump -Fc >\"$FILE\""),
    ("custom uncompressed.pgdump", "pg_dump -Fc -Z0 >\"$FILE\""),
    ("plain.sql", "pg_dump -Fp >\"$FILE\""),
    ("inserts.sql", "pg_dump --inserts --no-owner >\"$FILE\""),
    ("plain.sql.gz", "pg_dump -Fp | gzip >\"$FILE\""),
    ("plain.sql.zst", "pg_dump -Fp | zstd -q >\"$FILE\""),
    ("directory.tar", "rm -rf d; pg_dump -Fd -f d; tar -cf \"$FILE\" -C d ."),
    ("directory named.tar", "rm -rf d; pg_dump -Fd -j2 -f d; tar -cf \"$FILE\" d"),
];

#[test]
fn dumps_of_every_format_are_restored_with_nothing_lost() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 100);
    for (file, command) in FORMATS {
        let path = dump(&shop, file, command);
        let _ = shop.restore(&path, "staging").success();
        let [a, b] = ["production", "staging"].map(|stage| (shop.cluster(stage), name(stage)));
        assert_eq!(compare(a.0, &a.1, b.0, &b.1), NONE, "{file}");
        let owner = shop.psql("staging", "select tableowner from pg_tables where tablename = 'people'");
        assert_eq!(owner, "staging_app", "{file}");
    }
    shop.is_quiet("staging").unwrap();
}

#[test]
fn a_plain_dump_that_fails_in_its_middle_changes_nothing() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 50);
    shop.mark("staging");
    let before = shop.before("staging");
    for command in [
        "{ pg_dump -Fp; echo 'select * from no_such_table;'; } >\"$FILE\"",
        "pg_dump -Fp | head -c 40000 >\"$FILE\"",
        "pg_dump -Fp | gzip | head -c 9000 >\"$FILE\"",
        "pg_dump -Fp | zstd -q | head -c 9000 >\"$FILE\"",
    ] {
        let path = dump(&shop, "broken", command);
        let _ = shop.restore(&path, "staging").fails();
        shop.is_as("staging", &before).map_err(|error| format!("{command}: {error}")).unwrap();
    }
}

#[test]
fn a_folder_and_a_file_that_is_no_dump_are_refused_with_a_word_on_what_to_do() {
    let shop = Shop::new(&["production", "staging"]);
    shop.fill("production", 10);
    let before = shop.before("staging");
    let folder = shop.project.sandbox.join("d");
    dump(&shop, "unused", "pg_dump -Fd -f d");
    shop.restore(&folder, "staging").fails().says("tar");
    let file = dump(&shop, "photo.jpg", "head -c 5000 /dev/urandom >\"$FILE\"");
    shop.restore(&file, "staging").fails().says("photo.jpg");
    let empty = dump(&shop, "empty", ": >\"$FILE\"");
    shop.restore(&empty, "staging").fails().says("empty");
    shop.restore(&shop.project.sandbox.join("nowhere.pgdump"), "staging").fails().says("nowhere.pgdump");
    shop.is_as("staging", &before).unwrap();
}
