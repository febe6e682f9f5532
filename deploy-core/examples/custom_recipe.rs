//! A recipe: its configuration, `[recipes.systemd]` of deploy.toml, is its type.

use std::process::ExitCode;

use deploy_core::prelude::*;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Systemd {
    unit: String,
}

impl Recipe for Systemd {
    const NAME: &'static str = "systemd";

    /// Fills `deploy:restart`, which runs after every deploy and every rollback.
    fn register(self, tasks: &mut Tasks) {
        tasks.task(Task::script(flow::RESTART, "Restart the unit", Servers::role("app"), move |_| {
            Script::new().run(Cmd::new("systemctl").args(["--user", "restart", "--", &self.unit]))
        }));
    }
}

fn main() -> ExitCode {
    xtask().run()
}

fn xtask() -> Xtask {
    Xtask::new().recipe::<Systemd>()
}

#[test]
fn the_wiring_is_sound() {
    xtask().check().unwrap();
}
