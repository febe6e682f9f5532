//! What `--plan` shows.

use super::*;
use crate::config::Stage;
use crate::plan::testing::config;
use crate::run::{Options, preview};
use crate::sh;
use crate::task::{Explain, Servers};

fn explain<'a>(stage: &'a Stage, options: &'a Options, dry_run: bool) -> Explain<'a> {
    Explain { config: config(), stage, options, dry_run }
}

fn described(tasks: &Tasks, root: &str, stage: &Stage) -> String {
    describe_plan(&plan(tasks, root, stage), &explain(stage, &Options::new(), false))
}

#[test]
fn of_three_servers() {
    let stage = stage(&["app1.example.com app web", "app2.example.com app web", "db1.example.com db no_release"]);
    let mut tasks = tasks();
    tasks.task(script("db:check", "db"));
    tasks.hook(When::After(crate::flow::UPDATED), TaskId::new("db:check"));
    tasks.task(rolling("app:restart", "app", 1));
    tasks.hook(When::After(crate::flow::PUBLISHED), TaskId::new("app:restart"));
    assert_snapshot!(described(&tasks, "deploy", &stage), @r"
    `deploy` in stage `production`

      app1.example.com  app, web  6 commands
      app2.example.com  app, web  6 commands
      db1.example.com   db        1 command

      git:resolve                    on this machine

      deploy:ensure_stage            on this machine

      deploy:lock                    on app1.example.com, app2.example.com
      deploy:check:directories
      deploy:check:releases
      deploy:check:linked_dirs
      deploy:check:make_linked_dirs
      deploy:check:linked_files
      git:check

      deploy:new_release             on this machine

      git:update                     on app1.example.com, app2.example.com
      git:create_release
      deploy:set_current_revision
      deploy:symlink:linked_files
      deploy:symlink:linked_dirs
      -- all wait: `db:check` comes after `deploy:updated`, which runs elsewhere

      db:check                       on db1.example.com
      -- all wait: the phase `update` ends

      deploy:symlink:release         on app1.example.com, app2.example.com
      -- all wait: the phase `switch` ends

      deploy:mark_published          on app1.example.com, app2.example.com
      deploy:restart
      cache:clear
      -- all wait: `app:restart` goes from server to server

      app:restart                    on app1.example.com, app2.example.com
                                     one server at a time, 2s apart

      deploy:cleanup                 on app1.example.com, app2.example.com
      deploy:log_revision

    if anything fails

      deploy:discard_release         on app1.example.com, app2.example.com
    ");
}

#[test]
fn of_one_task_on_one_server() {
    let stage = stage(&["app1 app", "app2 web"]);
    assert_snapshot!(described(&tasks(), "cache:warm", &stage), @r"
    `cache:warm` in stage `production`

      app1  app  1 command
      app2  web  takes no part

      deploy:lock  on app1
      cache:warm
    ");
}

#[test]
fn tasks_on_this_machine_say_what_they_would_do() {
    let stage = stage(&["app1 app"]);
    let copy = local("db:copy").needs([TaskId::new("cache:warm")]).explained(|of| {
        let from = of.options.get("from").map_or("production", String::as_str);
        let script = if of.dry_run { "\n\n$ pg_dump -Fc\n" } else { "" };
        format!("dump `{from}`, load it into `{}` of `{}`{script}", of.stage.name, of.stage.settings.application)
    });
    let mut tasks = tasks();
    tasks.task(copy);
    let plan = plan(&tasks, "db:copy", &stage);
    let options = Options::from([("from".to_owned(), "staging".to_owned())]);
    assert_snapshot!(describe_plan(&plan, &explain(&stage, &options, false)), @r"
    `db:copy` in stage `production`

      app1  app  1 command

      deploy:lock  on app1
      cache:warm

      db:copy      on this machine
        dump `staging`, load it into `production` of `shop`
    ");
    let shown = preview(&plan, &explain(&stage, &options, true)).unwrap();
    let (_, shown) = shown.split_once("## on this machine").unwrap();
    assert_snapshot!(format!("## on this machine{shown}"), @r"
    ## on this machine: db:copy

      dump `staging`, load it into `production` of `shop`

      $ pg_dump -Fc
    ");
}

#[test]
fn a_dry_run_goes_task_by_task() {
    let stage = stage(&["app1 app", "app2 app", "db1 db"]);
    let mut tasks = Tasks::default();
    tasks.task(Task::script(TaskId::new("a:b"), "A", Servers::all(), |cx| sh!("echo {}", cx.server.roles.concat())));
    let plan = plan(&tasks, "a:b", &stage);
    assert_snapshot!(describe_preview(&plan, &explain(&stage, &Options::new(), true)), @r"
    ## a:b: app1, app2
    echo app

    ## a:b: db1
    echo db

    With -v: the programs as they would be sent, with the shell functions that these call.
    ");
}

#[test]
fn only_tasks_on_this_machine_are_explained() {
    let mut tasks = tasks();
    tasks.task(script("cache:look", "app").explained(|_| "look".to_owned()));
    assert_eq!(tasks.check(), ["the task `cache:look` is explained, which only tasks on the controller can be"]);
}
