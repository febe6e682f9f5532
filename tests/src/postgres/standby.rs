//! Servers that follow others.

use std::fs;
use std::sync::Arc;

use super::cluster::Cluster;
use super::template::{duplicate, initialise};

impl Cluster {
    /// Makes its data anew, so that it calls itself by a name of its own: all others are copies of one.
    pub fn renew(&mut self) {
        self.stop();
        fs::remove_dir_all(self.data_dir()).expect("a folder can be removed");
        initialise(self.release(), self.user.as_deref(), &self.data_dir());
        self.configure();
        self.restart();
    }

    /// A hot standby of this server, called `name`, on a port of its own. The server is started again for it.
    pub fn standby(&mut self, name: &str) -> Cluster {
        self.set("wal_level = replica\nmax_wal_senders = 4\nhot_standby = on");
        let folder = self.folder.with_file_name(name);
        fs::create_dir_all(folder.join("socket")).expect("a folder can be made");
        self.stop();
        duplicate(&self.data_dir(), &folder.join("data"));
        self.restart();
        let mut standby =
            Cluster::at(&Arc::clone(&self.sandbox), name, self.release().clone(), self.user.clone(), folder);
        let socket = standby.socket_dir();
        let primary = format!("host={} port={} user=postgres", self.socket_dir().display(), self.port());
        let conf = standby.data_dir().join("postgresql.conf");
        let settings = fs::read_to_string(&conf).expect("it was written");
        fs::write(
            conf,
            format!("{settings}\nprimary_conninfo = '{primary}'\nunix_socket_directories = '{}'\n", socket.display()),
        )
        .expect("a file can be written");
        fs::write(standby.data_dir().join("standby.signal"), "").expect("a file can be written");
        standby.own(&standby.folder);
        standby.listen();
        standby
    }
}
