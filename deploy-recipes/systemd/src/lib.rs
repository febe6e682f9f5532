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
//! | `units` | list of units | the application's name | What is restarted, one after the other. `shop@{1,2}` is `shop@1` and `shop@2`, `shop@{1..4}` four of them |
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
//! publishing.
//!
//! `cargo xtask doctor` asks whether systemd knows the units, and whether those of a user outlive the login.
//!
//! Only the restart needs sudo. For the units of the system, allow it in `/etc/sudoers.d`:
//!
//! ```text
//! deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop-worker
//! ```
//!
//! A user's own units need none, and live on without a login after `sudo loginctl enable-linger deploy`. For the journal
//! of a unit of the system, the user has to be in the group `systemd-journal`.

mod units;

use deploy_core::config::Time;
use deploy_core::prelude::*;
use deploy_core::task::ServerCx;
use serde::Deserialize;
use units::Unit;

/// Restarts the units.
pub const RESTART: TaskId = TaskId::new("systemd:restart");

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
        }
    }
}

impl Recipe for Systemd {
    const NAME: &'static str = "systemd";

    fn register(self, tasks: &mut Tasks) {
        tasks.task(self.task());
        tasks.step(&flow::RESTART, RESTART);
        self.looks().into_iter().for_each(|look| tasks.look(look));
    }
}

impl Systemd {
    fn task(&self) -> Task {
        let own = self.clone();
        let on = Servers::roles(&self.roles).with_releases();
        let restart = move |cx: &ServerCx<'_>| own.script(&cx.stage.settings.application);
        let task = Task::script(RESTART, "Restart the units of systemd", on, restart).dir(Dir::Release);
        if self.rolling { task.rolling(self.group, self.wait.0) } else { task }
    }

    /// What the doctor looks at: whether systemd knows the units, and whether a user's own outlive the login.
    fn looks(&self) -> Vec<Look> {
        let (own, on) = (self.clone(), Servers::roles(&self.roles).with_releases());
        let units = Look::new("units", on.clone(), move |cx| own.look_at_units(&cx.stage.settings.application));
        let units =
            units.mend(if self.user { "systemctl --user list-unit-files" } else { "systemctl list-unit-files" });
        let linger = Look::new("linger", on, |_| {
            sh!("case $(loginctl show-user \"$(id -un)\" --property=Linger --value 2>/dev/null || echo no) in
  yes) look_ok 'the units of this user live on without a login' ;;
  *) look_problem 'the units of this user end with its last login' ;;
esac")
        });
        let linger = linger.mend("sudo loginctl enable-linger \"$USER\"");
        if self.user { vec![units, linger] } else { vec![units] }
    }

    fn look_at_units(&self, application: &str) -> Script {
        let own = self.units.is_empty().then_some(application);
        let units: Vec<_> = self.units.iter().flat_map(Unit::instances).chain(own).map(str::to_owned).collect();
        let user = if self.user { "--user" } else { "--system" };
        let set = Script::new().run(Cmd::new("set").arg("--").args(units).unprefixed());
        set.then(sh!(
            "unknown=''
for unit; do systemctl {} cat -- \"$unit\" >/dev/null 2>&1 || unknown=\"$unknown $unit\"; done
if [ -n \"$unknown\" ]; then look_problem \"systemd doesn't know$unknown\"; else look_ok \"$*\"; fi",
            user
        ))
    }

    /// Restarts the units; where none are named, the one that is called like the application.
    fn script(&self, application: &str) -> Script {
        let action = match (&self.command, self.action) {
            (Some(_), _) => "own",
            (None, Action::Restart) => "restart",
            (None, Action::ReloadOrRestart) => "reload-or-restart",
        };
        let settle = self.settle.0.as_secs_f64().to_string();
        let restart = Cmd::new("systemd_restart").unprefixed().args([action, &settle]).arg(self.journal_lines);
        let own = self.units.is_empty().then_some(application);
        let units = self.units.iter().flat_map(Unit::instances).chain(own);
        self.programs().run(restart.arg(self.hint()).args(units))
    }

    /// How to look at a unit by hand; its name follows.
    fn hint(&self) -> &'static str {
        if self.user { "on the server: systemctl --user status" } else { "on the server: systemctl status" }
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
        programs.then(own).uses(include_str!("systemd.sh"))
    }
}

#[cfg(test)]
mod tests;
