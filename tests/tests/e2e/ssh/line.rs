//! A network with a long way: a TCP proxy that holds everything back for a while, and lets all of it flow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Listens on loopback and passes on to a port there, each byte `delay` late. Its threads end with the connections.
pub(crate) struct Line {
    port: u16,
    turns: Arc<Turns>,
}

/// How often the client said something that it may have been told to by the answer to what it had said before.
#[derive(Default)]
struct Turns {
    last: Mutex<Option<Instant>>,
    count: AtomicUsize,
}

impl Turns {
    /// The client spoke, on a line whose round trip takes `round_trip`.
    fn note(&self, round_trip: Duration) {
        let mut last = self.last.lock().unwrap();
        if last.is_none_or(|last| last.elapsed() >= round_trip) {
            *last = Some(Instant::now());
            self.count.fetch_add(1, SeqCst);
        }
    }
}

impl Line {
    pub(crate) fn to(target: u16, delay: Duration) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(Turns::default());
        let counted = Arc::clone(&turns);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
                let (to_server, from_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let turns = Arc::clone(&counted);
                carry(from_client, to_server, delay, move || turns.note(2 * delay));
                carry(server, client, delay, || ());
            }
        });
        Line { port, turns }
    }

    /// How many round trips the client has begun.
    pub(crate) fn turns(&self) -> usize {
        self.turns.count.load(SeqCst)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn carry(mut from: TcpStream, to: TcpStream, delay: Duration, note: impl Fn() + Send + 'static) {
    let _ = to.set_nodelay(true);
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || deliver(to, receiver));
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            note();
            if sender.send((Instant::now() + delay, buffer[..bytes].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn deliver(mut to: TcpStream, pieces: Receiver<(Instant, Vec<u8>)>) {
    for (due, piece) in pieces {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
