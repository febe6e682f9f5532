//! A network that misbehaves.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A TCP proxy on loopback that can slow the traffic down, swallow it, or cut it.
///
/// Its threads end with the connections, which end when the proxy is dropped.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    delay_ms: AtomicU64,
    black_hole: AtomicBool,
    closed: AtomicBool,
    accepted: AtomicUsize,
    /// Cut when this many bytes have passed to the server; 0: never.
    cut_after: AtomicUsize,
    passed: AtomicUsize,
    /// Cut a connection on which nothing passed for so long; 0: never.
    silence_ms: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy to a port on 127.0.0.1 that passes everything on.
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || shared.accept(&listener, target));
        Proxy { port, state }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it accepted.
    pub fn connections(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Keeps each piece of data back for so long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    /// Swallows everything from now on: connections stay open, and nothing passes.
    pub fn black_hole(&self) {
        self.state.black_hole.store(true, Ordering::SeqCst);
    }

    /// Cuts all connections when `bytes` more have passed towards the server.
    pub fn cut_after(&self, bytes: usize) {
        self.state.cut_after.store(self.state.passed.load(Ordering::SeqCst) + bytes, Ordering::SeqCst);
    }

    /// Cuts each connection, of those to come, on which nothing passes for so long.
    pub fn cut_silent(&self, silence: Duration) {
        self.state.silence_ms.store(silence.as_millis() as u64, Ordering::SeqCst);
    }

    /// How many bytes have passed towards the server.
    pub fn passed(&self) -> usize {
        self.state.passed.load(Ordering::SeqCst)
    }

    /// Cuts all connections now. New ones are accepted.
    pub fn cut(&self) {
        self.state.cut();
    }
}

impl State {
    fn accept(self: &Arc<State>, listener: &TcpListener, target: u16) {
        for client in listener.incoming().flatten() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
            self.join(client, server);
        }
    }

    fn join(self: &Arc<State>, client: TcpStream, server: TcpStream) {
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
            let clone = stream.try_clone().expect("a socket can be cloned");
            self.streams.lock().expect("unpoisoned").push(clone);
        }
        let heard = Arc::new(Mutex::new(Instant::now()));
        let silence = Duration::from_millis(self.silence_ms.load(Ordering::SeqCst));
        if !silence.is_zero() {
            let ends = [&client, &server].map(|stream| stream.try_clone().expect("a socket can be cloned"));
            let heard = Arc::clone(&heard);
            thread::spawn(move || cut_when_silent(&ends, silence, &heard));
        }
        let pairs = [(client.try_clone(), server.try_clone(), true), (Ok(server), Ok(client), false)];
        for (from, to, inward) in pairs {
            let (from, to) = (from.expect("a socket can be cloned"), to.expect("a socket can be cloned"));
            let (shared, heard) = (Arc::clone(self), Arc::clone(&heard));
            thread::spawn(move || shared.pump(from, to, inward, &heard));
        }
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, inward: bool, heard: &Mutex<Instant>) {
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            *heard.lock().expect("unpoisoned") = Instant::now();
            thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst)));
            if self.black_hole.load(Ordering::SeqCst) {
                continue;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
            if inward {
                self.count(count);
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn count(&self, bytes: usize) {
        let passed = self.passed.fetch_add(bytes, Ordering::SeqCst) + bytes;
        let limit = self.cut_after.load(Ordering::SeqCst);
        if limit > 0 && passed >= limit {
            self.cut_after.store(0, Ordering::SeqCst);
            self.cut();
        }
    }

    fn cut(&self) {
        for stream in self.streams.lock().expect("unpoisoned").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Cuts a connection once nothing was heard of it for so long.
fn cut_when_silent(ends: &[TcpStream; 2], silence: Duration, heard: &Mutex<Instant>) {
    while heard.lock().expect("unpoisoned").elapsed() < silence {
        thread::sleep(Duration::from_millis(200));
    }
    for end in ends {
        let _ = end.shutdown(Shutdown::Both);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        self.state.cut();
        // Wakes the listener up, so that it sees that it is closed.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
