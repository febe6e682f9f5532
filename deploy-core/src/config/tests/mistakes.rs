//! Mistakes that any table can have: no TOML, unknown keys, wrong types, numbers and words that don't fit.

use insta::assert_snapshot;

use super::*;

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"
application = "shop"
repo_url = "git@example.com:shop.git"
deploy_to = "/var/www/shop"
linked_file = ["config/database.yml"]
keep_releases = "5"

[git]
strategy = "pull"

[stages.staging]
[[stages.staging.servers]]
host = "app1"
role = "app"

[stages.production]
"#;
    assert_snapshot!(errors(text), @r#"
    5 errors in `deploy.toml`
    error: unknown key `linked_file`
     --> deploy.toml:5:1
      |
    5 | linked_file = ["config/database.yml"]
      | ^^^^^^^^^^^ did you mean `linked_files`?

    error: wrong type of `keep_releases`
     --> deploy.toml:6:17
      |
    6 | keep_releases = "5"
      |                 ^^^ expected an integer, found a string

    error: `strategy` can't be `pull`
     --> deploy.toml:9:12
      |
    9 | strategy = "pull"
      |            ^^^^^^ expected `push` or `fetch`

    error: unknown key `role`
      --> deploy.toml:14:1
       |
    14 | role = "app"
       | ^^^^ did you mean `roles`?

    error: stage `production` has no servers
      --> deploy.toml:16:9
       |
    16 | [stages.production]
       |         ^^^^^^^^^^ expected `[[stages.production.servers]]` below it
       |
       = help: write `transport = "local"` for a stage that is this machine
    "#);
}

