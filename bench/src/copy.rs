//! `bench copy`: another stage's database, brought here.

use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::postgres::{Cluster, Role};
use e2e::{Project, Server};

use crate::arguments::{Arguments, Point};
use crate::cage::Cage;
use crate::counts::Counts;
use crate::link::{self, Link};
use crate::measure::{self, Sample};
use crate::report::{Key, Report};
use crate::tools::ssh;

/// Measures `db restore-from-prod` against the fastest chain of plain programs.
pub(crate) fn measure(arguments: &Arguments, cage: &Cage, xtask: &Path) -> Result<Report, String> {
    let mut report = Report::new(arguments);
    link::make_addresses()?;
    eprintln!("==> making a database of {} million rows", arguments.rows);
    let scene = Scene::new(xtask, arguments.rows * 1_000_000);
    report.made_with("postgresql", scene.local.release().version().to_owned());
    for point in &arguments.points {
        eprintln!("==> copying at {} ms", point.rtt);
        let link = Link::of(cage, point.rtt)?;
        for round in 0..arguments.rounds {
            let mut ways = Way::ALL;
            let turn = round % ways.len();
            ways.rotate_left(turn);
            for way in ways {
                let is_last = round + 1 == arguments.rounds;
                scene.measure(way, cage, &link, *point, is_last, &mut report)?;
            }
        }
    }
    Ok(report)
}

/// What reports call it.
pub(crate) const WHAT: &str = "copy a database";

/// How the database is copied.
#[derive(Clone, Copy)]
enum Way {
    Xtask,
    Chain,
}

impl Way {
    const ALL: [Way; 2] = [Way::Xtask, Way::Chain];

    fn name(self) -> &'static str {
        match self {
            Way::Xtask => "db restore-from-prod",
            Way::Chain => "ssh, pg_dump, zstd, pg_restore",
        }
    }
}

/// A database on a server, and that of a local stage at the controller. Sockets reach from one network to the other, as all is one
/// machine.
struct Scene {
    project: Project,
    production: Cluster,
    local: Cluster,
    role: Role,
    rows: usize,
}

impl Scene {
    fn new(xtask: &Path, rows: usize) -> Scene {
        let mut project = Project::local();
        project.tool(xtask);
        project.add_server_at(&link::address(0), "production1", "app db", &[]);
        project.server_mut("production1").stage = "production".to_owned();
        project.other_stage("production", "");
        let production = Cluster::start(&project.sandbox, "production");
        let local = Cluster::start(&project.sandbox, "local");
        for (stage, cluster) in [("production", &production), ("staging", &local)] {
            let role = cluster.role("shop", PASSWORD, true);
            cluster.create("shop", &role);
            let place = format!("host = {:?}\nport = {}\nname = \"shop\"", cluster.socket_dir(), cluster.port());
            project.database(stage, &format!("{place}\nuser = \"shop\"\npassword = {PASSWORD:?}"));
        }
        let role = Role { name: "shop".to_owned(), password: PASSWORD.to_owned() };
        production.psql_as(&role, "shop", &format!("\\set rows {rows}\n{DATA}"));
        Scene { project, production, local, role, rows }
    }

    fn measure(
        &self,
        way: Way,
        cage: &Cage,
        link: &Link,
        point: Point,
        is_last: bool,
        report: &mut Report,
    ) -> Result<(), String> {
        let sshd = &self.project.servers[0].sshd;
        let (before, connections, commands) = (link.tally(), sshd.connections(), sshd.execs());
        let sample = self.copy(way, cage);
        let done = sample.as_ref().map(|sample| format!("{:.2} s", sample.wall.as_secs_f64()));
        eprintln!("    {}: {}", way.name(), done.unwrap_or_else(|error| format!("failed: {error}")));
        let key = || Key { what: WHAT.to_owned(), point: Some(point), tool: way.name() };
        report.add(key(), &sample);
        // Only a link with delay tells what has passed.
        if is_last && point.rtt > 0 {
            let passed = link.tally() - before;
            report.count(
                key(),
                Counts {
                    connections: sshd.connections() - connections,
                    commands: sshd.execs() - commands,
                    sent: passed.sent,
                    received: passed.received,
                    packets: passed.packets,
                    ..Counts::default()
                },
            );
        }
        Ok(())
    }

    fn copy(&self, way: Way, cage: &Cage) -> Result<Sample, String> {
        let (command, database) = match way {
            Way::Xtask => (self.project.command(&["db", "restore-from-prod", "--stage", "staging", "--yes"]), "shop"),
            Way::Chain => (self.chain()?, CHAINS_DATABASE),
        };
        let log = self.project.sandbox.join("output");
        let sample = measure::run(cage.at_controller(&command), &log)?;
        let rows = self.local.psql(database, "select count(*) from accounts");
        if rows == self.rows.to_string() { Ok(sample) } else { Err(format!("it copied {rows} rows")) }
    }

    /// What somebody would type who knows all the programs: nothing is checked, and a dump is kept.
    fn chain(&self) -> Result<Command, String> {
        self.project.write_config();
        self.local.psql("postgres", &format!("drop database if exists {CHAINS_DATABASE}"));
        self.local.create(CHAINS_DATABASE, &self.role);
        let server: &Server = &self.project.servers[0];
        let login = |cluster: &Cluster| {
            format!("PGPASSWORD={PASSWORD} PGHOST={:?} PGPORT={} PGUSER=shop", cluster.socket_dir(), cluster.port())
        };
        let bin = self.local.release().bin().display();
        let remote = format!("{} {bin}/pg_dump -Fc -Z0 shop | zstd -q -1", login(&self.production));
        let dump = self.project.sandbox.join("chain.dump");
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let script = format!(
            "set -eu\n{} {} | zstd -q -d >{dump:?}\n\
             {} {bin}/pg_restore -j{jobs} --no-owner -d {CHAINS_DATABASE} {dump:?}\n",
            ssh::client(&self.project, server).join(" "),
            ssh::quote(&remote),
            login(&self.local),
        );
        let file = self.project.sandbox.join("chain.sh");
        fs::write(&file, script).map_err(|error| error.to_string())?;
        let mut sh = self.project.sandbox.command("sh");
        sh.arg(file);
        Ok(sh)
    }
}

const PASSWORD: &str = "bench";

/// The chain restores beside the tool's database.
const CHAINS_DATABASE: &str = "chain";

/// Accounts as pgbench has them, and texts with an index that takes its time.
const DATA: &str = "
create table accounts (id int primary key, branch int not null, balance int not null, token text not null,
    filler char(84) not null default '');
insert into accounts select n, n % 30, n % 1000, md5(n::text) from generate_series(1, :rows) n;
create index on accounts (branch, balance);
create table documents (id int primary key, body text not null);
insert into documents select n, (select string_agg(md5((n * 7 + word)::text), ' ') from generate_series(1, 8) word)
    from generate_series(1, :rows / 30) n;
create index on documents using gin (to_tsvector('simple', body));
analyze;
";
