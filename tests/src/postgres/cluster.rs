//! PostgreSQL servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::release::Release;
use super::session::{Role, Session, identifier, literal};
use super::template;
use crate::process;
use crate::sandbox::Sandbox;
use crate::sshd::free_port;
use crate::user::{self, User};

/// A PostgreSQL server with data of its own, on a loopback port and on a socket in the sandbox.
///
/// Its superuser `postgres` gets in by the socket, without a password; everybody else needs one. It is not among the
/// sandbox's [`processes`](Sandbox::processes): what a test looks for there is what the tool left.
pub struct Cluster {
    pub(super) sandbox: Arc<Sandbox>,
    name: String,
    release: Release,
    pub(super) folder: PathBuf,
    port: u16,
    /// PostgreSQL refuses to run as root.
    pub(super) user: Option<Arc<User>>,
    child: Option<Child>,
}

impl Cluster {
    /// A server that accepts connections, called `name` in outputs, of the PostgreSQL that is installed.
    pub fn start(sandbox: &Arc<Sandbox>, name: &str) -> Cluster {
        let user = user::is_root().then(|| Arc::new(User::existing("postgres")));
        Cluster::start_as(sandbox, name, Release::installed(), user)
    }

    /// As [`start`](Cluster::start), of another release.
    pub fn start_release(sandbox: &Arc<Sandbox>, name: &str, release: Release) -> Cluster {
        let user = user::is_root().then(|| Arc::new(User::existing("postgres")));
        Cluster::start_as(sandbox, name, release, user)
    }

