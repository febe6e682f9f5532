use std::io::Write;
use std::os::fd::OwnedFd;

use super::super::is_lent;
use super::super::keyboard::Typed;
use super::super::screen::{Captured, Screen};
use super::*;

/// A screen whose two streams can be looked at.
fn screen() -> (Arc<Screen>, Captured, Captured) {
    let (out, err) = (Captured::default(), Captured::default());
    (Screen::of_terminals(out.writer(), err.writer()), out, err)
}

/// A console at the end of a pipe into which `input` goes.
fn piped<'a>(screen: &'a Screen, input: &[u8]) -> Console<'a> {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(input).unwrap();
    Console::new(OwnedFd::from(reader), false, screen.hold(), Arc::default())
}

#[test]
fn what_the_program_writes_is_shown_at_once_and_the_runs_own_output_afterwards() {
    let (screen, out, err) = screen();
    screen.write(Target::Out, "00:01 app:console");
    let console = piped(&screen, b"");
    screen.write(Target::Out, "      app1 0.12s\n");
    console.show(Stream::Stdout, b"\xff => ");
    console.show(Stream::Stderr, b"oh\n");
    assert_eq!(out.bytes(), b"00:01 app:console\n\xff => ");
    drop(console);
    assert_eq!(out.bytes(), b"00:01 app:console\n\xff =>       app1 0.12s\n");
    assert_eq!(err.text(), "oh\n");
}

#[test]
fn what_comes_down_a_pipe_is_typed_as_it_is() {
    let (screen, ..) = screen();
    let console = piped(&screen, b"select 1;\n~.\n");
    let mut keyboard = console.keyboard().unwrap();
    assert_eq!(keyboard.next(), Some(Typed::Keys(b"select 1;\n~.\n".to_vec())));
    assert_eq!(keyboard.next(), Some(Typed::End));
    assert_eq!(console.window(), None);
    assert!(!is_lent(), "Ctrl-C ends the run");
}

#[test]
fn a_pipe_that_says_it_is_a_terminal_is_none() {
    let (screen, ..) = screen();
    let (reader, _writer) = io::pipe().unwrap();
    let console = Console::new(OwnedFd::from(reader), true, screen.hold(), Arc::default());
    assert_eq!(console.window(), None);
}

#[test]
fn an_interruption_wants_the_terminal_back() {
    let (screen, ..) = screen();
    let (reader, _writer) = io::pipe().unwrap();
    let interrupted = Arc::new(AtomicBool::new(false));
    let console = Console::new(OwnedFd::from(reader), false, screen.hold(), Arc::clone(&interrupted));
    assert!(!console.is_wanted_back());
    interrupted.store(true, Relaxed);
    assert!(console.is_wanted_back());
}
