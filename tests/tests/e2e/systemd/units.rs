//! Units that are there, restarted by deploys.

use e2e::{Account, Linger, Machine, Project};

/// A project whose user has a unit `shop` with these lines of `[Service]`, and the recipe with `table`.
fn shop(service: &str, table: &str) -> (Project, Account) {
    let (mut project, account) = Project::on_machine(Linger::Yes);
    write_unit(&account, service);
    project.tables(&format!("[recipes.systemd]\nuser = true\nsettle = \"300ms\"\n{table}"));
    (project, account)
}

fn write_unit(account: &Account, service: &str) {
    account.write(".config/systemd/user/shop.service", &format!("[Service]\n{service}\n"));
    Machine::shared().run_as(account, "systemctl --user daemon-reload");
}

/// A service that lives in the release that is live when it starts.
const SLEEPS: &str = "WorkingDirectory=%h/www/current\nExecStart=/bin/sleep 600";

/// The release that the main process of `unit` is in.
fn release_of(account: &Account, systemctl: &str, unit: &str) -> String {
    let ask = format!("readlink /proc/$({systemctl} show --property MainPID --value {unit})/cwd");
    let place = Machine::shared().run_as(account, &ask);
    place.rsplit('/').next().unwrap_or_default().to_owned()
}

#[test]
fn a_restart_brings_the_new_release_up() {
    let (project, account) = shop(SLEEPS, "");
    for _ in 0..2 {
        let output = project.xtask("deploy staging").success();
        assert!(!output.to_string().contains("note"), "{output}");
        assert_eq!(release_of(&account, "systemctl --user", "shop"), project.site.current());
    }
}

#[test]
fn a_unit_that_runs_from_an_earlier_release_is_a_failure() {
    let (mut project, account) = shop(&format!("{SLEEPS}\nExecReload=/bin/true"), "action = \"reload-or-restart\"");
    project.top("keep_releases = 1");
    project.xtask("deploy staging").success();
    let first = project.site.current();
    let output = project.xtask("deploy staging").fails_with(1);
    let output = output.says("the unit shop still runs from an earlier release after its restart");
    let _ = output.says("action = \"restart\"");
    let _ = project.xtask("deploy cleanup staging").success().says("from which processes still run");
    assert_eq!(release_of(&account, "systemctl --user", "shop"), first);

    // A restart, into a folder that is none of the link's.
    write_unit(&account, &format!("WorkingDirectory=%h/www/releases/{first}\nExecStart=/bin/sleep 600"));
    project.no_tables().tables("[recipes.systemd]\nuser = true\nsettle = 0");
    let output = project.xtask("deploy restart staging").fails_with(1);
    let _ = output.says("still runs from an earlier release").says("through the link current");
}

#[test]
fn units_that_do_not_stay_up_are_told_with_their_journal() {
    // The journal finds out whose a line is while its writer lives.
    let (project, account) = shop("ExecStart=/bin/sh -c 'echo no such port >&2; sleep 0.3; exit 3'", "");
    project.xtask("deploy staging").fails_with(1).says("the unit shop is failed (exit-code)").says("no such port");
    write_unit(&account, "ExecStart=/bin/sh -c 'sleep 0.1; exit 3'\nRestart=always\nRestartSec=1ms");
    // Which of the two it is when it is looked at, nobody can say.
    let output = project.xtask("deploy restart staging").fails_with(1);
    let said = ["ended after its restart, and systemd started it again", "is waiting to be started again (exit-code)"];
    assert!(said.iter().any(|said| output.stderr().contains(said)), "{output}");
    write_unit(&account, "ExecStart=/bin/sh -c 'sleep 0.1; exit 3'\nRestart=always\nRestartSec=60");
    project.xtask("deploy restart staging").fails_with(1).says("is waiting to be started again (exit-code)");
    write_unit(&account, "Type=notify\nExecStart=/bin/sleep 600\nTimeoutStartSec=200ms");
    let output = project.xtask("deploy restart staging").fails_with(1);
    let _ = output.says("systemctl restart shop ended with status 1").says("timeout");
}

/// `systemctl` ends well, and only the journal knows.
#[test]
fn what_had_to_be_killed_is_told() {
    let stubborn = "ExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'\nTimeoutStopSec=300ms";
    let (project, _account) = shop(stubborn, "");
    let output = project.xtask("deploy staging").success();
    assert!(!output.to_string().contains("killed"), "{output}");
    let _ = project.xtask("deploy restart staging").success().says("the unit shop didn't stop in time and was killed");
}

/// Nothing fails without it while the deployment is logged in: logind starts the manager for it.
#[test]
fn without_linger_nothing_is_changed() {
    let (mut project, account) = Project::on_machine(Linger::No);
    write_unit(&account, SLEEPS);
    project.tables("[recipes.systemd]\nuser = true\nsettle = 0");
    let output = project.xtask("deploy staging").fails_with(1);
    let hint = format!("sudo loginctl enable-linger {}", account.name);
    let _ = output.says("end soon after its last login: it does not linger").says(&hint);
    assert_eq!(project.site.releases(), [""; 0]);
    Machine::shared().run(&["loginctl", "enable-linger", &account.name]);
    project.xtask("deploy staging").success();
}

#[test]
fn root_restarts_units_of_the_system_through_sudo() {
    let (mut project, account) = Project::on_machine(Linger::No);
    let (machine, user) = (Machine::shared(), &account.name);
    let unit = format!(
        "[Service]\nUser={user}\nWorkingDirectory={0}/www/current\nExecStart=/bin/sleep 600",
        account.home.display()
    );
    let rule = format!("{user} ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop-{user}");
    let write = "printf '%s\\n' \"$2\" >\"$1\"";
    machine.run(&["sh", "-c", write, "sh", &format!("/etc/systemd/system/shop-{user}.service"), &unit]);
    machine.run(&["sh", "-c", write, "sh", &format!("/etc/sudoers.d/{user}"), &rule]);
    project.tables(&format!("[recipes.systemd]\nunits = [\"shop-{user}\"]\nsettle = 0"));
    for _ in 0..2 {
        project.xtask("deploy staging").success();
        assert_eq!(release_of(&account, "systemctl", &format!("shop-{user}")), project.site.current());
    }
}
