//! Layers: the more specific one wins.

use insta::assert_snapshot;

use super::*;

fn set(values: &[&str]) -> impl FnOnce(&mut LoadRequest) {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    move |request| request.set = values
}

fn env(values: &[(&str, &str)]) -> impl FnOnce(&mut LoadRequest) {
    let values: Vec<_> = values.iter().map(|(name, value)| (name.into(), value.into())).collect();
    move |request| request.env.extend(values)
}

#[test]
fn a_stage_wins_over_the_top_level() {
    let stage = stage("branch = \"main\"\nkeep_releases = 7\n[stages.production]\nbranch = \"stable\"\n");
    assert_eq!((stage.settings.branch.as_str(), stage.settings.keep_releases), ("stable", 7));
}

#[test]
fn lists_are_replaced_and_maps_are_merged() {
    let stage = stage(
        r#"
linked_dirs = ["log"]
[default_env]
A = "1"
B = "1"
[git]
shallow = true
[command_prefix]
rake = "bundle exec"
[stages.production]
linked_dirs = ["tmp"]
git.strategy = "fetch"
default_env = { B = "2", C = "2" }
command_prefix = { rails = ["rbenv exec", "bundle exec"] }
"#,
    );
    let settings = stage.settings;
    assert_eq!(settings.linked_dirs, ["tmp"]);
    assert!(settings.git.shallow && settings.git.strategy == crate::config::GitStrategy::Fetch);
    assert_snapshot!(format!("{:?}\n{:?}", settings.default_env, settings.command_prefix), @r#"
    {"A": "1", "B": "2", "C": "2"}
    {"rails": ["rbenv exec", "bundle exec"], "rake": ["bundle exec"]}
    "#);
}

#[test]
fn a_server_wins_over_its_stage() {
    let text =
        with("[stages.production]\ndeploy_to = \"/srv/a\"\nssh.port = 22\n") + "deploy_to = \"/srv/b\"\nport = 23\n";
    let server = load(&text).stages.remove(0).servers.remove(0);
    assert_eq!((server.deploy_to.as_str(), server.port), ("/srv/b", Some(23)));
}

#[test]
fn variables_win_over_the_file_and_flags_over_variables() {
    let project = Project::new(&(with("branch = \"main\"") + "deploy_to = \"/srv/b\"\nuser = \"x\"\n"));
    let mut request = project.request();
    env(&[("DEPLOY__BRANCH", "a"), ("DEPLOY__GIT__SHALLOW", "true"), ("DEPLOY__DEFAULT_ENV__RAILS_ENV", "qa")])(
        &mut request,
    );
    set(&["branch=topic/x", "deploy_to=/srv/c", "ssh.user=y"])(&mut request);
    let stage = Config::load(&request).unwrap().stages.remove(0);
    assert_eq!(stage.settings.branch, "topic/x");
    assert!(stage.settings.git.shallow);
    assert_eq!(stage.settings.default_env["RAILS_ENV"], "qa");
    assert_eq!((stage.servers[0].deploy_to.as_str(), stage.servers[0].user.as_deref()), ("/srv/c", Some("y")));
}

#[test]
fn a_flag_may_be_for_one_stage() {
    let text = with("[stages.dev]\ntransport = \"local\"\n");
    let config = load_with(&text, set(&["stages.production.branch=x", "branch=y"]));
    let branches: Vec<&str> = config.stages.iter().map(|stage| stage.settings.branch.as_str()).collect();
    assert_eq!(branches, ["y", "x"]);
}

#[test]
fn the_last_flag_wins() {
    let config = load_with(&with(""), set(&["branch=a", "git.shallow=true", "branch=b"]));
    assert_eq!(config.stages[0].settings.branch, "b");
    assert!(config.stages[0].settings.git.shallow);
}

#[test]
fn what_is_written_in_a_flag_is_a_string_where_one_is_expected() {
    for value in ["20261122", "1.2", "true", "2026-11-22", "v1=2", "a b", "0x1f", "topic/#12", "HEAD~1"] {
        let config = load_with(&with(""), set(&[&format!("branch={value}")]));
        assert_eq!(config.stages[0].settings.branch, value);
    }
    let config = load_with(&with(""), set(&["branch=\"quoted\"", "linked_dirs=[\"a\", \"b\"]", "keep_releases=3"]));
    assert_eq!(config.stages[0].settings.branch, "quoted");
    assert_eq!(config.stages[0].settings.linked_dirs, ["a", "b"]);
    assert_eq!(config.stages[0].settings.keep_releases, 3);
}

#[test]
fn mistakes_in_flags_are_shown_in_the_flag() {
    let values =
        ["keep_releases=many", "git.shalow=true", "linked_dirs=log", "stages.prodution.branch=x", "x.y.z=1", "=1"];
    assert_snapshot!(errors_with(&with(""), set(&values)), @"
    6 errors in the configuration
    error: wrong type of `keep_releases`
     |
     | --set keep_releases=many
     |                     ^^^^ expected an integer, found a string

    error: unknown key `shalow`
     |
     | --set git.shalow=true
     |           ^^^^^^ did you mean `shallow`?

    error: wrong type of `linked_dirs`
     |
     | --set linked_dirs=log
     |                   ^^^ expected an array of strings, found a string

    error: unknown stage `prodution`
     |
     | --set stages.prodution.branch=x
     |              ^^^^^^^^^ did you mean `production`?

    error: unknown key `x`
     |
     | --set x.y.z=1
     |       ^ no such key
     |
     = help: known: `application`, `repo_url`, `repo_tree`, `branch`, `deploy_to`, `keep_releases`, `linked_files`, `optional_linked_files`, `linked_dirs`, `default_env`, `command_prefix`, `tmp_dir`, `umask`, `local_user`, `failed_releases`, `rolled_back_releases`, `properties`, `git`, `ssh`, `database`, `recipes` and `stages`

    error: unknown key ``
     |
     | --set =1
     |       ^ no such key
     |
     = help: known: `application`, `repo_url`, `repo_tree`, `branch`, `deploy_to`, `keep_releases`, `linked_files`, `optional_linked_files`, `linked_dirs`, `default_env`, `command_prefix`, `tmp_dir`, `umask`, `local_user`, `failed_releases`, `rolled_back_releases`, `properties`, `git`, `ssh`, `database`, `recipes` and `stages`
    ");
}

#[test]
fn mistakes_in_variables_are_shown_in_the_variable() {
    let values =
        [("DEPLOY__BRNCH", "x"), ("DEPLOY__GIT__STRATEGY", "pull"), ("DEPLOY__SERVERS", "[]"), ("DEPLOY_X", "1")];
    assert_snapshot!(errors_with(&with(""), env(&values)), @"
    3 errors in the configuration
    error: unknown key `brnch`
     |
     | DEPLOY__BRNCH=x
     |         ^^^^^ did you mean `branch`?

    error: `strategy` can't be `pull`
     |
     | DEPLOY__GIT__STRATEGY=pull
     |                       ^^^^ expected `push` or `fetch`

    error: unknown key `servers`
     |
     | DEPLOY__SERVERS=[]
     |         ^^^^^^^ no such key
     |
     = help: known: `application`, `repo_url`, `repo_tree`, `branch`, `deploy_to`, `keep_releases`, `linked_files`, `optional_linked_files`, `linked_dirs`, `default_env`, `command_prefix`, `tmp_dir`, `umask`, `local_user`, `failed_releases`, `rolled_back_releases`, `properties`, `git`, `ssh`, `database`, `recipes` and `stages`
    ");
}

#[test]
fn a_flag_that_contradicts_the_file_shows_both() {
    let text = with("linked_dirs = [\"public\"]");
    assert_snapshot!(errors_with(&text, set(&["linked_files=[\"public/robots.txt\"]"])), @r#"
    1 error in the configuration
    error: linked file `public/robots.txt` is inside of linked dir `public`
      |
      | --set linked_files=["public/robots.txt"]
      |                     ^^^^^^^^^^^^^^^^^^^ shared with it already
      |
     ::: deploy.toml:4:16
      |
    4 | linked_dirs = ["public"]
      |                -------- linked as a whole
    "#);
}

#[test]
fn a_flag_without_a_value_is_a_mistake_of_the_command_line() {
    let project = Project::new(&with(""));
    let mut request = project.request();
    set(&["branch"])(&mut request);
    let error = Config::load(&request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_snapshot!(error, @"
    no `=` in `--set branch`
      hint: write `--set KEY=VALUE`, such as `--set git.shallow=true`
    ");
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let settings = stage("").settings;
    assert_eq!(
        (settings.branch.as_str(), settings.local_user.as_str(), settings.tmp_dir.as_str()),
        ("HEAD", "ann", "/tmp")
    );
}

#[test]
fn times_and_masks_are_read_in_every_form() {
    let ssh = stage("umask = 0o027\n[ssh]\nconnect_timeout = \"5m\"\nkeepalive_interval = 0\n");
    assert_eq!(ssh.settings.umask, Some(0o27));
    assert_eq!(ssh.settings.ssh.connect_timeout, Some(std::time::Duration::from_secs(300)));
    assert_eq!(ssh.settings.ssh.keepalive_interval, Some(std::time::Duration::ZERO));
    let ssh = stage("umask = \"0022\"\n[ssh]\nconnect_timeout = \"500ms\"\nkeepalive_interval = \"1h\"\n").settings;
    assert_eq!((ssh.umask, ssh.ssh.connect_timeout.unwrap().as_millis()), (Some(0o22), 500));
    assert_eq!(ssh.ssh.keepalive_interval.unwrap().as_secs(), 3600);
}

#[test]
fn variables_keep_the_case_of_what_tasks_see() {
    let values = [
        ("DEPLOY__DEFAULT_ENV__Path", "/bin"),
        ("DEPLOY__STAGES__PRODUCTION__DEFAULT_ENV__RAILS_ENV", "qa"),
        ("DEPLOY__DEFAULT_ENV__WEB__CONCURRENCY", "4"),
    ];
    let config = load_with(&with(""), env(&values));
    assert_snapshot!(format!("{:?}", config.stages[0].settings.default_env), @r#"{"Path": "/bin", "RAILS_ENV": "qa", "WEB__CONCURRENCY": "4"}"#);
}

#[test]
fn a_wrong_value_that_every_server_hides_is_reported() {
    let text = with("[stages.production]\ndeploy_to = 1\nproperties = 2") + "deploy_to = \"/srv/a\"\n";
    assert_snapshot!(errors(&text), @r#"
    2 errors in `deploy.toml`
    error: wrong type of `deploy_to`
     --> deploy.toml:5:13
      |
    5 | deploy_to = 1
      |             ^ expected a string, found an integer
      |
      = help: write it in quotes: `"1"`

    error: wrong type of `properties`
     --> deploy.toml:6:14
      |
    6 | properties = 2
      |              ^ expected a table, found an integer
    "#);
}
