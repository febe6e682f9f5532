//! Whether what answers after the restart is of the release that is live.

use deploy_core::prelude::*;
use deploy_core::task::{Effect, ServerCx};

use super::{CHECK, Method, Passenger};

/// The shell that finds Passenger's processes.
const LIBRARY: &str = include_str!("proof.sh");

/// Remembers what runs below the folder `app` before the restart.
pub(crate) fn begin(app: &str) -> Script {
    Script::new().run(Cmd::new("passenger_begin").unprefixed().arg(app)).uses(LIBRARY)
}

impl Passenger {
    /// Says before the work begins what nobody will be able to tell afterwards.
    pub(crate) fn check(&self) -> Task {
        let own = self.clone();
        let on = Servers::roles(&self.roles).with_releases();
        let check = move |cx: &ServerCx<'_>| own.foresee(cx);
        Task::script(CHECK, "Find out whether a restart can be proven", on, check).hidden().effect(Effect::Looks)
    }

    fn foresee(&self, cx: &ServerCx<'_>) -> Script {
        if self.health_revision.is_some() {
            return sh!("deploy_skip 'the answer tells the commit'");
        }
        let asked = if self.health_url.is_some() { "asked" } else { "unasked" };
        let how = match self.method {
            Method::Touch => "touch",
            Method::Auto | Method::Config => "config",
        };
        let whose = if self.sudo { "others" } else { "own" };
        let layout = cx.layout();
        let foresee = Cmd::new("passenger_foresee").unprefixed().args([&self.app(cx), asked, how, whose]);
        Script::new().run(foresee.arg(layout.current())).uses(LIBRARY)
    }

    /// Fails where what runs below the folder `app` is of an earlier release.
    pub(crate) fn prove(&self, cx: &ServerCx<'_>, app: &str) -> Script {
        let asked = match (&self.health_revision, &self.health_url) {
            (Some(_), _) => "told",
            (None, Some(_)) => "asked",
            (None, None) => "unasked",
        };
        let patience = self.health_timeout.0.as_secs().max(1).to_string();
        let hint = format!("to go back: cargo xtask deploy rollback {}", cx.stage.name);
        let prove = Cmd::new("passenger_prove").unprefixed().args([app, asked, &patience, &hint]);
        Script::new().run(prove).uses(LIBRARY)
    }
}