    /// As [`start`](Cluster::start), run by `user`: for a sandbox that belongs to an ordinary user as a whole.
    pub fn start_as(sandbox: &Arc<Sandbox>, name: &str, release: Release, user: Option<Arc<User>>) -> Cluster {
        let folder = sandbox.join(format!("postgres/{name}"));
        fs::create_dir_all(folder.join("socket")).expect("a folder can be made");
        if let Some(user) = &user {
            // Whoever runs the server has to get to its folder, through that of the sandbox.
            fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o711)).expect("modes can be set");
            user.own(&folder);
        }
        template::copy(&release, user.as_deref(), &folder.join("data"));
        let mut cluster = Cluster::at(sandbox, name, release, user, folder);
        cluster.configure();
        cluster.listen();
        cluster
    }

    /// A server that stands still, whose data is in `folder`.
    pub(super) fn at(
        sandbox: &Arc<Sandbox>,
        name: &str,
        release: Release,
        user: Option<Arc<User>>,
        folder: PathBuf,
    ) -> Cluster {
        Cluster { sandbox: Arc::clone(sandbox), name: name.to_owned(), release, folder, port: 0, user, child: None }
    }

    /// Its port on 127.0.0.1, which is part of its socket's name too.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub fn socket_dir(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The folder of its data.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Whose programs it runs.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Gives a file or a folder to the user that runs the server.
    pub fn own(&self, path: &Path) {
        if let Some(user) = &self.user {
            user.own(path);
        }
    }

    /// Makes a role that may log in.
    pub fn role(&self, name: &str, password: &str, createdb: bool) -> Role {
        let option = if createdb { "createdb" } else { "nocreatedb" };
        self.psql(
            "postgres",
            &format!("create role {} login {option} password {}", identifier(name), literal(password)),
        );
        Role { name: name.to_owned(), password: password.to_owned() }
    }

    /// Makes an empty database that `owner` owns.
    pub fn create(&self, name: &str, owner: &Role) {
        let (name, owner) = (identifier(name), identifier(&owner.name));
        self.psql("postgres", &format!("create database {name} owner {owner} template template0"));
    }

    /// Runs SQL as the superuser, which must succeed, and returns its rows: values parted by `|`, without a heading.
    #[track_caller]
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("{error}in: {}", beginning(sql)))
    }

    /// Runs SQL as the superuser; the error is what psql said.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        self.session(database, None).run(sql)
    }

    /// Runs SQL as `role`, over TCP, which must succeed.
    #[track_caller]
    pub fn psql_as(&self, role: &Role, database: &str, sql: &str) -> String {
        self.try_psql_as(role, database, sql).unwrap_or_else(|error| panic!("{error}in: {}", beginning(sql)))
    }

    /// Runs SQL as `role`, over TCP; the error is what psql said.
    pub fn try_psql_as(&self, role: &Role, database: &str, sql: &str) -> Result<String, String> {
        self.session(database, Some(role)).run(sql)
    }

    /// How to reach `database`: as `role` over TCP, or as the superuser by the socket.
    pub(super) fn session(&self, database: &str, role: Option<&Role>) -> Session {
        let (host, user) = match role {
            Some(role) => ("127.0.0.1".to_owned(), role.name.clone()),
            None => (self.socket_dir().display().to_string(), "postgres".to_owned()),
        };
        let password = role.map(|role| role.password.clone());
        Session { release: self.release.clone(), host, port: self.port, user, password, database: database.to_owned() }
    }

    /// The databases that were made here, sorted.
    pub fn databases(&self) -> Vec<String> {
        let names = "select datname from pg_database where not datistemplate and datname <> 'postgres' order by 1";
        self.psql("postgres", names).lines().map(str::to_owned).collect()
    }

    /// What is said of a database itself: owner, encoding, locale, limit, comment, grants and settings.
    pub fn properties(&self, database: &str) -> String {
        self.psql("postgres", &PROPERTIES.replace("$1", &literal(database)))
    }

    /// Who is connected: database, user and program of each session but the one that asks.
    pub fn connections(&self) -> Vec<String> {
        let sessions = "select datname, usename, application_name from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid() order by 1, 2, 3";
        self.psql("postgres", sessions).lines().map(str::to_owned).collect()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// Has `lines` of `pg_hba.conf` decide first who gets in how.
    pub fn authenticate(&self, lines: &str) {
        let file = self.data_dir().join("pg_hba.conf");
        fs::write(file, format!("{lines}\n{AUTHENTICATION}")).expect("a file can be written");
        let errors = self.psql("postgres", "select line_number, error from pg_hba_file_rules where error is not null");
        assert_eq!(errors, "", "`pg_hba.conf` is wrong");
        self.reload();
    }

    fn reload(&self) {
        let reloading = "received SIGHUP, reloading configuration files";
        let before = self.log().matches(reloading).count();
        self.psql("postgres", "select pg_reload_conf()");
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.log().matches(reloading).count() == before {
            assert!(Instant::now() < deadline, "`{}` does not read its configuration", self.name);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it as an administrator does: sessions are cut, data is kept.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Accepts connections again, on the same port, after [`stop`](Cluster::stop).
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "`{}` still runs", self.name);
        assert!(self.comes_up(), "`{}` can't start again:\n{}", self.name, self.log());
    }

    /// Adds lines to its configuration, and starts it again.
    pub fn set(&mut self, lines: &str) {
        let file = self.data_dir().join("postgresql.conf");
        let text = fs::read_to_string(&file).expect("it has one");
        fs::write(file, format!("{text}\n{lines}\n")).expect("a file can be written");
        self.stop();
        self.restart();
    }

    pub(super) fn configure(&self) {
        let file = self.data_dir().join("postgresql.conf");
        let defaults = fs::read_to_string(&file).expect("initdb wrote it");
        let socket = self.socket_dir();
        let own = format!("{defaults}\n{SETTINGS}unix_socket_directories = '{}'\n", socket.display());
        fs::write(file, own).expect("a file can be written");
        fs::write(self.data_dir().join("pg_hba.conf"), AUTHENTICATION).expect("a file can be written");
    }

    /// Takes a free port. Somebody else may be faster, so it takes another one then.
    pub(super) fn listen(&mut self) {
        for _ in 0..10 {
            self.port = free_port();
            if self.comes_up() {
                self.sandbox.name(format!("port {}", self.port), "port PORT");
                self.sandbox.name(format!("127.0.0.1:{}", self.port), format!("postgres-{}", self.name));
                return;
            }
        }
        panic!("`{}` can't start:\n{}", self.name, self.log());
    }

    /// Starts it; false when it ended instead of accepting connections.
    fn comes_up(&mut self) -> bool {
        let ready = if self.data_dir().join("standby.signal").exists() {
            "database system is ready to accept read-only connections"
        } else {
            "database system is ready to accept connections"
        };
        let before = self.log().matches(ready).count();
        let mut child = self.spawn();
        let says_so = || self.log().matches(ready).count() > before;
        let is_up = process::comes_up(&mut child, Duration::from_secs(30), says_so);
        self.child = Some(child);
        is_up
    }

    fn spawn(&self) -> Child {
        let mut postgres = Command::new(self.release.program("postgres"));
        postgres.env_clear().env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir(&self.folder);
        postgres.arg("-D").arg(self.data_dir()).args(["-p", &self.port.to_string()]);
        if let Some(user) = &self.user {
            postgres = user.command(&postgres);
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a file can be made"));
        postgres.spawn().unwrap_or_else(|error| panic!("failed to start postgres: {error}"))
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        let _ = rustix::process::kill_process(Pid::from_child(&child), signal);
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Ok(None) = child.try_wait() {
            if Instant::now() > deadline {
                let _ = child.kill();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cluster {
    /// At once, but not by SIGKILL, after which its shared memory would stay.
    fn drop(&mut self) {
        self.end(Signal::QUIT);
    }
}

/// Nothing here has to survive the machine; all else is as on a server.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
shared_buffers = 32MB
max_connections = 60
jit = off
log_connections = on
log_line_prefix = '%m [%p] %u@%d %a '
log_timezone = 'UTC'
timezone = 'UTC'
";

const AUTHENTICATION: &str = "\
local all postgres trust
local replication postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
";

const PROPERTIES: &str = "
    select r.rolname, pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit, datallowconn,
        shobj_description(d.oid, 'pg_database'),
        (select string_agg(acl::text, ',' order by acl::text) from unnest(datacl) acl),
        (select string_agg(coalesce(o.rolname, 'all') || ':' || setconfig::text, ',' order by o.rolname)
            from pg_db_role_setting s left join pg_roles o on o.oid = setrole where setdatabase = d.oid)
    from pg_database d join pg_roles r on r.oid = datdba where datname = $1";

/// Enough of `sql` to know it by.
fn beginning(sql: &str) -> String {
    sql.chars().take(300).collect()
}
