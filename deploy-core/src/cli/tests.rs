//! What the command line takes, and what it shows.

use std::ffi::OsString;

use insta::assert_snapshot;

use super::{
    ListRequest, Mode, Parsed, Request, RunRequest, as_json, as_text, config_file, describe_plan, flow_tree, parse,
};
use crate::config::{Command, GitStrategy};
use crate::plan::testing::{group, local, plan, rolling, script, stage, stock};
use crate::registry::Tasks;
use crate::task::{Opt, Task, TaskId, When};
use crate::ui::Verbosity;

/// The stock flows, a restart, and tasks of the user's own.
fn tasks() -> Tasks {
    let mut tasks = stock(GitStrategy::Push);
    tasks.task(script("deploy:restart", "app"));
    tasks.task(script("cache:clear", "app").option(Opt { name: "key", value: Some("KEY"), about: "Only this key" }));
    tasks.task(script("cache:warm", "app").option(Opt { name: "all", value: None, about: "Every page" }));
    tasks.hook(When::After(crate::flow::PUBLISHED), TaskId::new("cache:clear"));
    tasks
}

fn commands() -> Vec<Command> {
    vec![Command { name: "test".into(), about: "Run the tests".into(), run: vec!["true".into()] }]
}

fn args(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

fn parsed(line: &[&str]) -> Parsed {
    parse(&args(line), &tasks(), &commands()).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn run(line: &[&str]) -> RunRequest {
    match parsed(line) {
        Parsed::Request(Request::Run(request)) => *request,
        Parsed::Request(other) => panic!("{line:?}: {other:?}"),
        Parsed::Clap(error) => panic!("{line:?}: {error}"),
    }
}

/// What the user is told of a wrong line.
fn refused(line: &str) -> String {
    match parse(&args(&line.split(' ').collect::<Vec<_>>()), &tasks(), &commands()) {
        Err(error) => error.to_string(),
        Ok(Parsed::Clap(error)) => error.to_string(),
        Ok(Parsed::Request(request)) => panic!("{line}: {request:?}"),
    }
}

fn help(line: &[&str]) -> String {
    match parsed(line) {
        Parsed::Clap(error) => error.to_string(),
        Parsed::Request(request) => panic!("{request:?}"),
    }
}

fn list() -> ListRequest {
    ListRequest { pattern: None, all: false, json: false, flow: None }
}

mod words {
    use super::*;

    #[test]
    fn a_task_is_spelled_with_spaces_or_colons_dashes_or_underscores() {
        for line in [
            &["deploy", "check", "linked-files", "staging"][..],
            &["deploy", "check", "linked_files", "staging"],
            &["deploy:check:linked_files", "staging"],
            &["deploy:check:linked-files", "staging"],
            &["deploy", "check:linked_files", "staging"],
            &["deploy:check", "linked-files", "staging"],
        ] {
            let request = run(line);
            assert_eq!(
                (request.task.as_str(), request.stage.as_str()),
                ("deploy:check:linked_files", "staging"),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_word_that_is_a_task_and_a_family_takes_a_stage_or_a_task() {
        assert_eq!(run(&["deploy", "staging"]).task.as_str(), "deploy");
        assert_eq!(run(&["deploy", "rollback", "staging"]).task.as_str(), "deploy:rollback");
        assert_eq!(run(&["deploy", "--", "rollback"]).stage, "rollback");
    }

    #[test]
    fn options_stand_before_and_after_words() {
        for line in [
            &["deploy", "rollback", "staging", "--plan", "-v"][..],
            &["deploy", "rollback", "--plan", "-v", "staging"],
            &["-v", "deploy", "rollback", "--plan", "staging"],
        ] {
            let request = run(line);
            assert_eq!((request.mode, request.verbosity), (Mode::Plan, Verbosity::Verbose), "{line:?}");
        }
    }

    #[test]
    fn values_that_look_like_tasks_are_values() {
        assert_eq!(run(&["deploy", "--branch", "deploy:rollback", "staging"]).set, ["branch=\"deploy:rollback\""]);
        assert_eq!(run(&["deploy", "--revision", "rollback", "staging"]).set, ["branch=\"rollback\""]);
        assert_eq!(run(&["deploy", "--set", "branch=\"a:b\"", "staging"]).set, ["branch=\"a:b\""]);
        assert_eq!(run(&["cache", "clear", "--key", "cache:clear", "staging"]).options["key"], "cache:clear");
        assert_eq!(run(&["deploy", "--lock-wait", "5m", "staging"]).lock_wait.as_secs(), 300);
    }

    #[test]
    fn lists_are_split_at_commas_and_add_up() {
        let request = run(&["deploy", "staging", "--hosts", "a,b", "--hosts=c", "--roles=app"]);
        assert_eq!(
            (request.filter.hosts, request.filter.roles),
            (vec!["a".into(), "b".into(), "c".into()], vec!["app".into()])
        );
    }

    #[test]
    fn a_command_of_the_project_gets_everything_after_it() {
        let Parsed::Request(Request::Command(name, args)) = parsed(&["test", "-x", "--help", "deploy:check", "a b"])
        else {
            panic!("a command");
        };
        assert_eq!(
            (name.as_str(), args),
            ("test", vec!["-x".into(), "--help".into(), "deploy:check".into(), "a b".into()])
        );
    }

    #[test]
    fn the_configuration_may_be_named_anywhere_before_two_dashes() {
        let file = |line: &[&str]| config_file(&args(line)).map(|file| file.display().to_string());
        assert_eq!(file(&["deploy", "--config", "x.toml", "staging"]).as_deref(), Some("x.toml"));
        assert_eq!(file(&["--config=x.toml", "deploy", "staging"]).as_deref(), Some("x.toml"));
        assert_eq!(file(&["deploy", "--", "--config=x.toml"]), None);
        assert_eq!(run(&["deploy", "--config", "deploy:check", "staging"]).stage, "staging");
    }
}

mod mistakes {
    use super::*;

    #[test]
    fn a_misspelt_task_is_answered_with_a_near_one() {
        assert_snapshot!(refused("deploy rolback staging"), @r"
        there is no task `deploy:rolback`
          hint: did you mean `cargo xtask deploy rollback staging`?
          hint: `cargo xtask tasks deploy` lists what there is
        ");
        assert_snapshot!(refused("deploy check linked-fils staging"), @r"
        `deploy:check` takes one stage, and there are 2: `linked-fils` and `staging`
          hint: run it for one stage after the other
          hint: did you mean `cargo xtask deploy check linked-files staging`?
          hint: `cargo xtask tasks deploy check` lists what there is
        ");
        assert_snapshot!(refused("delpoy staging"), @r"
        error: unrecognized subcommand 'delpoy'

          tip: a similar subcommand exists: 'deploy'

        Usage: cargo xtask [OPTIONS] <COMMAND>

        For more information, try '--help'.
        ");
    }

    #[test]
    fn the_stage_comes_last() {
        assert_snapshot!(refused("deploy staging rollback"), @r"
        the stage comes last, and `staging` comes before `rollback`
          hint: did you mean `cargo xtask deploy rollback staging`?
        ");
        assert_snapshot!(refused("staging deploy:rollback"), @r"
        the stage comes last, and `staging` comes first
          hint: did you mean `cargo xtask deploy rollback staging`?
        ");
        assert_snapshot!(refused("staging deploy rollback"), @r"
        the stage comes last, and `staging` comes first
          hint: did you mean `cargo xtask deploy rollback staging`?
        ");
    }

    #[test]
    fn one_stage_at_a_time() {
        assert_snapshot!(refused("deploy staging production"), @r"
        `deploy` takes one stage, and there are 2: `staging` and `production`
          hint: run it for one stage after the other
          hint: did you mean `cargo xtask deploy starting production`?
          hint: `cargo xtask tasks deploy` lists what there is
        ");
        assert_snapshot!(refused("deploy"), @r"
        error: the following required arguments were not provided:
          <STAGE>

        Usage: cargo xtask deploy <STAGE>

        For more information, try '--help'.
        ");
    }

    #[test]
    fn flags_that_a_task_does_not_have_are_refused() {
        assert!(refused("deploy staging --release 1").contains("unexpected argument '--release'"));
        assert!(refused("deploy rollback staging --branch main").contains("unexpected argument '--branch'"));
        assert!(refused("deploy staging --plan --dry-run").contains("cannot be used with"));
        assert!(refused("deploy staging --format fancy").contains("fancy"));
    }
}

mod registration {
    use super::*;

    /// Help works, whatever is registered: `check` tells of the mistake.
    fn works(tasks: &Tasks, commands: &[Command]) {
        let Ok(Parsed::Clap(error)) = parse(&args(&["--help"]), tasks, commands) else { panic!("help") };
        assert!(!error.use_stderr());
        let _ = parse(&args(&["deploy", "--help"]), tasks, commands);
    }

    #[test]
    fn what_stands_in_the_way_of_the_command_line_breaks_no_help() {
        let mut tasks = tasks();
        let option = |name| Opt { name, value: None, about: "" };
        tasks.task(group("tasks", ""));
        tasks.task(local("tasks:mine").option(option("plan")).option(option("x")).option(option("x")));
        let command = |name: &str| Command { name: name.into(), about: String::new(), run: vec!["true".into()] };
        works(&tasks, &[command("deploy"), command("tasks")]);
        assert!(tasks.check().len() >= 3, "{:?}", tasks.check());
    }

    #[test]
    fn the_names_that_options_can_not_have_are_the_ones_that_every_task_has() {
        let mut all = tasks();
        all.task(Task::group(TaskId::new("bare"), "", []));
        for name in Opt::TAKEN {
            let found = [&["deploy", "--help"][..], &["bare", "--help"]].iter().any(|line| {
                let Ok(Parsed::Clap(error)) = parse(&args(line), &all, &[]) else { return false };
                error.to_string().contains(&format!("--{name}"))
            });
            assert!(found, "--{name}");
        }
    }
}

mod help {
    use super::*;

    #[test]
    fn of_the_whole() {
        assert_snapshot!(help(&["--help"]), @r"
        Deploy over SSH, roll back, and run every task of the project

        Usage: cargo xtask [OPTIONS] <COMMAND>

        Commands:
          tasks   List the tasks
          cache   Tasks: clear, warm
          deploy  Deploy a new release
          git     Tasks: check, create-release
          test    Run the tests

        Options:
              --config <FILE>  Read FILE instead of the workspace's deploy.toml
          -v, --verbose        Show the output of every task
          -q, --quiet          Show failures only
          -h, --help           Print help

        `cargo xtask tasks` lists the tasks; `cargo xtask TASK --help` explains one.
        ");
    }

    #[test]
    fn of_deploy() {
        assert_snapshot!(help(&["deploy", "--help"]), @r"
        Deploy a new release

        Usage: cargo xtask deploy [OPTIONS] <STAGE>
               cargo xtask deploy <COMMAND>

        Commands:
          cleanup           Remove old releases
          cleanup-rollback  Deal with the release that the rollback left
          ensure-stage      Refuse a stage that nothing can be deployed to
          log-revision      Add a line to `revisions.log`
          restart           Restart the application
          revert-release    Check the release to go back to
          rollback          Go back to an earlier release
          status            Show what is live, which releases there are, and who holds the lock
          symlink           Tasks: release
          unlock            Break the stage's lock

        Arguments:
          <STAGE>  The stage, as in [stages.STAGE] of deploy.toml

        Options:
              --branch <NAME>     Deploy this branch, tag or commit [alias: --revision]
              --hosts <HOST>      Only these servers, separated by commas
              --roles <ROLE>      Only servers with one of these roles
              --set <KEY=VALUE>   Override a setting (can be repeated)
              --lock-wait <TIME>  Wait this long, such as 5m, for another run to free the stage's lock
              --plan              Show what would run where, and contact no server
              --dry-run           Show the scripts that would run, and contact no server
              --format <FORMAT>   How to show the run [default: pretty] [possible values: pretty, plain,
                                  json]
          -y, --yes               Answer yes to what tasks ask
              --config <FILE>     Read FILE instead of the workspace's deploy.toml
          -v, --verbose           Show the output of every task
          -q, --quiet             Show failures only
          -h, --help              Print help

        `cargo xtask tasks deploy` lists every task that has to do with it.
        ");
    }

    #[test]
    fn of_rollback() {
        assert_snapshot!(help(&["deploy", "rollback", "--help"]), @r"
        Go back to an earlier release

        Usage: cargo xtask deploy rollback [OPTIONS] <STAGE>

        Arguments:
          <STAGE>  The stage, as in [stages.STAGE] of deploy.toml

        Options:
              --release <STAMP>   The release to go back to, such as 20261122101500
              --hosts <HOST>      Only these servers, separated by commas
              --roles <ROLE>      Only servers with one of these roles
              --set <KEY=VALUE>   Override a setting (can be repeated)
              --lock-wait <TIME>  Wait this long, such as 5m, for another run to free the stage's lock
              --plan              Show what would run where, and contact no server
              --dry-run           Show the scripts that would run, and contact no server
              --format <FORMAT>   How to show the run [default: pretty] [possible values: pretty, plain,
                                  json]
          -y, --yes               Answer yes to what tasks ask
              --config <FILE>     Read FILE instead of the workspace's deploy.toml
          -v, --verbose           Show the output of every task
          -q, --quiet             Show failures only
          -h, --help              Print help
        ");
    }

    #[test]
    fn of_a_family() {
        assert_snapshot!(help(&["cache"]), @r"
        Tasks: clear, warm

        Usage: cargo xtask cache [OPTIONS] <COMMAND>

        Commands:
          clear  cache:clear
          warm   cache:warm

        Options:
              --config <FILE>  Read FILE instead of the workspace's deploy.toml
          -v, --verbose        Show the output of every task
          -q, --quiet          Show failures only
          -h, --help           Print help
        ");
    }
}

mod lists {
    use super::*;

    fn of_commands() -> Vec<(String, String)> {
        vec![("test".into(), "Run the tests".into())]
    }

    #[test]
    fn tasks_stand_in_families() {
        assert_snapshot!(as_text(&tasks(), &of_commands(), &list()), @r"
        cargo xtask deploy STAGE                   # Deploy a new release
        cargo xtask deploy rollback STAGE          # Go back to an earlier release
        cargo xtask deploy cleanup STAGE           # Remove old releases
        cargo xtask deploy cleanup-rollback STAGE  # Deal with the release that the rollback left
        cargo xtask deploy ensure-stage STAGE      # Refuse a stage that nothing can be deployed to
        cargo xtask deploy log-revision STAGE      # Add a line to `revisions.log`
        cargo xtask deploy restart STAGE           # Restart the application
        cargo xtask deploy revert-release STAGE    # Check the release to go back to
        cargo xtask deploy status STAGE            # Show what is live, which releases there are, and who holds the lock
        cargo xtask deploy symlink release STAGE   # Make the release live
        cargo xtask deploy unlock STAGE            # Break the stage's lock

        cargo xtask git check STAGE                # Check that the repository can be reached
        cargo xtask git create-release STAGE       # Put the commit's files into a new release

        cargo xtask cache clear STAGE              # cache:clear
        cargo xtask cache warm STAGE               # cache:warm

        cargo xtask test                           # Run the tests
        cargo xtask tasks --all                    # List 30 more, which these consist of
        ");
    }

    #[test]
    fn all_tasks() {
        assert_snapshot!(as_text(&tasks(), &[], &ListRequest { all: true, ..list() }), @r"
        cargo xtask deploy STAGE                         # Deploy a new release
        cargo xtask deploy rollback STAGE                # Go back to an earlier release
        cargo xtask deploy check STAGE                   # Check that everything is there which a deployment needs
        cargo xtask deploy check directories STAGE       # Make the folders of the deployment
        cargo xtask deploy check linked-dirs STAGE       # Make the linked folders in `shared`
        cargo xtask deploy check linked-files STAGE      # Check that the linked files are there
        cargo xtask deploy check make-linked-dirs STAGE  # Make the folders of the linked files in `shared`
        cargo xtask deploy check releases STAGE          # Read which releases there are
        cargo xtask deploy choose-release STAGE          # Choose the release to go back to
        cargo xtask deploy cleanup STAGE                 # Remove old releases
        cargo xtask deploy cleanup-rollback STAGE        # Deal with the release that the rollback left
        cargo xtask deploy discard-release STAGE         # Put the unfinished release away
        cargo xtask deploy ensure-stage STAGE            # Refuse a stage that nothing can be deployed to
        cargo xtask deploy failed STAGE                  # Failed: runs when a flow fails, a hook point
        cargo xtask deploy finished STAGE                # Finished: a hook point
        cargo xtask deploy finishing STAGE               # Finish the deployment, clean up everything
        cargo xtask deploy finishing-rollback STAGE      # Finish the rollback, clean up everything
        cargo xtask deploy lock STAGE                    # Take the stage's lock
        cargo xtask deploy log-revision STAGE            # Add a line to `revisions.log`
        cargo xtask deploy mark-published STAGE          # Write down that the release is live
        cargo xtask deploy new-release STAGE             # Name the new release
        cargo xtask deploy published STAGE               # Published: a hook point
        cargo xtask deploy publishing STAGE              # Publish the release
        cargo xtask deploy restart STAGE                 # Restart the application
        cargo xtask deploy revert-release STAGE          # Check the release to go back to
        cargo xtask deploy reverted STAGE                # Reverted: a hook point
        cargo xtask deploy reverting STAGE               # Revert the servers to an earlier release
        cargo xtask deploy set-current-revision STAGE    # Write the revision into the release
        cargo xtask deploy started STAGE                 # Started: a hook point
        cargo xtask deploy starting STAGE                # Start a deployment, make sure everything is ready
        cargo xtask deploy status STAGE                  # Show what is live, which releases there are, and who holds the lock
        cargo xtask deploy status read STAGE             # Read what is live, and what else there is
        cargo xtask deploy symlink linked-dirs STAGE     # Link shared folders into the release
        cargo xtask deploy symlink linked-files STAGE    # Link shared files into the release
        cargo xtask deploy symlink release STAGE         # Make the release live
        cargo xtask deploy symlink shared STAGE          # Link shared files and folders into the release
        cargo xtask deploy unlock STAGE                  # Break the stage's lock
        cargo xtask deploy updated STAGE                 # Updated: a hook point
        cargo xtask deploy updating STAGE                # Update the servers with a new release

        cargo xtask git check STAGE                      # Check that the repository can be reached
        cargo xtask git create-release STAGE             # Put the commit's files into a new release
        cargo xtask git resolve STAGE                    # Find out which commit is deployed
        cargo xtask git update STAGE                     # Bring the servers' mirrors up to date

        cargo xtask cache clear STAGE                    # cache:clear
        cargo xtask cache warm STAGE                     # cache:warm

        cargo xtask tasks                                # List the tasks
        ");
    }

    #[test]
    fn a_pattern_finds_names_calls_and_descriptions() {
        let find =
            |pattern: &str| as_text(&tasks(), &of_commands(), &ListRequest { pattern: Some(pattern.into()), ..list() });
        assert_snapshot!(find("linked-files"), @r"
        cargo xtask deploy check linked-files STAGE    # Check that the linked files are there
        cargo xtask deploy symlink linked-files STAGE  # Link shared files into the release
        ");
        assert_eq!(find("cache:cl"), "cargo xtask cache clear STAGE  # cache:clear\n");
        assert!(find("EARLIER").contains("rollback"));
        assert_eq!(find("nothing like it"), "no task matches; `cargo xtask tasks --all` lists them\n");
    }

    #[test]
    fn programs_get_ids_calls_and_options() {
        let text = as_json(&tasks(), &ListRequest { pattern: Some("cache:clear".into()), ..list() });
        assert_snapshot!(text, @r#"
        [
          {
            "about": "cache:clear",
            "id": "cache:clear",
            "options": [
              {
                "about": "Only this key",
                "name": "key",
                "value": "KEY"
              }
            ],
            "usage": "cargo xtask cache clear STAGE"
          }
        ]
        "#);
    }
}

mod flows {
    use super::*;

    fn tree(flow: &str, all: bool) -> String {
        let tasks = stock(GitStrategy::Push);
        flow_tree(&tasks, tasks.find(flow).unwrap(), all)
    }

    #[test]
    fn the_flow_of_a_deploy_is_capistranos() {
        assert_snapshot!(tree("deploy", false), @r"
        deploy
          deploy:starting
            [before]
              deploy:ensure_stage
            deploy:check
          deploy:started
          deploy:updating
            git:create_release
            deploy:symlink:shared
          deploy:updated
          deploy:publishing
            deploy:symlink:release
          deploy:published
          deploy:finishing
            deploy:cleanup
          deploy:finished
            deploy:log_revision
        ");
    }

    #[test]
    fn the_flow_of_a_rollback_is_capistranos() {
        assert_snapshot!(tree("deploy:rollback", false), @r"
        deploy
          deploy:starting
            [before]
              deploy:ensure_stage
            deploy:check
          deploy:started
          deploy:reverting
            deploy:revert_release
          deploy:reverted
          deploy:publishing
            deploy:symlink:release
          deploy:published
          deploy:finishing_rollback
            deploy:cleanup_rollback
          deploy:finished
            deploy:log_revision
        ");
    }

    #[test]
    fn everything_shows_prerequisites_and_parts() {
        assert_snapshot!(tree("deploy", true), @r"
        deploy
          [before]
            git:resolve
          deploy:starting
            [before]
              deploy:ensure_stage
            deploy:check
              deploy:check:directories
              deploy:check:releases
              deploy:check:linked_dirs
              deploy:check:make_linked_dirs
              deploy:check:linked_files
              git:check
                [before]
                  git:resolve
          deploy:started
          deploy:updating
            git:create_release
              [before]
                deploy:new_release
                  [before]
                    deploy:check:releases
                git:update
                  [before]
                    git:resolve
                    git:check
                      [before]
                        git:resolve
            deploy:set_current_revision
              [before]
                git:resolve
            deploy:symlink:shared
              deploy:symlink:linked_files
              deploy:symlink:linked_dirs
          deploy:updated
          deploy:publishing
            deploy:symlink:release
          deploy:published
            deploy:mark_published
          deploy:finishing
            deploy:cleanup
          deploy:finished
            deploy:log_revision
        ");
    }
}

mod plans {
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
}
