//! Keeping the units of services.

use deploy_core::prelude::*;
use deploy_core::task::{Effect, ServerCx};

use super::service::{Place, Service};
use super::{DIFF, SETUP, Systemd};

impl Systemd {
    /// The services of a server.
    pub(crate) fn here<'s>(&'s self, cx: &ServerCx<'s>) -> impl Iterator<Item = (&'s str, &'s Service)> {
        let server = cx.server;
        let is_here = move |service: &Service| {
            let roles = if service.roles.is_empty() { &self.roles } else { &service.roles };
            roles.iter().any(|role| server.roles.contains(role))
        };
        let services = self.services.iter().filter(move |(_, service)| is_here(service));
        services.map(|(name, service)| (name.as_str(), service))
    }

    /// The tasks that write units, and show how they would change.
    pub(crate) fn keep(&self) -> [Task; 2] {
        let (own, other) = (self.clone(), self.clone());
        let setup = move |cx: &ServerCx<'_>| own.setup(cx);
        let diff = move |cx: &ServerCx<'_>| other.programs().then(other.files(cx, "look"));
        [
            Task::script(SETUP, "Write the units of the services", self.servers(), setup),
            Task::script(DIFF, "Show how the units of the services would change", self.servers(), diff)
                .effect(Effect::Looks),
        ]
    }

    fn setup(&self, cx: &ServerCx<'_>) -> Script {
        let script = self.programs().then(self.places(cx)).then(self.files(cx, "write")).then(sh!("systemd_load"));
        self.here(cx).fold(script, |script, (name, service)| {
            let unit = unit(cx, name);
            let enable = sh!("systemd_enable {} default.target", format!("{unit}.service"));
            let script = script.then(enable);
            if !service.has_socket() {
                return script;
            }
            let listen = Cmd::new("systemd_listen").unprefixed().arg(&unit).arg(self.journal_lines).arg(self.hint());
            script.then(sh!("systemd_enable {} sockets.target", format!("{unit}.socket"))).run(listen)
        })
    }

    /// Fails where something else listens in a service's place.
    pub(crate) fn places(&self, cx: &ServerCx<'_>) -> Script {
        let ports = self.here(cx).filter_map(|(name, service)| Some((name, service.port?)));
        ports.fold(Script::new(), |script, (name, port)| {
            let socket = format!("{}.socket", unit(cx, name));
            script.then(sh!("systemd_free {} {} {}", socket, port.address().to_string(), port.pattern()))
        })
    }

    /// Has each file be as it should; `how` is `write` or `look`.
    fn files(&self, cx: &ServerCx<'_>, how: &str) -> Script {
        if self.here(cx).next().is_none() {
            return sh!("deploy_skip 'no service runs here'");
        }
        let layout = cx.layout();
        let (current, shared) = (layout.current(), layout.shared());
        let place = Place { root: layout.root(), current: &current, shared: &shared };
        let keep = |name: String, text: String| sh!("systemd_keep {} {} {}", how, name, text);
        self.here(cx).fold(Script::new(), |script, (name, service)| {
            let unit = unit(cx, name);
            let script = script.then(keep(format!("{unit}.service"), service.unit(&unit, &place)));
            match service.socket_unit(&unit, &place) {
                Some(text) => script.then(keep(format!("{unit}.socket"), text)),
                None => script,
            }
        })
    }
}

/// What the unit of a service is called.
fn unit(cx: &ServerCx<'_>, name: &str) -> String {
    format!("{}-{name}", cx.stage.settings.application)
}
