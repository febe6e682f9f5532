//! What doesn't depend on the machine or its load.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::Census;

use crate::cage::Cage;
use crate::fleet::Fleet;
use crate::link::Link;
use crate::measure;
use crate::tools::{Step, Tool};

/// What one run cost each server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: usize,
    pub(crate) commands: usize,
    /// Bytes from the controller to a server, as TCP's payload, on the average of the servers.
    pub(crate) sent: u64,
    /// Bytes from a server to the controller.
    pub(crate) received: u64,
    /// Packets both ways.
    pub(crate) packets: u64,
    /// Processes that the first server started.
    pub(crate) forks: usize,
    /// Programs that it started, by name.
    pub(crate) programs: BTreeMap<String, usize>,
    /// How many of them are git's.
    pub(crate) git: usize,
}

impl Counts {
    /// How many programs the first server started.
    pub(crate) fn programs(&self) -> usize {
        self.programs.values().sum()
    }
}

/// A link on which can be counted.
pub(crate) fn link(cage: &Cage) -> Result<Link<'_>, String> {
    Link::delayed(cage, Duration::ZERO)
}

/// One run, counted.
pub(crate) fn count(cage: &Cage, link: &Link, fleet: &Fleet, tool: Tool, step: Step) -> Result<Counts, String> {
    let first = fleet.project.servers.first().expect("a fleet has servers");
    let logged = || (first.sshd.connections(), first.sshd.execs());
    let (before, passed) = (logged(), link.tally());
    let census = Census::of(&fleet.project.sandbox, &first.sshd);
    measure::deploy(cage, fleet, tool, step)?;
    let started = census.finish();
    let (after, passed) = (logged(), link.tally() - passed);
    let servers = u64::try_from(fleet.project.servers.len()).expect("not that many");
    Ok(Counts {
        connections: after.0 - before.0,
        commands: after.1 - before.1,
        sent: passed.sent / servers,
        received: passed.received / servers,
        packets: passed.packets / servers,
        forks: started.forks,
        git: started.git(),
        programs: started.programs,
    })
}
