//! A network with a long way: a TCP proxy that holds everything back for a while, and lets all of it flow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Listens on loopback and passes on to a port there, each byte `delay` late. Its threads end with the connections.
pub(crate) struct Line {
    port: u16,
}

impl Line {
    pub(crate) fn to(target: u16, delay: Duration) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
                carry(client.try_clone().unwrap(), server.try_clone().unwrap(), delay);
                carry(server, client, delay);
            }
        });
        Line { port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn carry(mut from: TcpStream, to: TcpStream, delay: Duration) {
    let _ = to.set_nodelay(true);
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || deliver(to, receiver));
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut buffer) {
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
