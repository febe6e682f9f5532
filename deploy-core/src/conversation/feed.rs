//! The standard input of a conversation, and what is sent through it that is large.

use std::fs::File;
use std::io::Read;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use super::Stop;
use crate::task::Payload;
use crate::transport::{Nobody, Stdin};

/// How much of a payload is read and sent at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// How large the first frame of a payload is, in bytes. Each is a sign of life: on a slow line they stay small.
const FIRST_FRAME: u64 = 256 * 1024;

/// How large the largest is.
const LARGEST_FRAME: u64 = 8 * 1024 * 1024;

/// How long a frame should take, in seconds.
const FRAME_SECONDS: f64 = 4.0;

type BoxedStdin = Box<dyn Stdin>;

/// The standard input: ours to write to, or lent to a thread that feeds.
pub(super) struct Input<'s> {
    stdin: Option<BoxedStdin>,
    feeder: Option<ScopedJoinHandle<'s, BoxedStdin>>,
}

impl<'s> Input<'s> {
    pub(super) fn new(stdin: BoxedStdin) -> Input<'s> {
        Input { stdin: Some(stdin), feeder: None }
    }

    /// Whether nobody else writes to it now.
    pub(super) fn is_ours(&self) -> bool {
        self.feeder.as_ref().is_none_or(ScopedJoinHandle::is_finished)
    }

    /// Lends it to `work`, in a thread of its own.
    pub(super) fn lend<'e>(&mut self, scope: &'s Scope<'s, 'e>, work: impl FnOnce(&mut dyn Stdin) + Send + 's) {
        let mut stdin = self.take();
        self.feeder = Some(scope.spawn(move || {
            work(&mut *stdin);
            stdin
        }));
    }

    /// Sends `bytes`, once what is being fed is sent.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.take();
        stdin.send(bytes);
        self.stdin = Some(stdin);
    }

    /// Waits until everything is handed over, and gives the input away.
    pub(super) fn settle(mut self) -> BoxedStdin {
        self.take()
    }

    fn take(&mut self) -> BoxedStdin {
        let fed = self.feeder.take().and_then(|feeder| feeder.join().ok());
        fed.or_else(|| self.stdin.take()).unwrap_or_else(|| Box::new(Nobody))
    }
}

/// Sends a payload, frame by frame. Where it can't be read, or nobody wants it any more, the input's end makes the program
/// end.
pub(super) fn feed(stdin: &mut dyn Stdin, payload: &Payload, stop: &Stop) {
    let Ok(mut file) = File::open(&payload.file) else { return stdin.close() };
    let (mut left, mut frame) = (payload.bytes, FIRST_FRAME);
    loop {
        let size = frame.min(left);
        let is_last = size == left;
        let header = format!("D {size} {}\n", if is_last { "last" } else { "more" });
        let started = Instant::now();
        if !stdin.send(header.into_bytes()) || !send(stdin, &mut file, size) {
            return stdin.close();
        }
        left -= size;
        if is_last || stop.requested().is_some() {
            return;
        }
        let rate = size as f64 / started.elapsed().as_secs_f64().max(0.001);
        frame = ((rate * FRAME_SECONDS) as u64).clamp(FIRST_FRAME, frame * 2).min(LARGEST_FRAME);
    }
}

/// Sends the next `bytes` of `file`. False where they can't be read or sent.
fn send(stdin: &mut dyn Stdin, file: &mut File, bytes: u64) -> bool {
    let mut left = bytes;
    while left > 0 {
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        if file.read_exact(&mut piece).is_err() {
            return false;
        }
        left -= piece.len() as u64;
        if !stdin.send(piece) {
            return false;
        }
    }
    true
}

/// Sends all that `source` yields, as it is. Where it fails, the program finds its input too short.
pub(super) fn pour(stdin: &mut dyn Stdin, source: &mut dyn Read, stop: &Stop) {
    while stop.requested().is_none() {
        let mut piece = vec![0; PIECE];
        match source.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                piece.truncate(n);
                if !stdin.send(piece) {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    stdin.close();
}
