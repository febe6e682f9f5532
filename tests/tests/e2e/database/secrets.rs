//! What nobody may read: passwords.

use std::fs;
use std::path::Path;

use e2e::Spy;

use super::scene::{Shop, list};

/// The files below `folder` that have `text` in them.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in list(folder) {
        let path = folder.join(name);
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn the_password_stands_in_no_command_line_and_in_no_file() {
    let mut shop = Shop::new(&["production", "staging", "dev"]);
    shop.fill("production", 1000);
    let tools = shop.tools("production");
    let secret = shop.secret();
    let spy = Spy::on(&secret);
    let dump = shop.back_up("production");
    let mut said = String::new();
    for stage in ["staging", "dev"] {
        for verbosity in ["", " --verbose"] {
            let line = format!("db restore-from-prod --stage {stage} --yes{verbosity}");
            said += &shop.project.xtask(&line).success().to_string();
        }
        said += &shop.project.xtask(&format!("db backup undo --stage {stage} --yes")).success().to_string();
        said += &shop.restore(&dump, stage).success().to_string();
    }
    for line in ["db backup list", "db backup verify", "db backup create --stage production --dry-run"] {
        said += &shop.project.xtask(line).success().to_string();
    }
    assert!(!said.contains(&secret), "{said}");
    assert_eq!(spy.finish(), Vec::<String>::new());
    let calls = tools.calls();
    assert!(!calls.is_empty() && !calls.iter().any(|call| call.contains(&secret)), "{calls:?}");
    let files = files_with(shop.project.sandbox.path(), &secret);
    let config = shop.project.folder().join("deploy.toml").display().to_string();
    assert_eq!(files, [config], "the password is where it was written, and nowhere else");
}

#[test]
fn the_password_is_in_no_message_and_no_log_of_what_failed() {
    let mut shop = Shop::new(&["staging"]);
    shop.fill("staging", 10);
    let dump = shop.back_up("staging");
    let secret = shop.secret();
    let tools = shop.tools("staging");
    let mut said = String::new();
    let loud = "env >&2; for file in \"$PGPASSFILE\"; do cat \"$file\" >&2; done; exit 1";
    for program in ["pg_dump", "pg_restore"] {
        tools.replace(program, &format!("case \"$*\" in *--version*) exec \"$real\" \"$@\" ;; esac; {loud}"));
    }
    said += &shop.project.xtask("db backup create --stage staging").fails().to_string();
    said += &shop.restore(&dump, "staging").fails().to_string();
    shop.cluster_mut("staging").stop();
    said += &shop.project.xtask("db backup create --stage staging --format json").fails().to_string();
    assert!(!said.contains(&secret), "{said}");
    let logs = files_with(&shop.project.folder().join("target"), &secret);
    assert_eq!(logs, Vec::<String>::new());
}
