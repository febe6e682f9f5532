//! Dumps that the tool didn't make.

use std::fs;
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

/// A dump in SQL of somebody else's, with commands that psql would run: none of them is, in any way of restoring.
#[test]
fn commands_for_psql_in_a_dump_are_not_run() {
    let shop = Shop::new(&["staging"]);
    shop.mark("staging");
    shop.cluster("staging").create("precious", shop.role("staging"));
    let touched = shop.project.sandbox.join("touched");
    let before = shop.before("staging");
    let file = shop.project.sandbox.join("hostile.sql");
    for command in [
        format!("\\! touch '{}'", touched.display()),
        format!("\\o {}", touched.display()),
        "\\connect precious".to_owned(),
        "SELECT 'create table evil ()' \\gexec".to_owned(),
        format!("COPY\nFROM stdin;\n\\copy things to '{}'", touched.display()),
    ] {
        let text = format!(
            "--\n-- PostgreSQL database dump\n--\n\\restrict abc\nCREATE TABLE public.things (id integer);\n{command}\n\
             CREATE TABLE public.evil (id integer);\n\\unrestrict abc\n--\n-- PostgreSQL database dump complete\n--\n"
        );
        fs::write(&file, text).unwrap();
        shop.restore(&file, "staging").fails().says("has a command for psql").says("not loaded");
        shop.is_as("staging", &before).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(!touched.exists(), "{command}");
    }
    assert_eq!(
        shop.cluster("staging").psql("precious", "select count(*) from pg_tables where tablename = 'evil'"),
        "0"
    );
}

/// What the tool's own reading of a text doesn't see, psql refuses: an archive has it in a definition.
#[test]
fn commands_for_psql_in_an_archive_are_not_run_where_it_becomes_a_text() {
    let shop = Shop::new(&["staging"]);
    let touched = shop.project.sandbox.join("touched");
    shop.cluster("staging").psql("postgres", "alter role staging_app nocreatedb");
    shop.own("staging", "create table things (id int); insert into things values (1)");
    let body = format!("\\! touch {}", touched.display());
    let body = format!("{body:<200}");
    shop.own("staging", &format!("comment on table things is '{}'", "x".repeat(body.len())));
    let dump = shop.back_up("staging");
    let whole = fs::read(&dump).unwrap();
    let text = format!("COMMENT ON TABLE public.things IS '{}'", "x".repeat(body.len()));
    let at = whole.windows(text.len()).position(|window| window == text.as_bytes()).expect("the comment is in it");
    let hostile = format!("\n{:<width$}\n", format!("\\! touch {}", touched.display()), width = text.len() - 2);
    let bytes = [&whole[..at], hostile.as_bytes(), &whole[at + text.len()..]].concat();
    let file = shop.project.sandbox.join("hostile.pgdump");
    fs::write(&file, bytes).unwrap();
    let before = shop.before("staging");
    let _ = shop.restore(&file, "staging").fails();
    assert!(!touched.exists());
    shop.is_as("staging", &before).unwrap();
}
