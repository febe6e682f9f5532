//! Paths: `deploy_to`, linked paths, names in braces.

use insta::assert_snapshot;

use super::*;

#[test]
fn deploy_to_is_cleaned_of_superfluous_parts() {
    assert_eq!(server("[stages.production]\ndeploy_to = \"//srv/./shop/\"").deploy_to, "/srv/shop");
}

#[test]
fn deploy_to_is_an_absolute_folder_on_a_server() {
    for (path, title) in [
        ("shop", "error: `deploy_to` is relative"),
        ("~/shop", "error: `deploy_to` begins with `~`"),
        ("/", "error: `deploy_to` is the root of the file system"),
        ("/./", "error: `deploy_to` is the root of the file system"),
        ("/srv/../etc", "error: `deploy_to` contains `..`"),
        ("/srv/a\\\\b", "error: `deploy_to` has a backslash"),
    ] {
        let text = errors(&with(&format!("[stages.production]\ndeploy_to = \"{path}\"")));
        assert!(text.starts_with("1 error in `deploy.toml`"), "{text}");
        assert!(text.contains(title), "{text}");
    }
}

#[test]
fn a_bad_deploy_to_is_shown_once_for_all_servers() {
    let text =
        with("[stages.other]\n[[stages.other.servers]]\nhost = \"a\"\n").replace("/var/www/shop", "var/www/shop");
    assert_snapshot!(errors(&text), @r#"
    1 error in `deploy.toml`
    error: `deploy_to` is relative
     --> deploy.toml:3:13
      |
    3 | deploy_to = "var/www/shop"
      |             ^^^^^^^^^^^^^^ expected an absolute path
    "#);
}

#[test]
fn deploy_to_is_needed_on_servers_only() {
    let text = with("[stages.dev]\ntransport = \"local\"").replace("deploy_to", "#");
    assert_snapshot!(errors(&text), @r#"
    1 error in `deploy.toml`
    error: stage `production` has no `deploy_to`
     --> deploy.toml:6:10
      |
    6 | [[stages.production.servers]]
      |          ^^^^^^^^^^ its servers need a folder to deploy to
      |
      = help: write `deploy_to = "/var/www/{application}"` here or at the top level
    "#);
}

#[test]
fn a_local_stage_is_deployed_below_the_target_directory_by_default() {
    let project = Project::new("application = \"a\"\nrepo_url = \".\"\n[stages.local]\ntransport = \"local\"\n");
    let config = Config::load(&project.request()).unwrap();
    let expected = project.root().join("target/deploy/local");
    assert_eq!(config.stages[0].servers[0].deploy_to, expected.to_str().unwrap());
    assert_eq!(config.work_dir, project.root().join("target/deploy"));
}

#[test]
fn a_relative_deploy_to_of_a_local_stage_starts_at_the_root() {
    let text =
        "application = \"a\"\nrepo_url = \".\"\n[stages.dev]\ntransport = \"local\"\ndeploy_to = \"./out/{stage}\"\n";
    let project = Project::new(text);
    let config = Config::load(&project.request()).unwrap();
    assert_eq!(config.stages[0].servers[0].deploy_to, project.root().join("out/dev").to_str().unwrap());
}

#[test]
fn names_in_braces_are_expanded_in_paths() {
    let stage = stage(
        r#"
deploy_to = "/srv/{application}/{stage}/{host}"
tmp_dir = "/tmp/{application}"
linked_files = ["config/{stage}.key", "a{{b}}"]
[ssh]
identity_files = ["~/.ssh/{stage}", "keys/{application}"]
"#
        .replace("deploy_to", "[stages.production]\ndeploy_to")
        .as_str(),
    );
    assert_eq!(stage.servers[0].deploy_to, "/srv/shop/production/app1");
}

#[test]
fn names_in_braces_reach_every_path() {
    let stage = stage(
        r#"
tmp_dir = "/tmp/{application}"
linked_files = ["config/{stage}.key", "a{{b}}"]
[ssh]
identity_files = ["~/.ssh/{stage}", "/keys/{application}"]
config_file = "~/.ssh/{application}.conf"
"#,
    );
    assert_eq!(stage.settings.tmp_dir, "/tmp/shop");
    assert_eq!(stage.settings.linked_files, ["config/production.key", "a{b}"]);
    let files = [PathBuf::from("/home/ann/.ssh/production"), PathBuf::from("/keys/shop")];
    assert_eq!(stage.settings.ssh.identity_files, files);
    let file = crate::config::SshConfigFile::File("/home/ann/.ssh/shop.conf".into());
    assert_eq!(stage.settings.ssh.config_file, file);
}

#[test]
fn unknown_names_in_braces_are_refused() {
    let text = with("tmp_dir = \"/tmp/{aplication}\"\nlinked_dirs = [\"{release}\", \"a}b\", \"{host}\"]\n");
    assert_snapshot!(errors(&text), @r#"
    4 errors in `deploy.toml`
    error: unknown name `{aplication}`
     --> deploy.toml:4:11
      |
    4 | tmp_dir = "/tmp/{aplication}"
      |           ^^^^^^^^^^^^^^^^^^^ did you mean `{application}`?
      |
      = help: known: `{application}`, `{stage}` and `{host}`; write `{{` for a brace that is part of the text

    error: unknown name `{release}`
     --> deploy.toml:5:16
      |
    5 | linked_dirs = ["{release}", "a}b", "{host}"]
      |                ^^^^^^^^^^^ not known here
      |
      = help: known: `{application}`, `{stage}` and `{host}`; write `{{` for a brace that is part of the text

    error: a single brace
     --> deploy.toml:5:29
      |
    5 | linked_dirs = ["{release}", "a}b", "{host}"]
      |                             ^^^^^ expected `{name}`
      |
      = help: write `{{` or `}}` for a brace that is part of the text

    error: `{host}` has no meaning here
     --> deploy.toml:5:36
      |
    5 | linked_dirs = ["{release}", "a}b", "{host}"]
      |                                    ^^^^^^^^ the same for every server of the stage
      |
      = help: only `deploy_to` differs from server to server
    "#);
}

#[test]
fn linked_paths_stay_inside_of_the_release() {
    let text = with("linked_files = [\"/etc/passwd\", \"../x\", \"a/../../x\", \"\", \".\", \"a\\u0007b\"]\n");
    assert_snapshot!(errors(&text), @r#"
    6 errors in `deploy.toml`
    error: absolute path in `linked_files`
     --> deploy.toml:4:17
      |
    4 | linked_files = ["/etc/passwd", "../x", "a/../../x", "", ".", "a\u0007b"]
      |                 ^^^^^^^^^^^^^ expected a relative path

    error: `..` in `linked_files`
     --> deploy.toml:4:32
      |
    4 | linked_files = ["/etc/passwd", "../x", "a/../../x", "", ".", "a\u0007b"]
      |                                ^^^^^^ expected a path without `..`

    error: `..` in `linked_files`
     --> deploy.toml:4:40
      |
    4 | linked_files = ["/etc/passwd", "../x", "a/../../x", "", ".", "a\u0007b"]
      |                                        ^^^^^^^^^^^ expected a path without `..`

    error: empty value of `linked_files`
     --> deploy.toml:4:53
      |
    4 | linked_files = ["/etc/passwd", "../x", "a/../../x", "", ".", "a\u0007b"]
      |                                                     ^^ expected a text

    error: `linked_files` can't be `.`
     --> deploy.toml:4:57
      |
    4 | linked_files = ["/etc/passwd", "../x", "a/../../x", "", ".", "a\u0007b"]
      |                                                         ^^^ expected a path below it

    error: control characters in `linked_files`
     --> deploy.toml:4:62
      |
    4 | linked_files = ["/etc/passwd", "../x", "a/../../x", "", ".", "a\u0007b"]
      |                                                              ^^^^^^^^^^ expected one line of plain text
    "#);
}

#[test]
fn linked_paths_are_cleaned_of_superfluous_parts() {
    let stage = stage("linked_dirs = [\"log/\", \"./tmp//pids\", \"tmp/pids2\"]\n");
    assert_eq!(stage.settings.linked_dirs, ["log", "tmp/pids", "tmp/pids2"]);
}

#[test]
fn linked_paths_do_not_overlap() {
    let text = with(
        r#"
linked_files = ["log/production.log", "a"]
linked_dirs = ["log", "tmp", "tmp/pids", "./log/", "a"]
"#,
    );
    assert_snapshot!(errors(&text), @r#"
    4 errors in `deploy.toml`
    error: linked file `log/production.log` is inside of linked dir `log`
     --> deploy.toml:5:17
      |
    5 | linked_files = ["log/production.log", "a"]
      |                 ^^^^^^^^^^^^^^^^^^^^ shared with it already
    6 | linked_dirs = ["log", "tmp", "tmp/pids", "./log/", "a"]
      |                ----- linked as a whole

    error: `a` is linked twice
     --> deploy.toml:5:39
      |
    5 | linked_files = ["log/production.log", "a"]
      |                                       ^^^ the second time
    6 | linked_dirs = ["log", "tmp", "tmp/pids", "./log/", "a"]
      |                                                    --- the first time

    error: linked dir `tmp/pids` is inside of linked dir `tmp`
     --> deploy.toml:6:30
      |
    6 | linked_dirs = ["log", "tmp", "tmp/pids", "./log/", "a"]
      |                       -----  ^^^^^^^^^^ shared with it already
      |                       |
      |                       linked as a whole

    error: `log` is linked twice
     --> deploy.toml:6:42
      |
    6 | linked_dirs = ["log", "tmp", "tmp/pids", "./log/", "a"]
      |                ----- the first time      ^^^^^^^^ the second time
    "#);
}

#[test]
fn linked_paths_of_different_layers_do_not_overlap() {
    let text = with("linked_dirs = [\"public\"]\n[stages.production]\nlinked_files = [\"public/robots.txt\"]\n");
    assert_snapshot!(errors(&text), @r#"
    1 error in `deploy.toml`
    error: linked file `public/robots.txt` is inside of linked dir `public`
     --> deploy.toml:6:17
      |
    4 | linked_dirs = ["public"]
      |                -------- linked as a whole
    5 | [stages.production]
    6 | linked_files = ["public/robots.txt"]
      |                 ^^^^^^^^^^^^^^^^^^^ shared with it already
    "#);
}

#[test]
fn a_home_that_is_not_known_can_not_be_expanded() {
    let text = with("[ssh]\nidentity_files = \"~/.ssh/id\"");
    assert_snapshot!(errors_with(&text, |request| request.env.clear()), @r#"
    1 error in `deploy.toml`
    error: `~` can't be expanded
     --> deploy.toml:5:18
      |
    5 | identity_files = "~/.ssh/id"
      |                  ^^^^^^^^^^^ the variable `HOME` is not set
    "#);
}

#[test]
fn a_local_stage_is_not_deployed_over_the_project_or_out_of_it() {
    let text = "application = \"a\"\nrepo_url = \".\"\n[stages.a]\ntransport = \"local\"\ndeploy_to = \".\"\n\
                [stages.b]\ntransport = \"local\"\ndeploy_to = \"../b\"\n";
    assert_snapshot!(errors(text), @r#"
    2 errors in `deploy.toml`
    error: `deploy_to` can't be `.`
     --> deploy.toml:5:13
      |
    5 | deploy_to = "."
      |             ^^^ expected a path below it

    error: `..` in `deploy_to`
     --> deploy.toml:8:13
      |
    8 | deploy_to = "../b"
      |             ^^^^^^ expected a path without `..`
    "#);
}
