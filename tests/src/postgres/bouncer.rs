//! PgBouncer: a proxy that hands the sessions of a server on to many clients.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::cluster::Cluster;
use super::session::Role;
use crate::process;
use crate::sandbox::Sandbox;
use crate::sshd::free_port;
use crate::user::{self, User};

/// PgBouncer in transaction mode, before one database.
pub struct Bouncer {
    port: u16,
    child: Child,
}

impl Bouncer {
    /// Before `database` of `cluster`, for `role`; `settings` are further lines of its configuration.
    pub fn start(sandbox: &Sandbox, cluster: &Cluster, database: &str, role: &Role, settings: &str) -> Bouncer {
        let folder = sandbox.join("bouncer");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let port = free_port();
        let quoted = |text: &str| text.replace('"', "\"\"");
        let users = format!("\"{}\" \"{}\"\n", quoted(&role.name), quoted(&role.password));
        fs::write(folder.join("users"), users).expect("a file can be written");
        let target = format!("host=127.0.0.1 port={}", cluster.port());
        let conf = format!(
            "[databases]\n{database} = {target} dbname={database}\npostgres = {target} dbname=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n\
             auth_file = {0}/users\nlogfile = {0}/log\npool_mode = transaction\ndefault_pool_size = 1\n{settings}\n",
            folder.display()
        );
        fs::write(folder.join("conf"), conf).expect("a file can be written");
        let mut command = Command::new("pgbouncer");
        command.env("PATH", "/usr/sbin:/usr/bin:/bin").arg("-q").arg(folder.join("conf"));
        if user::is_root() {
            let user = User::existing("postgres");
            user.own(&folder);
            command = user.command(&command);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("PgBouncer is installed (`cargo xtask test` installs it)");
        let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        let log = folder.join("log");
        assert!(process::comes_up(&mut child, Duration::from_secs(30), answers), "{:?}", fs::read_to_string(log));
        Bouncer { port, child }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
