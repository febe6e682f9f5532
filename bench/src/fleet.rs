//! The servers of a measurement.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use e2e::{Project, Site};
use rustix::process::{Pid, WaitOptions};

use crate::link;
use crate::repositories;
use crate::tools::Tool;

/// A project, and as many servers as wanted, each an sshd at an address of its own. Each tool deploys to folders of its own.
pub(crate) struct Fleet {
    pub(crate) project: Project,
    /// The text of the page in the newest commit.
    pub(crate) page: String,
    commits: usize,
}

/// So that all tools use the same key exchange, or net-ssh the nearest to it that it has.
const KEY_EXCHANGE: &str = "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256";

/// What an ordinary application has in common between its releases.
pub(crate) const LINKED_DIRS: [&str; 4] = ["log", "tmp/pids", "tmp/cache", "public/system"];
pub(crate) const LINKED_FILES: [&str; 2] = ["config/database.yml", "config/master.key"];
/// So few, so that every deploy but the first has one to remove.
pub(crate) const KEEP_RELEASES: usize = 2;

impl Fleet {
    /// Starts the servers.
    pub(crate) fn start(servers: usize, repository: &str, xtask: &Path) -> Result<Fleet, String> {
        let mut project = Project::over_ssh(&[]);
        project.tool(xtask);
        repositories::fill(&project, repository)?;
        project.top(&format!("linked_dirs = {LINKED_DIRS:?}\nlinked_files = {LINKED_FILES:?}"));
        project.top(&format!("keep_releases = {KEEP_RELEASES}"));
        for number in 0..servers {
            let name = format!("app{:03}", number + 1);
            project.add_server_at(&link::address(number), &name, "app web db", &[KEY_EXCHANGE]);
            let server = project.server_mut(&name);
            let folder = server.sshd.home().join(Tool::Xtask.name());
            server.deploy_to(folder);
        }
        let mut fleet = Fleet { project, page: String::new(), commits: 0 };
        fleet.commit();
        Ok(fleet)
    }

    /// Adds a commit to the repository.
    pub(crate) fn commit(&mut self) {
        self.commits += 1;
        self.page = repositories::commit(&self.project, self.commits);
    }

    /// Where a tool deploys to on each server.
    pub(crate) fn sites(&self, tool: Tool) -> impl Iterator<Item = Site> {
        self.project.servers.iter().map(move |server| Site::new(server.sshd.home().join(tool.name())))
    }

    /// Makes the servers new for a tool: only the linked files are there.
    pub(crate) fn wipe(&self, tool: Tool) -> Result<(), String> {
        for site in self.sites(tool) {
            if site.path().exists() {
                fs::remove_dir_all(site.path()).map_err(|error| format!("`{}`: {error}", site.path().display()))?;
            }
            for file in LINKED_FILES {
                site.write(&format!("shared/{file}"), "");
            }
        }
        Ok(())
    }

    /// The CPU time that the servers have taken, with all that they started and that has ended.
    pub(crate) fn cpu(&self) -> Duration {
        let listeners = self.project.servers.iter().filter_map(|server| server.sshd.pid());
        listeners.filter_map(|pid| Stat::of(&pid.to_string())).map(|stat| stat.cpu).sum()
    }

    /// Waits until no session is left, and returns the CPU time of processes whose sessions didn't wait for them.
    pub(crate) fn settle(&self) -> Result<Duration, String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut orphans = Duration::ZERO;
        while self.sessions() > 0 {
            orphans += reap();
            if Instant::now() > deadline {
                return Err("sessions still run on servers a minute after the run".to_owned());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(orphans + reap())
    }

    /// How many processes descend from the servers' listeners.
    fn sessions(&self) -> usize {
        let listeners: Vec<u32> = self.project.servers.iter().filter_map(|server| server.sshd.pid()).collect();
        processes().filter(|stat| listeners.contains(&stat.parent)).count()
    }
}

/// Collects processes that ended as orphans, which the cage's first process inherits, and returns their CPU time.
fn reap() -> Duration {
    let own = std::process::id();
    let orphans: Vec<Stat> = processes().filter(|stat| stat.parent == own && stat.is_over).collect();
    let mut cpu = Duration::ZERO;
    for orphan in orphans {
        cpu += orphan.cpu;
        let _ = rustix::process::waitpid(Pid::from_raw(orphan.pid.cast_signed()), WaitOptions::NOHANG);
    }
    cpu
}

fn processes() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").expect("/proc can be read").flatten();
    entries.filter_map(|entry| Stat::of(entry.file_name().to_str()?))
}

/// What the kernel tells of a process.
struct Stat {
    pid: u32,
    parent: u32,
    is_over: bool,
    /// Its own, and that of those that it waited for.
    cpu: Duration,
}

impl Stat {
    fn of(process: &str) -> Option<Stat> {
        let pid = process.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in parentheses, may contain anything.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks: u64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        let cpu = Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        Some(Stat { pid, parent: fields.get(1)?.parse().ok()?, is_over: fields.first() == Some(&"Z"), cpu })
    }
}
