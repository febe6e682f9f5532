//! The line between the controller's network and the servers'.

use std::process::Command;
use std::time::Duration;

use crate::cage::{Cage, run};
use crate::delay::{Delay, Tally};

/// The address of the server with this number, counted from 0.
pub(crate) fn address(server: usize) -> String {
    format!("10.213.{}.{}", 128 + server / 200, 1 + server % 200)
}

/// All servers' addresses, which this machine has whatever links there are.
const SERVERS: &str = "10.213.128.0/17";

/// The device at the servers' end, and that at the controller's.
const DEVICES: [&str; 2] = ["bench-servers", "bench-ctl"];

/// Makes the servers' addresses, once.
pub(crate) fn make_addresses() -> Result<(), String> {
    ip(&["route", "replace", "local", SERVERS, "dev", "lo"])
}

/// A link that is there until it is dropped.
pub(crate) struct Link<'a> {
    cage: &'a Cage,
    delay: Option<Delay>,
}

impl<'a> Link<'a> {
    /// A link of the kernel's alone, as fast as it can be.
    pub(crate) fn direct(cage: &'a Cage) -> Result<Link<'a>, String> {
        let [servers, controller] = DEVICES;
        let process = cage.process();
        ip(&["link", "add", servers, "type", "veth", "peer", "name", controller, "netns", &process])?;
        Link { cage, delay: None }.connect()
    }

    /// A link that each packet takes half of `rtt` to pass, and which counts what passes. Its bandwidth has no limit.
    pub(crate) fn delayed(cage: &'a Cage, rtt: Duration) -> Result<Link<'a>, String> {
        let [servers, controller] = DEVICES;
        let delay = Delay::between(controller, servers, rtt / 2)?;
        ip(&["link", "set", controller, "netns", &cage.process()])?;
        let link = Link { cage, delay: Some(delay) };
        // The kernel drops what this program doesn't fetch in time.
        ip(&["link", "set", servers, "txqueuelen", "20000"])?;
        link.ip_at_controller(&["link", "set", controller, "txqueuelen", "20000"])?;
        link.connect()
    }

    /// The kind of link that is usual for a round-trip time: direct without one.
    pub(crate) fn of(cage: &'a Cage, rtt: u64) -> Result<Link<'a>, String> {
        if rtt == 0 { Link::direct(cage) } else { Link::delayed(cage, Duration::from_millis(rtt)) }
    }

    fn connect(self) -> Result<Link<'a>, String> {
        let [servers, controller] = DEVICES;
        ip(&["address", "add", "10.213.0.2/30", "dev", servers])?;
        ip(&["link", "set", servers, "up"])?;
        let lines: [&[&str]; 3] = [
            &["address", "add", "10.213.0.1/30", "dev", controller],
            &["link", "set", controller, "up"],
            &["route", "add", SERVERS, "via", "10.213.0.2"],
        ];
        for line in lines {
            self.ip_at_controller(line)?;
        }
        Ok(self)
    }

    fn ip_at_controller(&self, arguments: &[&str]) -> Result<(), String> {
        run(&mut self.cage.at_controller(Command::new("ip").args(arguments)))
    }

    /// What has passed so far; nothing is known of a direct link.
    pub(crate) fn tally(&self) -> Tally {
        self.delay.as_ref().map(Delay::tally).unwrap_or_default()
    }
}

impl Drop for Link<'_> {
    /// Removing one end of a direct link removes the other one too; the two devices of a delay are each on their own.
    fn drop(&mut self) {
        let _ = ip(&["link", "delete", DEVICES[0]]);
        let _ = self.ip_at_controller(&["link", "delete", DEVICES[1]]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("ip").args(arguments))
}
