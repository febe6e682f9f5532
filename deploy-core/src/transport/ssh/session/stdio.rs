//! The ends of a command's streams that callers and the owner thread share: queues with an upper bound, so that
//! neither a slow reader nor a slow server makes memory grow.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::waker::Waker;
use crate::transport::process::{Output, Process, Stdin};

/// How many bytes of standard input may wait to be sent before the caller has to wait.
const INPUT_LIMIT: usize = 2 << 20;

/// How many pieces of output may wait to be taken before reading pauses. A piece has at most 64 KiB.
const OUTPUT_LIMIT: usize = 64;

/// What a caller holds and what the owner thread holds of one command.
pub(crate) fn process(waker: &Arc<Waker>) -> (Process, Arc<Input>, Sink) {
    let (sender, receiver) = channel();
    let input = Arc::new(Input::default());
    let credit = Arc::new(Credit::default());
    let process = caller_end(waker, &input, &credit, receiver);
    (process, input, Sink { sender, credit })
}

fn caller_end(waker: &Arc<Waker>, input: &Arc<Input>, credit: &Arc<Credit>, output: Receiver<Output>) -> Process {
    let stdin = Pipe { input: Arc::clone(input), waker: Arc::clone(waker) };
    let taker = Taker { input: Arc::clone(input), credit: Arc::clone(credit), waker: Arc::clone(waker) };
    Process::new(Box::new(stdin), output, Some(Box::new(move || taker.took_one())))
}

/// Lives in the caller's process: tells what was taken, and at its end that nobody listens any more.
struct Taker {
    input: Arc<Input>,
    credit: Arc<Credit>,
    waker: Arc<Waker>,
}

impl Taker {
    fn took_one(&self) {
        if self.credit.give_back() {
            self.waker.wake();
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.credit.forgotten.store(true, Ordering::SeqCst);
        self.input.forget();
        self.waker.wake();
    }
}

/// The caller's end of standard input. Dropping it closes it.
struct Pipe {
    input: Arc<Input>,
    waker: Arc<Waker>,
}

impl Stdin for Pipe {
    fn send(&mut self, data: Vec<u8>) -> bool {
        let accepted = self.input.push(data);
        self.waker.wake();
        accepted
    }

    fn close(&mut self) {
        self.input.state().closed = true;
        self.waker.wake();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.close();
    }
}

/// Standard input on its way.
#[derive(Default)]
pub(crate) struct Input {
    state: Mutex<InputState>,
    room: Condvar,
}

#[derive(Default)]
struct InputState {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    closed: bool,
    refused: bool,
    /// The process was dropped: what was handed over is still sent, and nothing more is taken.
    forgotten: bool,
}

/// What there is to send.
pub(crate) enum Next {
    /// These bytes.
    Chunk(Vec<u8>),
    /// The end.
    End,
    /// Nothing yet.
    Nothing,
}

impl Input {
    /// Takes what is to be sent next.
    pub(crate) fn next(&self) -> Next {
        let mut state = self.state();
        match state.chunks.pop_front() {
            Some(chunk) => {
                state.bytes -= chunk.len();
                self.room.notify_all();
                Next::Chunk(chunk)
            }
            None if state.closed => Next::End,
            None => Next::Nothing,
        }
    }

    /// Says that nobody will read any more; callers that wait are let go.
    pub(crate) fn refuse(&self) {
        let mut state = self.state();
        state.refused = true;
        state.chunks.clear();
        state.bytes = 0;
        self.room.notify_all();
    }

    /// Lets callers go that wait for room in the input of a process that nobody has any more.
    fn forget(&self) {
        self.state().forgotten = true;
        self.room.notify_all();
    }

