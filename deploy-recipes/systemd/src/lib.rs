//! Restarts the units of an application with [systemd](https://systemd.io), and makes sure that they stay up.
//!
//! Register it in `xtask/src/main.rs` with `.recipe::<Systemd>()`, and turn it on in `deploy.toml`:
//!
//! ```toml
//! [recipes.systemd]
//! units = ["shop-web@{1,2}", "shop-worker"]
//! ```
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `services` | tables | none | `[recipes.systemd.services.NAME]`: processes that the recipe keeps units of, see below |
//! | `units` | list of units | the application's name, unless there are services | What is restarted, one after the other. `shop@{1,2}` is `shop@1` and `shop@2`, `shop@{1..4}` four of them |
//! | `roles` | list of roles | `["app"]` | Where the units are |
//! | `action` | `"restart"`, `"reload-or-restart"` | `"restart"` | How: `reload-or-restart` only reloads what can reload its code |
//! | `command` | string | none | Shell text that takes the place of `systemctl`, once for all units; it runs in the release. Whether the units are active is still checked |
//! | `user` | boolean | `false` | Whether these are units of the user that deploys (`systemctl --user`) |
//! | `sudo` | boolean | `true` | Whether root restarts units of the system, through sudo; root itself needs none |
//! | `rolling` | boolean | `true` | Whether the servers restart one group after the other; the next one waits until all is well |
//! | `group` | integer | `1` | How many servers a group has |
//! | `wait` | time | `5` | How long to wait between two groups |
//! | `settle` | time | `2` | How long a unit is given after its restart before it has to be active, and not have ended meanwhile |
//! | `journal_lines` | integer | `20` | How many lines of a unit's journal are shown when it isn't well |
//!
//! What it adds: `systemd:restart`, as a part of `deploy:restart`, which every deploy and every rollback runs after
//! publishing; and `systemd status`, `start`, `stop` and `logs`, which with `--unit NAME` mean one of them.
//!
//! # Services
//!
//! A service is a process whose unit the recipe writes, a unit of the user that deploys (`user = true`):
//!
//! ```toml
//! [recipes.systemd]
//! user = true
//!
//! [recipes.systemd.services.web]
//! command = "bin/server"
//! port = 9292
//!
//! [recipes.systemd.services.worker]
//! command = "bin/worker"
//! environment = { QUEUE = "mail" }
//! stop_timeout = "60s"
//! ```
//!
//! Its keys are those of [`service`]. Its unit is called `APPLICATION-NAME`, is started with the machine, and started again
//! when it ends. With `port` or `socket` systemd listens, and hands the socket over as file 3 (`LISTEN_FDS`): the program
//! has to take it, and not to listen on a port of its own. Requests that come while it restarts wait there. Where something
//! else listens on the port, a deploy says so before anything changes. `systemd:setup`, which runs before the restart,
//! writes the unit's file where it differs, and shows how;
//! `cargo xtask systemd diff STAGE` shows it beforehand. A file of that name that wasn't written for this deployment is
//! left alone, and is a failure. What changes in a unit that has a `reload` needs `systemd stop` and `start`. The unit of a
//! service that `deploy.toml` has no more stays until it is removed by hand.
//!
//! # What is a good restart
//!
//! A unit is well if it is active, was not started again by systemd meanwhile, and its main process runs from the release that
//! is live: its working directory and its program are in no other release, and in none that is removed. So let
//! `WorkingDirectory=` and `ExecStart=` lead through the link `current`. A reload is given five times `settle` for
//! that, since `systemctl reload` ends before it has had an effect. Where systemd had to kill what didn't stop in time, that is told:
//! `systemctl` ends well then.
//!
//! `cargo xtask doctor` asks whether systemd knows the units, and whether those of a user outlive the login.
//!
//! Only the restart needs sudo. For the units of the system, allow it in `/etc/sudoers.d`:
//!
//! ```text
//! deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop-worker
//! ```
//!
//! A user's own units need none, and live on without a login after `sudo loginctl enable-linger deploy`: without it, systemd
//! stops them 10 seconds after the last login ends, and nothing says so. A deploy asks before anything changes, and
//! `systemd:restart` once more. For the journal
//! of a unit of the system, the user has to be in the group `systemd-journal`.

mod keep;
mod restart;
pub mod service;
mod units;

use std::collections::BTreeMap;

use deploy_core::config::Time;
use deploy_core::prelude::*;
use serde::Deserialize;
use service::Service;
use units::Unit;

/// Makes sure that the user's units outlive the login.
pub const CHECK: TaskId = TaskId::new("systemd:check");
/// Restarts the units.
pub const RESTART: TaskId = TaskId::new("systemd:restart");

/// Writes the units of the services.
pub const SETUP: TaskId = TaskId::new("systemd:setup");
/// Shows how they would change.
pub const DIFF: TaskId = TaskId::new("systemd:diff");
/// Shows how the units are.
pub const STATUS: TaskId = TaskId::new("systemd:status");
/// Starts the units.
pub const START: TaskId = TaskId::new("systemd:start");
/// Stops the units.
pub const STOP: TaskId = TaskId::new("systemd:stop");
/// Shows the last lines of the units' journal.
pub const LOGS: TaskId = TaskId::new("systemd:logs");

/// The shell that talks with systemd.
const LIBRARY: &str = include_str!("systemd.sh");
/// What it needs for units of its own.
const SERVICES: &str = include_str!("services.sh");

