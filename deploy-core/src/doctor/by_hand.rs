//! Commands as a person would type them on the controller.

use super::facts::Facts;
use crate::config::{Server, Stage, TransportKind};
use crate::flow;
use crate::transport::ssh::Way;
pub(super) use crate::transport::ssh::word;

/// What mends things on one server of a stage.
#[derive(Clone, Copy)]
pub(super) struct ByHand<'a> {
    pub(super) stage: &'a Stage,
    pub(super) server: &'a Server,
}

impl ByHand<'_> {
    /// `command` on the server, with a terminal for a password of `sudo`.
    pub(super) fn on_server(&self, command: &str) -> String {
        match self.stage.transport {
            TransportKind::Local => command.to_owned(),
            TransportKind::Ssh => format!("{} {}", self.way().ssh(" -t"), word(command)),
        }
    }

    /// Installs `package` on the server, with what installs programs there.
    pub(super) fn install(&self, facts: &Facts, package: &str) -> String {
        self.on_server(&format!("sudo {} {package}", facts.get("packages").unwrap_or("apt-get install")))
    }

    /// Logs in with OpenSSH's own client, which says all that it does.
    pub(super) fn log_in_loudly(&self) -> String {
        format!("{} true", self.way().ssh(" -v"))
    }

    /// Uploads the linked file `file`, after its folder was made where that is `missing`.
    pub(super) fn upload(&self, file: &str, folder_is_missing: bool) -> String {
        let upload = flow::upload(self.stage, self.server, file);
        let path = format!("{}/shared/{file}", self.server.deploy_to);
        match path.rsplit_once('/').filter(|_| folder_is_missing) {
            Some((folder, _)) => format!("{} && {upload}", self.on_server(&format!("mkdir -p {}", word(folder)))),
            None => upload,
        }
    }

    /// A command of this tool, for the stage.
    pub(super) fn xtask(&self, task: &str) -> String {
        format!("cargo xtask {task} {}", self.stage.name)
    }

    fn way(&self) -> Way {
        Way::to(&self.stage.settings.ssh, self.server)
    }
}
