//! Values that are secret by their name, or stand in an address: they are shown nowhere.

use std::fs;
use std::path::Path;

use e2e::Project;

/// What nobody may see, and may be found however it is quoted.
const SECRETS: [&str; 5] = ["value-1", "cache-pass-2", "stripe-value-3", "prop-pass-4", "given-five-5"];

/// A project that has all of them in `deploy.toml`, and a task that prints what it has.
fn project() -> Project {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top(r#"default_env = { SHOP_API_TOKEN = "it's-$$value-1", CACHE_URL = "redis://:cache-pass-2@cache/0" }"#);
    project.server_mut("app1").set("properties = { admin_password = \"prop-pass-4\" }");
    project.tables(
        r#"[tasks."say:it"]
run = "env; printf '%s\n' \"$STRIPE_KEY\" >&2; cat \"/nowhere/$SHOP_API_TOKEN\""
env = { STRIPE_KEY = "stripe-value-3" }
after = "deploy:updated""#,
    );
    project
}

/// The files below `folder` that have one of the secrets in them.
fn files_with(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            found.extend(SECRETS.iter().filter(|secret| text.contains(*secret)).map(|_| path.display().to_string()));
        }
    }
    found
}

#[test]
fn secrets_of_the_configuration_are_shown_nowhere() {
    let project = project();
    let given = "default_env.GIVEN_PASSWORD=given-five-5";
    for words in [
        &["deploy", "staging"][..],
        &["deploy", "staging", "--verbose"],
        &["deploy", "staging", "--format", "json"],
        &["deploy", "staging", "--dry-run"],
        &["deploy", "staging", "--plan"],
        &["deploy", "staging", "--set", given],
        &["deploy", "staging", "--set", "default_env.GIVEN_PASSWORD=['given-five-5']"],
        &["deploy", "staging", "--set", "default_env=DB_PASSWORD=given-five-5"],
        &["deploy", "staging", "--set", "databse.pasword=given-five-5"],
    ] {
        let output = project.xtask_with(words);
        let text = [output.stdout(), output.stderr()].concat();
        // What is set by hand stands on the user's own command line.
        let shown: Vec<_> = SECRETS.iter().filter(|secret| text.contains(*secret)).collect();
        assert!(shown.is_empty(), "{words:?}: {shown:?}\n{text}");
    }
    assert_eq!(files_with(&project.folder().join("target")), Vec::<String>::new());
}
