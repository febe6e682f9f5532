//! What `--help` shows.

use super::*;

#[test]
fn of_the_whole() {
    assert_snapshot!(help(&["--help"]), @r"
    Deploy over SSH, roll back, and run every task of the project

    Usage: cargo xtask [OPTIONS] <COMMAND>

    Commands:
      tasks   List the tasks
      doctor  Look for what would stand in a deployment's way, and say what mends it
      cache   Tasks: clear, warm
      deploy  Deploy a new release
      git     Tasks: check
      test    Run the tests

    Options:
          --config <FILE>  Read FILE instead of the workspace's deploy.toml
      -v, --verbose        Show the output of every task
      -q, --quiet          Show failures only
      -h, --help           Print help
      -V, --version        Print version

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
      cleanup   Remove old releases
      restart   Restart the application
      rollback  Go back to an earlier release
      status    Show what is live, which releases there are, and who holds the lock
      unlock    Break the stage's lock

    Arguments:
      <STAGE>  The stage, as in [stages.STAGE] of deploy.toml

    Options:
          --branch <NAME>     Deploy this branch, tag or commit [alias: --revision]
          --hosts <HOST>      Only these servers, separated by commas; '!HOST' leaves one out
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
          --hosts <HOST>      Only these servers, separated by commas; '!HOST' leaves one out
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

#[test]
fn words_of_other_tools_are_understood() {
    assert_eq!(help(&["help"]), help(&["--help"]));
    assert_eq!(help(&["help", "deploy", "rollback"]), help(&["deploy", "rollback", "--help"]));
    assert_eq!(help(&["--version"]), format!("cargo xtask {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(help(&["-V"]), help(&["--version"]));
    let Parsed::Request(Request::Tasks(request)) = parsed(&["-T", "deploy"]) else { panic!("a list") };
    assert_eq!(request.pattern.as_deref(), Some("deploy"));
}
