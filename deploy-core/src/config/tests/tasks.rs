//! Tasks and commands of the file's own.

use insta::{assert_debug_snapshot, assert_snapshot};

use super::*;

#[test]
fn a_task_is_read_whole() {
    let stage = stage(
        r#"
[tasks."cache:clear"]
about = "Clear the cache"
run = "bin/rails cache:clear"
roles = "app"
primary = true
before = ["deploy:finishing"]
after = "deploy:published"
as = "www-data"
env = { A = "1" }
"#,
    );
    assert_debug_snapshot!(stage.tasks, @r#"
    [
        TextTask {
            id: "cache:clear",
            about: "Clear the cache",
            run: "bin/rails cache:clear",
            roles: [
                "app",
            ],
            primary: true,
            before: [
                "deploy:finishing",
            ],
            after: [
                "deploy:published",
            ],
            hooked_at: {
                "deploy:finishing": "deploy.toml:10:11",
                "deploy:published": "deploy.toml:11:9",
            },
            as_user: Some(
                "www-data",
            ),
            env: {
                "A": "1",
            },
        },
    ]
    "#);
}

#[test]
fn a_task_without_description_is_described_by_its_first_line() {
    assert_eq!(stage("[tasks.warm]\nrun = \"\"\"\ncurl a\ncurl b\n\"\"\"").tasks[0].about, "curl a");
}

#[test]
fn a_stage_has_tasks_of_its_own_and_changes_those_of_all() {
    let text = with(
        r#"
[tasks.warm]
run = "a"
about = "Warm up"
[stages.production.tasks.warm]
run = "b"
[stages.production.tasks.cool]
run = "c"
[stages.dev]
transport = "local"
"#,
    );
    let config = load(&text);
    let tasks = |stage: &Stage| {
        stage.tasks.iter().map(|task| format!("{} {} {}", task.id, task.run, task.about)).collect::<Vec<_>>()
    };
    assert_eq!(tasks(&config.stages[0]), ["warm b Warm up", "cool c c"]);
    assert_eq!(tasks(&config.stages[1]), ["warm a Warm up"]);
}

#[test]
fn mistakes_in_tasks_are_shown() {
    let text = with(
        r#"
[tasks."Cache-Clear"]
run = "x"
afer = "deploy:published"
[tasks."a::b"]
run = " "
before = ["deploy published"]
[tasks.c]
about = "C"
as = "a b"
[tasks.d]
run = ["x"]
primary = true
env = { "1A" = "x" }
"#,
    );
    assert_snapshot!(errors(&text), @r#"
    10 errors in `deploy.toml`
    error: `Cache-Clear` can't be the name of a task
     --> deploy.toml:5:8
      |
    5 | [tasks."Cache-Clear"]
      |        ^^^^^^^^^^^^^ expected lower case letters, digits and `_`, with `:` between parts

    error: unknown key `afer`
     --> deploy.toml:7:1
      |
    7 | afer = "deploy:published"
      | ^^^^ did you mean `after`?

    error: `a::b` can't be the name of a task
     --> deploy.toml:8:8
      |
    8 | [tasks."a::b"]
      |        ^^^^^^ expected lower case letters, digits and `_`, with `:` between parts

    error: `run` is not a command
     --> deploy.toml:9:7
      |
    9 | run = " "
      |       ^^^ expected shell text

    error: `deploy published` can't be the name of a task
      --> deploy.toml:10:11
       |
    10 | before = ["deploy published"]
       |           ^^^^^^^^^^^^^^^^^^ expected a name such as `deploy:published`

    error: task `c` has no `run`
      --> deploy.toml:11:8
       |
    11 | [tasks.c]
       |        ^ expected `run = "…"` below it

    error: `a b` can't be the name of a user
      --> deploy.toml:13:6
       |
    13 | as = "a b"
       |      ^^^^^ expected a name to log in with

    error: wrong type of `run`
      --> deploy.toml:15:7
       |
    15 | run = ["x"]
       |       ^^^^^ expected a string, found an array

    error: task `d` has `primary` but no `roles`
      --> deploy.toml:16:1
       |
    16 | primary = true
       | ^^^^^^^ of which role?
       |
       = help: write the role, such as `roles = ["db"]`

    error: `1A` can't be the name of an environment variable
      --> deploy.toml:17:9
       |
    17 | env = { "1A" = "x" }
       |         ^^^^ expected letters, digits and `_`, not beginning with a digit
    "#);
}

#[test]
fn a_role_that_no_server_has_is_shown() {
    let text = with(
        r#"
[tasks.a]
run = "x"
roles = ["app", "dbb"]
[tasks.b]
run = "x"
roles = "worker"
[stages.dev]
transport = "local"
[stages.production.tasks.c]
run = "x"
roles = ["web"]
[stages.staging]
[[stages.staging.servers]]
host = "app2"
roles = ["web"]
"#,
    );
    assert_snapshot!(errors(&text), @r#"
    3 errors in `deploy.toml`
    error: unknown role `dbb`
     --> deploy.toml:7:17
      |
    7 | roles = ["app", "dbb"]
      |                 ^^^^^ did you mean `db`?

    error: unknown role `worker`
      --> deploy.toml:10:9
       |
    10 | roles = "worker"
       |         ^^^^^^^^ no such role
       |
       = help: known: `app`, `db` and `web`

    error: unknown role `web`
      --> deploy.toml:15:10
       |
    15 | roles = ["web"]
       |          ^^^^^ no such role
       |
       = help: known: `app` and `db`
    "#);
}

#[test]
fn every_role_is_good_where_no_server_names_any() {
    let text = with("[tasks.a]\nrun = \"x\"\nroles = [\"worker\"]\n").replace("roles = [\"app\", \"db\"]", "");
    assert_eq!(load(&text).stages[0].tasks[0].roles, ["worker"]);
}

#[test]
fn a_command_is_a_list_or_words() {
    let text = "[commands.lint]\nabout = \"Look for mistakes\"\nrun = \"cargo clippy  --all\"\n\
                [commands.ci]\nrun = [\"sh\", \"-c\", \"a && b\"]\n";
    assert_debug_snapshot!(load(text).commands, @r#"
    [
        Command {
            name: "lint",
            about: "Look for mistakes",
            run: [
                "cargo",
                "clippy",
                "--all",
            ],
        },
        Command {
            name: "ci",
            about: "sh -c a && b",
            run: [
                "sh",
                "-c",
                "a && b",
            ],
        },
    ]
    "#);
}

#[test]
fn mistakes_in_commands_are_shown() {
    let text = r#"
[commands.a]
run = "cargo fmt && cargo test"
[commands."b c"]
run = []
[commands.deploy]
run = "x"
[commands.e]
about = "E"
stage = "x"
"#;
    assert_snapshot!(errors(text), @r#"
    6 errors in `deploy.toml`
    error: shell syntax in a command
     --> deploy.toml:3:7
      |
    3 | run = "cargo fmt && cargo test"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^ no shell reads it: it is split at blanks only
      |
      = help: write an array: `run = ["sh", "-c", "cargo fmt && cargo test"]`

    error: `b c` can't be the name of a command
     --> deploy.toml:4:11
      |
    4 | [commands."b c"]
      |           ^^^^^ expected letters, digits, `_`, `-` and `.`

    error: `run` is empty
     --> deploy.toml:5:7
      |
    5 | run = []
      |       ^^ expected a program and its arguments

    error: command `deploy` exists already
     --> deploy.toml:6:11
      |
    6 | [commands.deploy]
      |           ^^^^^^ choose another name

    error: command `e` has no `run`
     --> deploy.toml:8:11
      |
    8 | [commands.e]
      |           ^ expected `run = "…"` below it

    error: unknown key `stage`
      --> deploy.toml:10:1
       |
    10 | stage = "x"
       | ^^^^^ no such key
       |
       = help: known: `about` and `run`
    "#);
}

#[test]
fn a_command_and_a_task_do_not_share_a_word() {
    assert_snapshot!(errors(&with("[tasks.\"cache:clear\"]\nrun = \"true\"\n[commands.cache]\nrun = \"true\"")), @r"
    1 error in `deploy.toml`
    error: `cargo xtask cache` would be both this command and the task `cache:clear`
     --> deploy.toml:6:11
      |
    6 | [commands.cache]
      |           ^^^^^ choose another name
    ");
}
