//! Commands as a person would type them on the controller.

use super::facts::Facts;
use crate::config::{Server, SshConfigFile, Stage, TransportKind};
use crate::flow;
use crate::script::quote;

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
            TransportKind::Ssh => format!("ssh -t{} {}", self.login(), word(command)),
        }
    }

    /// Installs `package` on the server, with what installs programs there.
    pub(super) fn install(&self, facts: &Facts, package: &str) -> String {
        self.on_server(&format!("sudo {} {package}", facts.get("packages").unwrap_or("apt-get install")))
    }

    /// Logs in with OpenSSH's own client, which says all that it does.
    pub(super) fn log_in_loudly(&self) -> String {
        format!("ssh -v{} true", self.login())
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

    /// The arguments of `ssh` that lead to the server, each after a blank.
    fn login(&self) -> String {
        let ssh = &self.stage.settings.ssh;
        let file = match &ssh.config_file {
            SshConfigFile::Default => String::new(),
            SshConfigFile::None => " -F none".to_owned(),
            SshConfigFile::File(file) => format!(" -F {}", word(&file.display().to_string())),
        };
        let jump = ssh.proxy_jump.as_ref().map(|jump| format!(" -J {}", word(jump))).unwrap_or_default();
        let port = self.server.port.map(|port| format!(" -p {port}")).unwrap_or_default();
        let user = self.server.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{file}{jump}{port} {user}{}", self.server.host)
    }
}

/// `text` as one word of a shell.
pub(super) fn word(text: &str) -> String {
    String::from_utf8_lossy(&quote(text.as_bytes())).into_owned()
}
