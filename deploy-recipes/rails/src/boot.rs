//! Whether a release boots, found out before it is live.
//!
//! Passenger's open-source edition ends the old processes before it starts the new ones: a release that doesn't boot and
//! is live already answers nobody.

use deploy_core::prelude::*;
use deploy_core::task::Effect;

use crate::Rails;

/// Starts the application once.
pub const BOOT: TaskId = TaskId::new("deploy:boot");

const TASK: &str = include_str!("boot.rb");

impl Rails {
    /// It is a detail: the tree of a deploy stays that of Capistrano. Only a new release is tried, since what a rollback
    /// goes back to has been live.
    pub(crate) fn register_boot(&self, tasks: &mut Tasks) {
        let on = Servers::roles(&self.boot_roles).with_releases();
        let task = Task::script(BOOT, "Start the application once, to find out whether it does", on, |_| boot());
        tasks.task(task.dir(Dir::Release).hidden().effect(Effect::Looks));
        if self.boot_check {
            tasks.hook(When::After(flow::UPDATED), BOOT);
        }
    }
}

/// What rake has to do comes in a variable: nothing is left on the server.
fn boot() -> Script {
    let start = Cmd::new("rake").args(["-E", "eval ENV.fetch('XTASK_BOOT')", "xtask:boot"]).env("XTASK_BOOT", TASK);
    let failed = sh!("deploy_fail 'the application does not start' \
        'if it only lacks variables that the web server gives it, in deploy.toml: [default_env] NAME = \"value\"' \
        'to deploy without this check, in deploy.toml: [recipes.rails] boot_check = false'");
    Script::new().when(start, Script::new(), failed)
}
