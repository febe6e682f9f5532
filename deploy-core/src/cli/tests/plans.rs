//! What `--plan` shows.

use super::*;

#[test]
fn of_three_servers() {
    let stage = stage(&["app1.example.com app web", "app2.example.com app web", "db1.example.com db no_release"]);
    let mut tasks = tasks();
    tasks.task(script("db:check", "db"));
    tasks.hook(When::After(crate::flow::UPDATED), TaskId::new("db:check"));
    tasks.task(rolling("app:restart", "app", 1));
    tasks.hook(When::After(crate::flow::PUBLISHED), TaskId::new("app:restart"));
    assert_snapshot!(describe_plan(&plan(&tasks, "deploy", &stage), &stage), @r"
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
    assert_snapshot!(describe_plan(&plan(&tasks(), "cache:warm", &stage), &stage), @r"
    `cache:warm` in stage `production`

      app1  app  1 command
      app2  web  takes no part

      deploy:lock  on app1
      cache:warm
    ");
}
