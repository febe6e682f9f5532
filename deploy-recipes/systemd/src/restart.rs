//! Restarting units, and what one may want to do with them by hand.

use deploy_core::prelude::*;
use deploy_core::task::{Effect, Opt, ServerCx};

use super::units::Unit;
use super::{Action, CHECK, LOGS, RESTART, START, STATUS, STOP, Systemd};

/// A unit of a server.
pub(crate) struct Known {
    pub(crate) name: String,
    action: Action,
    /// Whether it is one of `units`, for which `command` may stand.
    is_named: bool,
    has_socket: bool,
}

const UNIT: Opt = Opt { name: "unit", value: Some("NAME"), about: "Only this unit or service" };

impl Systemd {
    pub(crate) fn restart(&self) -> Task {
        let own = self.clone();
        let restart = move |cx: &ServerCx<'_>| own.restart_script(cx);
        let task = Task::script(RESTART, "Restart the units of systemd", self.servers(), restart).dir(Dir::Release);
        if self.rolling { task.rolling(self.group, self.wait.0) } else { task }
    }

    /// What is found out before anything changes: without lingering, what is restarted ends with the deployment's login; and
    /// a service needs its file and its place.
    pub(crate) fn check(&self) -> Task {
        let own = self.clone();
        let check = move |cx: &ServerCx<'_>| {
            let files = own.here(cx).filter_map(|(name, service)| Some((name, service.file(&cx.layout().shared())?)));
            let needs =
                |script: Script, (name, file): (&str, String)| script.then(sh!("systemd_needs {} {}", file, name));
            files.fold(own.programs(), needs).then(own.places(cx))
        };
        let task = Task::script(CHECK, "Make sure that the units can run", self.servers(), check);
        task.hidden().effect(Effect::Looks)
    }

    /// The units of a server: where none are named, the one that is called like the application.
    pub(crate) fn units_on(&self, cx: &ServerCx<'_>) -> Vec<Known> {
        let application = cx.stage.settings.application.as_str();
        let is_here = self.roles.iter().any(|role| cx.server.roles.contains(role));
        let alone = (self.units.is_empty() && self.services.is_empty()).then_some(application);
        let named = self.units.iter().flat_map(Unit::instances).chain(alone).filter(|_| is_here);
        let named =
            named.map(|name| Known { name: name.to_owned(), action: self.action, is_named: true, has_socket: false });
        let services = self.here(cx).map(|(name, service)| Known {
            name: format!("{application}-{name}.service"),
            action: if service.reload.is_some() { Action::ReloadOrRestart } else { Action::Restart },
            is_named: false,
            has_socket: service.has_socket(),
        });
        named.chain(services).collect()
    }

    fn restart_script(&self, cx: &ServerCx<'_>) -> Script {
        let units = self.units_on(cx);
        let (named, services): (Vec<_>, Vec<_>) = units.iter().partition(|unit| unit.is_named);
        let script = match self.command {
            Some(_) => self.restart_of("own", &named),
            None => self.restart_of(self.action.word(), &named),
        };
        let each = [Action::Restart, Action::ReloadOrRestart].into_iter().map(|action| {
            let units: Vec<_> = services.iter().copied().filter(|unit| unit.action == action).collect();
            self.restart_of(action.word(), &units)
        });
        let script = each.fold(self.programs().then(script), Script::then);
        if self.user { script.then(sh!("systemd_lingers")) } else { script }
    }

    fn restart_of(&self, action: &str, units: &[&Known]) -> Script {
        if units.is_empty() {
            return Script::new();
        }
        let settle = self.settle.0.as_secs_f64().to_string();
        let patience = (self.settle.0 * 5).as_secs().to_string();
        let restart = Cmd::new("systemd_restart").unprefixed().args([action, &settle, &patience]);
        let restart = restart.arg(self.journal_lines).arg(self.hint());
        Script::new().run(restart.args(units.iter().map(|unit| unit.name.as_str())))
    }

    /// Tasks that no flow has.
    pub(crate) fn by_hand(&self) -> [Task; 4] {
        let task = |id, about, effect, body: fn(&Systemd, &ServerCx<'_>, &[String]) -> Script| {
            let own = self.clone();
            let script = move |cx: &ServerCx<'_>| own.on_chosen(cx, body);
            Task::script(id, about, self.servers(), script).dir(Dir::Release).effect(effect).option(UNIT)
        };
        let lines = Opt { name: "lines", value: Some("COUNT"), about: "How many lines of the journal" };
        [
            task(STATUS, "Show how the units are", Effect::Looks, Systemd::status),
            task(LOGS, "Show the last lines of the units' journal", Effect::Looks, Systemd::logs).option(lines),
            task(START, "Start the units", Effect::Changes, Systemd::start),
            task(STOP, "Stop the units", Effect::Changes, Systemd::stop),
        ]
    }

    /// What `body` makes of the units that are meant, sockets before their services.
    fn on_chosen(&self, cx: &ServerCx<'_>, body: fn(&Systemd, &ServerCx<'_>, &[String]) -> Script) -> Script {
        let application = &cx.stage.settings.application;
        let is_meant = |unit: &Known, wanted: &str| {
            let service = unit.name.strip_suffix(".service").unwrap_or(&unit.name);
            [unit.name.as_str(), service].contains(&wanted) || service == format!("{application}-{wanted}")
        };
        let mut units = self.units_on(cx);
        if let Some(wanted) = cx.option(UNIT.name) {
            units.retain(|unit| is_meant(unit, wanted));
            if units.is_empty() {
                return sh!("deploy_fail {}", format!("there is no unit `{wanted}` on this server"));
            }
        }
        let socket = |unit: &Known| unit.has_socket.then(|| unit.name.replace(".service", ".socket"));
        let names: Vec<String> = units.iter().filter_map(socket).collect();
        let names: Vec<String> = names.into_iter().chain(units.iter().map(|unit| unit.name.clone())).collect();
        self.programs().then(body(self, cx, &names))
    }

    /// A unit that doesn't run is an answer, and no failure.
    fn status(&self, _cx: &ServerCx<'_>, units: &[String]) -> Script {
        Script::new().run(Cmd::new("systemd_status").unprefixed().args(units))
    }

    fn logs(&self, cx: &ServerCx<'_>, units: &[String]) -> Script {
        let lines = cx.option("lines").map_or_else(|| self.journal_lines.to_string(), str::to_owned);
        Script::new().run(Cmd::new("systemd_logs").unprefixed().arg(lines).args(units))
    }

    fn start(&self, _cx: &ServerCx<'_>, units: &[String]) -> Script {
        let settle = self.settle.0.as_secs_f64().to_string();
        let start = Cmd::new("systemd_start").unprefixed().arg(settle).arg(self.journal_lines).arg(self.hint());
        Script::new().run(start.args(units))
    }

    fn stop(&self, _cx: &ServerCx<'_>, units: &[String]) -> Script {
        Script::new().run(Cmd::new("systemd_stop").unprefixed().args(units))
    }
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::Restart => "restart",
            Action::ReloadOrRestart => "reload-or-restart",
        }
    }
}