/// `[recipes.systemd]`. The crate's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above is their documentation, and a test holds it complete")]
pub struct Systemd {
    pub units: Vec<Unit>,
    pub roles: Vec<String>,
    pub action: Action,
    pub command: Option<String>,
    pub user: bool,
    pub sudo: bool,
    pub rolling: bool,
    #[serde(deserialize_with = "deploy_core::config::at_least_one")]
    pub group: usize,
    pub wait: Time,
    pub settle: Time,
    pub journal_lines: usize,
    pub services: BTreeMap<String, Service>,
}

/// What systemd is asked to do with a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// End it and start it.
    #[default]
    Restart,
    /// Have it read its configuration anew where it can, else end it and start it.
    ReloadOrRestart,
}

impl Default for Systemd {
    fn default() -> Systemd {
        Systemd {
            units: Vec::new(),
            roles: vec!["app".to_owned()],
            action: Action::Restart,
            command: None,
            user: false,
            sudo: true,
            rolling: true,
            group: 1,
            wait: Time::seconds(5),
            settle: Time::seconds(2),
            journal_lines: 20,
            services: BTreeMap::new(),
        }
    }
}

impl Recipe for Systemd {
    const NAME: &'static str = "systemd";

    fn register(self, tasks: &mut Tasks) {
        self.problems().into_iter().for_each(|problem| tasks.problem(problem));
        tasks.task(self.restart());
        tasks.step(&flow::RESTART, RESTART);
        self.by_hand().into_iter().for_each(|task| tasks.task(task));
        if self.user {
            tasks.task(self.check());
            tasks.hook(When::After(flow::CHECK), CHECK);
        }
        self.keep().into_iter().for_each(|task| tasks.task(task));
        if !self.services.is_empty() {
            tasks.hook(When::Before(RESTART), SETUP);
        }
        self.looks().into_iter().for_each(|look| tasks.look(look));
    }
}

impl Systemd {
    /// What the doctor looks at: whether systemd knows the units, and whether a user's own outlive the login.
    fn looks(&self) -> Vec<Look> {
        let own = self.clone();
        let units = Look::new("units", self.servers(), move |cx| own.look_at_units(cx));
        let units =
            units.mend(if self.user { "systemctl --user list-unit-files" } else { "systemctl list-unit-files" });
        let linger = Look::new("linger", self.servers(), |_| {
            Script::new().uses(LIBRARY).then(sh!("if systemd_is_lingering; then
  look_ok 'the units of this user live on without a login'
else
  look_problem 'the units of this user end with its last login'
fi"))
        });
        let linger = linger.mend("sudo loginctl enable-linger \"$USER\"");
        if self.user { vec![units, linger] } else { vec![units] }
    }

    fn look_at_units(&self, cx: &ServerCx<'_>) -> Script {
        let units = self.units_on(cx).into_iter().map(|unit| unit.name);
        let user = if self.user { "--user" } else { "--system" };
        let manager = if self.user { sh!("systemd_find_manager") } else { Script::new() };
        let set = Script::new().uses(LIBRARY).run(Cmd::new("set").arg("--").args(units).unprefixed());
        set.then(manager).then(sh!(
            "unknown=''
for unit; do systemctl {} cat -- \"$unit\" >/dev/null 2>&1 || unknown=\"$unknown $unit\"; done
if [ -n \"$unknown\" ]; then look_problem \"systemd doesn't know$unknown\"; else look_ok \"$*\"; fi",
            user
        ))
    }

    /// What is wrong with the table as a whole.
    fn problems(&self) -> Vec<String> {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let of = |(name, service): (&String, &Service)| {
            let problem =
                if is_name(name) { service.problem()? } else { "its name has to be of letters, digits, - and _" };
            Some(format!("[recipes.systemd.services.{name}] {problem}"))
        };
        let mut problems: Vec<_> = self.services.iter().filter_map(of).collect();
        if !self.services.is_empty() && !self.user {
            let text = "[recipes.systemd] `services` are units of the user that deploys: say `user = true`";
            problems.push(text.to_owned());
        }
        problems
    }

    /// Every server that has a unit.
    fn servers(&self) -> Servers {
        let roles = self.services.values().flat_map(|service| &service.roles).chain(&self.roles);
        Servers::roles(roles).with_releases()
    }

    /// The functions by which the library calls systemd's programs.
    fn programs(&self) -> Script {
        let programs = match (self.user, self.sudo) {
            (true, _) => sh!("systemd_ask() { systemctl --user \"$@\"; }
systemd_change() { systemctl --user \"$@\"; }
systemd_journal() { journalctl --user \"$@\"; }
systemd_user"),
            (false, true) => sh!("systemd_ask() { systemctl \"$@\"; }
systemd_change() { if [ \"$(id -u)\" = 0 ]; then systemctl \"$@\"; else sudo -n systemctl \"$@\"; fi; }
systemd_journal() { journalctl \"$@\"; }"),
            (false, false) => sh!("systemd_ask() { systemctl \"$@\"; }
systemd_change() { systemctl \"$@\"; }
systemd_journal() { journalctl \"$@\"; }"),
        };
        let own = match &self.command {
            Some(command) => sh!("systemd_own() { sh -eu -c {}; }", command),
            None => Script::new(),
        };
        programs.then(own).uses(LIBRARY).uses(SERVICES)
    }

    /// How to look at a unit by hand; its name follows.
    fn hint(&self) -> &'static str {
        if self.user { "on the server: systemctl --user status" } else { "on the server: systemctl status" }
    }
}

#[cfg(test)]
mod tests;