    fn push(&self, data: Vec<u8>) -> bool {
        let mut state = self.state();
        while state.bytes >= INPUT_LIMIT && !state.refused && !state.forgotten {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let accepted = !state.refused && !state.closed && !state.forgotten;
        if accepted && !data.is_empty() {
            state.bytes += data.len();
            state.chunks.push_back(data);
        }
        accepted
    }

    fn state(&self) -> MutexGuard<'_, InputState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owner thread's end of a command's output.
pub(crate) struct Sink {
    sender: Sender<Output>,
    credit: Arc<Credit>,
}

impl Sink {
    /// Hands `output` over. It is never refused, so that an end always arrives; ask [`Sink::has_room`] before reading.
    pub(crate) fn push(&self, output: Output) {
        self.credit.take();
        // The caller may be gone; then what it doesn't want ends here.
        let _ = self.sender.send(output);
    }

    /// Whether the caller keeps up. If not, the owner thread is woken when it has caught up.
    pub(crate) fn has_room(&self) -> bool {
        self.is_forgotten() || self.credit.has_room()
    }

    /// Whether the caller dropped its process.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.credit.forgotten.load(Ordering::SeqCst)
    }
}

/// Counts the pieces of output that were handed over and not taken yet.
#[derive(Default)]
struct Credit {
    waiting: AtomicUsize,
    paused: AtomicBool,
    forgotten: AtomicBool,
}

impl Credit {
    fn take(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
    }

    /// One piece was taken. Returns whether the owner thread waits for this news.
    fn give_back(&self) -> bool {
        let left = self.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
        left <= OUTPUT_LIMIT / 2 && self.paused.swap(false, Ordering::SeqCst)
    }

    fn has_room(&self) -> bool {
        if self.waiting.load(Ordering::SeqCst) < OUTPUT_LIMIT {
            return true;
        }
        self.paused.store(true, Ordering::SeqCst);
        // The caller may have taken everything before it could see `paused`.
        self.waiting.load(Ordering::SeqCst) <= OUTPUT_LIMIT / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn input_comes_out_in_order_and_then_ends() {
        let (mut process, input, _sink) = process(&Arc::new(Waker::new().unwrap()));
        assert!(process.stdin.send(b"one".to_vec()));
        assert!(process.stdin.send(b"two".to_vec()));
        process.stdin.close();
        assert!(matches!(input.next(), Next::Chunk(data) if data == b"one"));
        assert!(matches!(input.next(), Next::Chunk(data) if data == b"two"));
        assert!(matches!(input.next(), Next::End));
        assert!(!process.stdin.send(b"three".to_vec()), "a closed input takes nothing");
    }

    #[test]
    fn dropping_the_process_closes_its_input() {
        let (process, input, _sink) = process(&Arc::new(Waker::new().unwrap()));
        assert!(matches!(input.next(), Next::Nothing));
        drop(process);
        assert!(matches!(input.next(), Next::End));
    }

    #[test]
    fn a_sender_that_waits_for_room_is_let_go_when_nobody_reads_any_more() {
        let (mut process, input, _sink) = process(&Arc::new(Waker::new().unwrap()));
        assert!(process.stdin.send(vec![0; INPUT_LIMIT]));
        let waiting = std::thread::spawn(move || process.stdin.send(vec![0]));
        std::thread::sleep(Duration::from_millis(20));
        input.refuse();
        assert!(!waiting.join().unwrap());
    }

    #[test]
    fn a_sender_that_waits_for_room_is_let_go_when_the_process_is_dropped() {
        let (mut process, input, _sink) = process(&Arc::new(Waker::new().unwrap()));
        let mut stdin = std::mem::replace(&mut process.stdin, Box::new(crate::transport::process::Nobody));
        assert!(stdin.send(vec![0; INPUT_LIMIT]));
        let waiting = std::thread::spawn(move || stdin.send(vec![0]));
        drop(process);
        assert!(!waiting.join().unwrap());
        assert!(matches!(input.next(), Next::Chunk(data) if data.len() == INPUT_LIMIT), "what was taken is sent");
        assert!(matches!(input.next(), Next::End));
    }

    #[test]
    fn a_full_output_pauses_until_half_of_it_was_taken() {
        let waker = Arc::new(Waker::new().unwrap());
        let (mut process, _input, sink) = process(&waker);
        for _ in 0..OUTPUT_LIMIT {
            assert!(sink.has_room());
            sink.push(Output::Stdout(vec![1]));
        }
        assert!(!sink.has_room());
        for _ in 0..OUTPUT_LIMIT / 2 {
            assert!(process.next(soon()).is_some());
        }
        assert!(sink.has_room());
    }

    #[test]
    fn a_sink_learns_that_its_process_was_dropped() {
        let (process, _input, sink) = process(&Arc::new(Waker::new().unwrap()));
        assert!(!sink.is_forgotten());
        drop(process);
        assert!(sink.is_forgotten());
        assert!(sink.has_room(), "what nobody wants is read and thrown away");
    }
}
