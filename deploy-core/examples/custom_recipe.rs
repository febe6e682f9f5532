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
    Xtask::new().recipe::<Systemd>().run()
}

#[test]
fn a_deploy_restarts_the_unit() {
    let site = deploy_core::testing::Site::of::<Systemd>("unit = 'shop'");
    site.program("systemctl", "");
    let run = site.run("deploy");
    run.succeeded();
    assert_eq!(run.calls(), ["systemctl --user restart -- shop"]);
}