#[test]
fn text_that_is_no_toml_is_shown() {
    assert_snapshot!(errors("application = shop\nkeep_releases = \n[stages.x\n"), @"
    3 errors in `deploy.toml`
    error: not valid TOML
     --> deploy.toml:1:15
      |
    1 | application = shop
      |               ^^^^ string values must be quoted, expected literal string

    error: not valid TOML
     --> deploy.toml:2:17
      |
    2 | keep_releases = 
      |                 ^ string values must be quoted, expected literal string

    error: not valid TOML
     --> deploy.toml:3:10
      |
    3 | [stages.x
      |          ^ unclosed table, expected `]`
    ");
}

#[test]
fn a_key_that_is_written_twice_is_shown() {
    assert_snapshot!(errors("branch = \"a\"\nbranch = \"b\"\n"), @r#"
    1 error in `deploy.toml`
    error: not valid TOML
     --> deploy.toml:2:1
      |
    2 | branch = "b"
      | ^^^^^^ duplicate key
    "#);
}

#[test]
fn an_empty_file_has_no_stages_and_is_good() {
    assert!(load("").stages.is_empty());
}

#[test]
fn keys_without_default_must_be_there() {
    assert_snapshot!(errors("[stages.dev]\ntransport = \"local\"\n[stages.test]\ntransport = \"local\"\n"), @r#"
    2 errors in `deploy.toml`
    error: missing key `application`
    --> deploy.toml
     = help: write `application = "shop"` before the first table

    error: missing key `repo_url`
    --> deploy.toml
     = help: write `repo_url = "git@git.example.com:shop.git"` before the first table
    "#);
}

#[test]
fn a_key_far_from_all_known_ones_lists_them() {
    assert_snapshot!(errors(&with("[git]\nxyz = 1\n[stages.production.git]\nshalow = true")), @"
    2 errors in `deploy.toml`
    error: unknown key `xyz`
     --> deploy.toml:5:1
      |
    5 | xyz = 1
      | ^^^ no such key
      |
      = help: known: `strategy`, `shallow`, `verify_commit`, `max_fetches`, `ignore_submodules` and `ignore_lfs`

    error: unknown key `shalow`
     --> deploy.toml:7:1
      |
    7 | shalow = true
      | ^^^^^^ did you mean `shallow`?
    ");
}

#[test]
fn a_setting_of_ssh_or_git_outside_of_its_table_is_pointed_there() {
    assert_snapshot!(errors(&with("user = \"deploy\"\nshallow = true\n")), @r#"
    2 errors in `deploy.toml`
    error: `user` stands in the wrong place
     --> deploy.toml:4:1
      |
    4 | user = "deploy"
      | ^^^^ did you mean `ssh.user`?

    error: `shallow` stands in the wrong place
     --> deploy.toml:5:1
      |
    5 | shallow = true
      | ^^^^^^^ did you mean `git.shallow`?
    "#);
}

#[test]
fn types_are_checked_everywhere() {
    let text = with(
        r#"
branch = 1
linked_files = "config/database.yml"
linked_dirs = ["log", 3]
default_env = { WEB_CONCURRENCY = 4 }
command_prefix = { rake = 1 }
umask = 22
git = "push"
properties = 1
[ssh]
forward_agent = "yes"
connect_timeout = 1.5
identity_files = false
"#,
    );
    assert_snapshot!(errors(&text), @r#"
    11 errors in `deploy.toml`
    error: wrong type of `branch`
     --> deploy.toml:5:10
      |
    5 | branch = 1
      |          ^ expected a string, found an integer
      |
      = help: write it in quotes: `"1"`

    error: wrong type of `linked_files`
     --> deploy.toml:6:16
      |
    6 | linked_files = "config/database.yml"
      |                ^^^^^^^^^^^^^^^^^^^^^ expected an array of strings, found a string

    error: wrong type of `linked_dirs`
     --> deploy.toml:7:23
      |
    7 | linked_dirs = ["log", 3]
      |                       ^ expected a string, found an integer
      |
      = help: write it in quotes: `"3"`

    error: wrong type of `WEB_CONCURRENCY`
     --> deploy.toml:8:35
      |
    8 | default_env = { WEB_CONCURRENCY = 4 }
      |                                   ^ expected a string, found an integer
      |
      = help: write it in quotes: `"4"`

    error: wrong type of `rake`
     --> deploy.toml:9:27
      |
    9 | command_prefix = { rake = 1 }
      |                           ^ expected a string or an array of strings, found an integer

    error: `umask` is not an octal number
      --> deploy.toml:10:9
       |
    10 | umask = 22
       |         ^^ expected octal digits such as "0022", up to "0777"

    error: wrong type of `git`
      --> deploy.toml:11:7
       |
    11 | git = "push"
       |       ^^^^^^ expected a table, found a string

    error: wrong type of `properties`
      --> deploy.toml:12:14
       |
    12 | properties = 1
       |              ^ expected a table, found an integer

    error: wrong type of `forward_agent`
      --> deploy.toml:14:17
       |
    14 | forward_agent = "yes"
       |                 ^^^^^ expected `true` or `false`, found a string

    error: `connect_timeout` is not a time
      --> deploy.toml:15:19
       |
    15 | connect_timeout = 1.5
       |                   ^^^ expected a number of seconds, or a text such as "10s", "5m" or "500ms"

    error: wrong type of `identity_files`
      --> deploy.toml:16:18
       |
    16 | identity_files = false
       |                  ^^^^^ expected a string or an array of strings, found a boolean
    "#);
}

#[test]
fn numbers_have_ranges() {
    let text = with(
        r#"
keep_releases = 0
umask = "1777"
[git]
max_fetches = 99999999999999999999999999
[ssh]
port = 65536
keepalive_interval = -1
connect_timeout = "10 parsecs"
"#,
    );
    assert_snapshot!(errors(&text), @r#"
    6 errors in `deploy.toml`
    error: `keep_releases` is out of range
     --> deploy.toml:5:17
      |
    5 | keep_releases = 0
      |                 ^ expected 1 or more

    error: `umask` is not an octal number
     --> deploy.toml:6:9
      |
    6 | umask = "1777"
      |         ^^^^^^ expected octal digits such as "0022", up to "0777"

    error: `max_fetches` is out of range
     --> deploy.toml:8:15
      |
    8 | max_fetches = 99999999999999999999999999
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^^ expected 1 or more

    error: `port` is out of range
      --> deploy.toml:10:8
       |
    10 | port = 65536
       |        ^^^^^ expected 1 to 65535

    error: `keepalive_interval` is not a time
      --> deploy.toml:11:22
       |
    11 | keepalive_interval = -1
       |                      ^^ expected a number of seconds, or a text such as "10s", "5m" or "500ms"

    error: `connect_timeout` is not a time
      --> deploy.toml:12:19
       |
    12 | connect_timeout = "10 parsecs"
       |                   ^^^^^^^^^^^^ expected a number of seconds, or a text such as "10s", "5m" or "500ms"
    "#);
}

#[test]
fn words_that_are_none_of_a_few_are_answered_with_these() {
    let text = with("failed_releases = \"delete\"\n[ssh]\nhost_key_policy = \"accept_new\"\n");
    assert_snapshot!(errors(&text), @r#"
    2 errors in `deploy.toml`
    error: `failed_releases` can't be `delete`
     --> deploy.toml:4:19
      |
    4 | failed_releases = "delete"
      |                   ^^^^^^^^ expected `keep`, `archive` or `remove`

    error: `host_key_policy` can't be `accept_new`
     --> deploy.toml:6:19
      |
    6 | host_key_policy = "accept_new"
      |                   ^^^^^^^^^^^^ did you mean `accept-new`?
    "#);
}

#[test]
fn a_wrong_top_level_value_is_reported_though_every_stage_has_its_own() {
    let text = with("keep_releases = 0\n[stages.production]\nkeep_releases = 3\n");
    assert_snapshot!(errors(&text), @"
    1 error in `deploy.toml`
    error: `keep_releases` is out of range
     --> deploy.toml:4:17
      |
    4 | keep_releases = 0
      |                 ^ expected 1 or more
    ");
}

#[test]
fn names_can_not_be_hostile() {
    let text = r#"
application = "shop; rm -rf /"
repo_url = "--upload-pack=touch /tmp/x"
branch = "-x"
deploy_to = "/var/www/shop"
[default_env]
"A B" = "x"
[ssh]
user = "$(id)"
[stages."../up"]
transport = "local"
[stages.rollback]
transport = "local"
[stages.ensure-stage]
transport = "local"
"#;
    assert_snapshot!(errors(text), @r#"
    8 errors in `deploy.toml`
    error: `shop; rm -rf /` can't be the name of an application
     --> deploy.toml:2:15
      |
    2 | application = "shop; rm -rf /"
      |               ^^^^^^^^^^^^^^^^ expected letters, digits, `_`, `-` and `.`, beginning with a letter or digit

    error: `repo_url` begins with `-`
     --> deploy.toml:3:12
      |
    3 | repo_url = "--upload-pack=touch /tmp/x"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ git would take it for an option

    error: `branch` begins with `-`
     --> deploy.toml:4:10
      |
    4 | branch = "-x"
      |          ^^^^ git would take it for an option

    error: `A B` can't be the name of an environment variable
     --> deploy.toml:7:1
      |
    7 | "A B" = "x"
      | ^^^^^ expected letters, digits and `_`, not beginning with a digit

    error: `$(id)` can't be the name of a user
     --> deploy.toml:9:8
      |
    9 | user = "$(id)"
      |        ^^^^^^^ expected a name to log in with

    error: `../up` can't be the name of a stage
      --> deploy.toml:10:9
       |
    10 | [stages."../up"]
       |         ^^^^^^^ expected letters, digits, `_`, `-` and `.`, beginning with a letter or digit

    error: `rollback` can't be the name of a stage
      --> deploy.toml:12:9
       |
    12 | [stages.rollback]
       |         ^^^^^^^^ the name of a task
       |
       = help: `cargo xtask deploy rollback` would have two meanings; choose another name

    error: `ensure-stage` can't be the name of a stage
      --> deploy.toml:14:9
       |
    14 | [stages.ensure-stage]
       |         ^^^^^^^^^^^^ the name of a task
       |
       = help: `cargo xtask deploy ensure-stage` would have two meanings; choose another name
    "#);
}

#[test]
fn empty_and_control_characters_are_refused() {
    let text = with("branch = \"\"\nlocal_user = \"a\\nb\"\ntmp_dir = \" \"\n");
    assert_snapshot!(errors(&text), @r#"
    3 errors in `deploy.toml`
    error: empty value of `branch`
     --> deploy.toml:4:10
      |
    4 | branch = ""
      |          ^^ expected a text

    error: control characters in `local_user`
     --> deploy.toml:5:14
      |
    5 | local_user = "a\nb"
      |              ^^^^^^ expected one line of plain text

    error: empty value of `tmp_dir`
     --> deploy.toml:6:11
      |
    6 | tmp_dir = " "
      |           ^^^ expected a text
    "#);
}

#[test]
fn colours_are_used_on_request() {
    let text = errors_with(&with("brnch = \"x\""), |request| request.color = true);
    assert!(text.contains("\u{1b}["), "{text}");
    assert!(!errors(&with("brnch = \"x\"")).contains('\u{1b}'));
}

#[test]
fn a_table_that_should_hold_tables_is_checked() {
    assert_snapshot!(errors("stages = 1\nrecipes = []\ntasks = { a = 1 }\ncommands = { a = 1 }\n"), @"
    4 errors in `deploy.toml`
    error: wrong type of `stages`
     --> deploy.toml:1:10
      |
    1 | stages = 1
      |          ^ expected a table, found an integer

    error: wrong type of `recipes`
     --> deploy.toml:2:11
      |
    2 | recipes = []
      |           ^^ expected a table, found an array

    error: wrong type of `a`
     --> deploy.toml:3:15
      |
    3 | tasks = { a = 1 }
      |               ^ expected a table, found an integer

    error: wrong type of `a`
     --> deploy.toml:4:18
      |
    4 | commands = { a = 1 }
      |                  ^ expected a table, found an integer
    ");
}

#[test]
fn a_repository_whose_secret_git_would_show_is_refused() {
    for url in ["https://git/x?token=hunter2", "HTTPS://a:b@git/x?access_token=hunter2", "ssh://ann:hunter2@git/x"] {
        let error = errors(&with("").replace("git@example.com:shop.git", url));
        assert!(error.contains("`repo_url` has a secret") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_time_to_connect_is_not_zero() {
    let error = errors(&with("[ssh]\nconnect_timeout = 0\n"));
    assert!(error.contains("`connect_timeout` is zero"), "{error}");
}

#[test]
fn a_local_user_is_one_line_whatever_the_environment_says() {
    let user = |user: &str| {
        load_with(&with(""), |request| request.user = user.to_owned()).stages[0].settings.local_user.clone()
    };
    assert_eq!([user("ann\nroot\x1b"), user("\n")], ["ann root", "unknown"]);
}
