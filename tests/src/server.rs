//! The servers of a stage.

use std::sync::Arc;

use crate::proxy::Proxy;
use crate::sandbox::Sandbox;
use crate::site::Site;
use crate::sshd::Sshd;
use crate::user::User;

/// One machine of a project's stage: an SSH server and the folder that it deploys to.
pub struct Server {
    /// What the test calls it.
    pub name: String,
    /// The server itself.
    pub sshd: Sshd,
    /// What stands on it.
    pub site: Site,
    /// The port that `deploy.toml` names: the server's own, or that of a proxy before it.
    pub port: u16,
    /// The stage that it belongs to.
    pub stage: String,
    words: String,
    more: String,
}

impl Server {
    /// A server with the roles in `words`. `primary` and `no_release` among them are flags.
    pub(crate) fn start(
        sandbox: &Arc<Sandbox>,
        name: &str,
        words: &str,
        address: &str,
        options: &[&str],
        user: Option<Arc<User>>,
    ) -> Server {
        let sshd = Sshd::start_at(address, sandbox, name, options, user);
        let port = sshd.port();
        let site = Site::new(sandbox.join(format!("servers/{name}/www")));
        let (name, stage, words) = (name.to_owned(), "staging".to_owned(), words.to_owned());
        Server { name, sshd, site, port, stage, words, more: String::new() }
    }

    /// Adds lines of TOML to the server's table.
    pub fn set(&mut self, toml: &str) {
        self.more.push_str(toml);
        self.more.push('\n');
    }

    /// Moves the folder that it deploys to.
    pub fn deploy_to(&mut self, path: impl Into<std::path::PathBuf>) {
        self.site = Site::new(path);
    }

    /// Has the project reach the server through `proxy`.
    pub fn behind(&mut self, proxy: &Proxy) {
        self.port = proxy.port();
    }

    /// Its `[[stages.STAGE.servers]]`.
    pub(crate) fn table(&self) -> String {
        let (flags, roles): (Vec<&str>, Vec<&str>) =
            self.words.split_whitespace().partition(|word| ["primary", "no_release"].contains(word));
        let flags: String = flags.iter().map(|flag| format!("{flag} = true\n")).collect();
        format!(
            "[[stages.{}.servers]]\nhost = {:?}\nport = {}\nroles = {roles:?}\ndeploy_to = {:?}\n{flags}{}\n",
            self.stage,
            self.sshd.address(),
            self.port,
            self.site.path(),
            self.more,
        )
    }

    /// Its line of `known_hosts`.
    pub(crate) fn known_hosts_line(&self) -> String {
        format!("[{}]:{} {}\n", self.sshd.address(), self.port, self.sshd.host_key())
    }
}
