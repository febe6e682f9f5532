//! A network with a long way: a TCP proxy that holds everything back for a while, and lets all of it flow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Listens on loopback and passes on to a port there, each byte `delay` late. Its threads end with the connections.
pub(crate) struct Line {
    port: u16,
    turns: Arc<Turns>,
}

/// How often the client said something after the server did.
#[derive(Default)]
struct Turns {
    server_spoke: AtomicBool,
    count: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

impl Turns {
    fn note(&self, from: From) {
        let server_spoke = self.server_spoke.swap(from == From::Server, SeqCst);
        if from == From::Client && server_spoke {
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
                carry(from_client, to_server, delay, From::Client, Arc::clone(&counted));
                carry(server, client, delay, From::Server, Arc::clone(&counted));
            }
        });
        Line { port, turns }
    }

    /// How often the client waited for the server before it said more. On a line that is long enough, those are round trips.
    pub(crate) fn turns(&self) -> usize {
        self.turns.count.load(SeqCst)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn carry(mut from: TcpStream, to: TcpStream, delay: Duration, side: From, turns: Arc<Turns>) {
    let _ = to.set_nodelay(true);
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || deliver(to, receiver));
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
            turns.note(side);
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
