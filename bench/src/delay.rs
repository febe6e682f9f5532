//! Two network devices between which each packet takes its time.
//!
//! A proxy would end TCP's connections and hide what they do; here the kernel's TCP talks from end to end, and its windows
//! and its handshake cost the round trips that they cost on a real line.

use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tun_tap::{Iface, Mode};

/// What has passed, as TCP's payload: without headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many connections the controller opened.
    pub(crate) connections: u64,
    /// Bytes from the controller to the servers.
    pub(crate) sent: u64,
    /// Bytes from the servers to the controller.
    pub(crate) received: u64,
    /// Packets both ways.
    pub(crate) packets: u64,
}

impl Sub for Tally {
    type Output = Tally;

    fn sub(self, before: Tally) -> Tally {
        Tally {
            connections: self.connections - before.connections,
            sent: self.sent - before.sent,
            received: self.received - before.received,
            packets: self.packets - before.packets,
        }
    }
}

/// The way between the two devices. Its threads end when the devices are deleted.
pub(crate) struct Delay {
    counters: Arc<[Counter; 2]>,
}

/// What passes in one direction.
#[derive(Debug, Default)]
struct Counter {
    openings: AtomicU64,
    bytes: AtomicU64,
    packets: AtomicU64,
}

impl Delay {
    /// Makes the device `controller`, the device `servers`, and a way between them that takes so long.
    pub(crate) fn between(controller: &str, servers: &str, one_way: Duration) -> Result<Delay, String> {
        let device = |name: &str| {
            let made = Iface::without_packet_info(name, Mode::Tun);
            made.map(Arc::new).map_err(|error| format!("failed to make the network device `{name}`: {error}"))
        };
        let [near, far] = [device(controller)?, device(servers)?];
        let counters: Arc<[Counter; 2]> = Arc::default();
        for (direction, from, to) in [(0, &near, &far), (1, &far, &near)] {
            let (from, to, counters) = (Arc::clone(from), Arc::clone(to), Arc::clone(&counters));
            let (sender, receiver) = channel();
            thread::spawn(move || fetch(&from, &counters[direction], one_way, &sender));
            thread::spawn(move || deliver(&to, &receiver));
        }
        Ok(Delay { counters })
    }

    /// What has passed so far.
    pub(crate) fn tally(&self) -> Tally {
        let [out, back] = &*self.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Tally {
            connections: read(&out.openings),
            sent: read(&out.bytes),
            received: read(&back.bytes),
            packets: read(&out.packets) + read(&back.packets),
        }
    }
}

/// A packet, and when it arrives.
type OnItsWay = (Instant, Vec<u8>);

/// Takes packets from a device until it is gone.
fn fetch(device: &Iface, counter: &Counter, one_way: Duration, onward: &Sender<OnItsWay>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = device.recv(&mut buffer) {
        let packet = &buffer[..length];
        counter.add(packet);
        if onward.send((Instant::now() + one_way, packet.to_vec())).is_err() {
            return;
        }
    }
}

/// Hands packets to a device when their time has come. One that it doesn't take is lost, as on any line.
fn deliver(device: &Iface, arriving: &Receiver<OnItsWay>) {
    while let Ok((due, packet)) = arriving.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let _ = device.send(&packet);
    }
}

impl Counter {
    fn add(&self, packet: &[u8]) {
        let Some((payload, flags)) = tcp(packet) else { return };
        const SYN: u8 = 2;
        const ACK: u8 = 16;
        self.bytes.fetch_add(payload, Ordering::SeqCst);
        self.packets.fetch_add(1, Ordering::SeqCst);
        if flags & (SYN | ACK) == SYN {
            self.openings.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// How many bytes of payload a packet of TCP over IPv4 has, and its flags.
fn tcp(packet: &[u8]) -> Option<(u64, u8)> {
    const TCP: u8 = 6;
    if packet.first()? >> 4 != 4 || *packet.get(9)? != TCP {
        return None;
    }
    let header = usize::from(packet[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let segment = packet.get(header..total)?;
    let payload = segment.len().checked_sub(usize::from(segment.get(12)? >> 4) * 4)?;
    Some((u64::try_from(payload).ok()?, *segment.get(13)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with this much payload and these flags.
    fn packet(payload: usize, flags: u8) -> Vec<u8> {
        let mut packet = vec![0; 40 + payload];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&u16::try_from(40 + payload).unwrap().to_be_bytes());
        packet[9] = 6;
        packet[32] = 5 << 4;
        packet[33] = flags;
        packet
    }

    #[test]
    fn payload_is_counted_without_headers() {
        assert_eq!(tcp(&packet(0, 2)), Some((0, 2)));
        assert_eq!(tcp(&packet(1000, 16)), Some((1000, 16)));
    }

    #[test]
    fn other_packets_are_not_counted() {
        assert_eq!(tcp(&[]), None);
        assert_eq!(tcp(&packet(9, 16)[..30]), None);
        let mut udp = packet(9, 16);
        udp[9] = 17;
        assert_eq!(tcp(&udp), None);
    }

    #[test]
    fn only_the_first_packet_of_a_connection_opens_it() {
        let counter = Counter::default();
        for flags in [2, 2 | 16, 16, 24] {
            counter.add(&packet(1, flags));
        }
        assert_eq!(counter.openings.load(Ordering::SeqCst), 1);
        assert_eq!(counter.packets.load(Ordering::SeqCst), 4);
    }
}
