//! Conversations with this machine, under every shell, and with one that lies.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Conversation, Errand, Place, Slot, Stop, begin};
use crate::error::{ErrorKind, Result};
use crate::script::testing::hello_of;
use crate::script::{Hold, Program, Report, Script, Shell, TaskScript, compile};
use crate::sh;
use crate::transport::fake::{Call, Fake};
use crate::transport::local::Local;
use crate::transport::{Exit, Transport};

fn program(scripts: impl IntoIterator<Item = Script>) -> Program {
    let tasks: Vec<_> = scripts.into_iter().map(|script| TaskScript { script, ..TaskScript::default() }).collect();
    compile(&tasks, &Shell::default()).unwrap()
}

/// A server, and what was heard of it.
struct Scene {
    transport: Arc<dyn Transport>,
    shell: Shell,
    stop: Stop,
    reports: Vec<Report>,
}

impl Scene {
    fn here() -> Scene {
        Scene::with(Local::new("/").machine())
    }

    /// A server that says `markers` after its greeting, each on both streams, where `\n` separates them.
    fn lying(markers: &'static str) -> Scene {
        Scene::with(Fake::new(move |call| lie(call, markers)).login("app1"))
    }

    fn with(transport: Arc<dyn Transport>) -> Scene {
        Scene { transport, shell: Shell::default(), stop: Stop::default(), reports: Vec::new() }
    }

    fn begin(&mut self, program: &Program) -> (Option<Conversation>, Result<()>) {
        let place =
            Place { transport: &*self.transport, shell: &self.shell, patience: Duration::from_secs(20), sessions: 1 };
        let errand = Errand { program, payloads: &[], permit: &|_, _| true, stop: &self.stop, until: None };
        begin(&place, &errand, &mut |report| self.reports.push(report))
    }

    fn go_on(&mut self, conversation: Conversation, program: &Program) -> (Option<Conversation>, Result<()>) {
        let errand = Errand { program, payloads: &[], permit: &|_, _| true, stop: &self.stop, until: None };
        conversation.run(&errand, &mut |report| self.reports.push(report))
    }

    fn lines(&self) -> Vec<String> {
        let line = |report: &Report| match report {
            Report::Line { line, .. } => Some(String::from_utf8_lossy(line).into_owned()),
            _ => None,
        };
        self.reports.iter().filter_map(line).collect()
    }
}

fn lie(call: &mut Call, markers: &str) -> Result<Exit> {
    let hello = hello_of(call.command());
    let said = markers.lines().map(|line| format!("\x1e0123456789abcdef {line}\n")).collect::<String>();
    let said = format!("\x1e{hello} 0123456789abcdef\n{said}");
    call.stdout(said.clone());
    call.stderr(said);
    call.read_to_end();
    Ok(Exit::Status(0))
}

#[test]
fn one_command_runs_one_program_after_the_other() {
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&program([sh!("echo one"), sh!("exit 3")]));
    result.unwrap();
    let (conversation, result) = scene.go_on(conversation.unwrap(), &program([sh!("echo two; cat; echo three >&2")]));
    result.unwrap();
    conversation.unwrap().end().unwrap();
    assert_eq!(scene.lines(), ["one", "two", "three"]);
    assert_eq!(scene.transport.traffic().execs, 1);
}

#[test]
fn functions_travel_once() {
    const LIBRARY: &str = "greet() {\n  echo \"hello $1\"\n}\n";
    let greeting = |name: &str| program([sh!("greet {}", name).uses(LIBRARY)]);
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&greeting("Ada"));
    result.unwrap();
    let mut conversation = conversation.unwrap();
    assert!(
        !String::from_utf8(greeting("Bob").addition(&mut conversation.known.clone())).unwrap().contains("greet() {")
    );
    conversation.known.remove("nothing");
    let (conversation, result) = scene.go_on(conversation, &greeting("Bob"));
    result.unwrap();
    conversation.unwrap().end().unwrap();
    assert_eq!(scene.lines(), ["hello Ada", "hello Bob"]);
}

#[test]
fn a_program_that_is_told_to_stop_ends_and_the_conversation_goes_on() {
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&program([sh!("true")]));
    result.unwrap();
    let started = Instant::now();
    scene.stop.now(ErrorKind::Interrupted);
    let (conversation, result) =
        scene.go_on(conversation.unwrap(), &program([sh!("sleep 300 & sleep 300"), sh!("echo never")]));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    scene.stop = Stop::default();
    let (conversation, result) = scene.go_on(conversation.unwrap(), &program([sh!("echo afterwards")]));
    result.unwrap();
    conversation.unwrap().end().unwrap();
    assert_eq!(scene.lines().last().map(String::as_str), Some("afterwards"));
    assert!(!scene.lines().contains(&"never".to_owned()));
}

#[test]
fn a_program_that_does_not_obey_is_ended_by_force() {
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&program([sh!("true")]));
    result.unwrap();
    scene.stop.now(ErrorKind::Terminated);
    let stubborn = program([sh!("trap '' TERM; while :; do sleep 1; done")]);
    let (conversation, result) = scene.go_on(conversation.unwrap(), &stubborn);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Terminated);
    scene.stop = Stop::default();
    let (conversation, result) = scene.go_on(conversation.unwrap(), &program([sh!("echo afterwards")]));
    result.unwrap();
    conversation.unwrap().end().unwrap();
}

#[test]
fn what_is_held_is_given_up_at_the_end_and_when_nobody_is_there_any_more() {
    for is_good in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("held").display().to_string();
        let hold = Hold { on_beat: Script::new(), on_end: sh!("rm -- {}", &file) };
        let task = TaskScript { script: sh!(": >{}", &file), hold: Some(hold), ..TaskScript::default() };
        let mut scene = Scene::here();
        let (conversation, result) = scene.begin(&compile(&[task], &Shell::default()).unwrap());
        result.unwrap();
        assert!(Path::new(&file).exists());
        if is_good {
            conversation.unwrap().end().unwrap();
        } else {
            drop(conversation);
            let until = Instant::now() + Duration::from_secs(10);
            while Path::new(&file).exists() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        assert!(!Path::new(&file).exists());
    }
}

#[test]
fn what_runs_ends_with_the_controller() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("survived").display().to_string();
    let slot = Arc::new(Slot::default());
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&program([sh!("( sleep 2; : >{} ) >/dev/null 2>&1 & :", &file)]));
    result.unwrap();
    slot.put(conversation);
    assert!(slot.is_alive());
    slot.abandon();
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!Path::new(&file).exists());
}

#[test]
fn what_a_task_leaves_on_purpose_outlives_a_good_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("daemon").display().to_string();
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&program([sh!("( sleep 1; : >{} ) >/dev/null 2>&1 & :", &file)]));
    result.unwrap();
    conversation.unwrap().end().unwrap();
    std::thread::sleep(Duration::from_millis(1600));
    assert!(Path::new(&file).exists());
}

#[test]
fn a_server_that_lies_is_not_believed_and_nothing_panics() {
    for lie in [
        "b 999",
        "b -1",
        "b 0\nb 0",
        "g -1",
        "e 0 0",
        "b 0\ne 1 0",
        "b 0\ne 0 zero",
        "z 0 0 0",
        "z 7 0",
        "f name\n.",
        "b 0\n.",
        "b 0\nf \n.",
        "b 0\nx -1 -1",
        "b 0\ni short",
        "b 0\nwhat",
        "",
    ]
    .into_iter()
    .filter(|lie| !lie.is_empty())
    {
        let mut scene = Scene::lying(lie);
        let (conversation, result) = scene.begin(&program([sh!("true")]));
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{lie:?}: {error}");
        assert!(error.message().contains("what our programs don't say"), "{lie:?}: {error}");
        assert!(conversation.is_none());
    }
}

#[test]
fn tasks_that_say_they_are_done_are_not_believed_if_the_shell_disagrees() {
    let mut scene = Scene::lying("b 0\ne 0 0\nz 0 1");
    let (conversation, result) = scene.begin(&program([sh!("true")]));
    let error = result.unwrap_err();
    assert!(error.message().contains("though no task of it says that it failed"), "{error}");
    assert!(conversation.is_none());
}

#[test]
fn a_program_that_says_done_without_its_tasks_is_not_believed() {
    let mut scene = Scene::lying("z 0 0");
    let (_, result) = scene.begin(&program([sh!("true")]));
    assert!(result.is_err());
}

#[test]
fn texts_without_an_end_are_cut_off() {
    let endless = (0..40).map(|_| "x".repeat(64 * 1024)).collect::<String>();
    let many = (0..100)
        .map(|number| format!("{}\x1e0123456789abcdef .\n\x1e0123456789abcdef f big{number}\n", "x".repeat(1 << 19)));
    for (text, told) in [(endless, "a text `f big`"), (many.collect(), "bytes of facts and reasons")] {
        let transport = Fake::new(move |call: &mut Call| {
            lie_endlessly(call, &text);
            Ok(Exit::Status(0))
        });
        let mut scene = Scene::with(transport.login("app1"));
        let (_, result) = scene.begin(&program([sh!("true")]));
        let error = result.unwrap_err();
        assert!(error.message().contains(told), "{error}");
    }
}

fn lie_endlessly(call: &mut Call, text: &str) {
    let hello = hello_of(call.command());
    let start = format!("\x1e{hello} 0123456789abcdef\n\x1e0123456789abcdef b 0\n");
    call.stderr(start.clone());
    call.stdout(start + "\x1e0123456789abcdef f big\n");
    for part in text.as_bytes().chunks(64 * 1024) {
        call.stdout(part);
    }
    call.read_to_end();
}

#[test]
fn a_command_that_never_begins_ends_the_wait() {
    let transport = Fake::new(|call: &mut Call| {
        call.stdout("fish> ");
        call.read_to_end();
        Ok(Exit::Status(0))
    });
    let transport = transport.login("app1");
    let shell = Shell::default();
    let place = Place { transport: &*transport, shell: &shell, patience: Duration::from_millis(300), sessions: 1 };
    let program = program([sh!("true")]);
    let stop = Stop::default();
    let errand = Errand { program: &program, payloads: &[], permit: &|_, _| true, stop: &stop, until: None };
    let error = begin(&place, &errand, &mut |_| {}).1.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.message().contains("it began to run no command"), "{error}");
    assert!(error.hint_texts()[0].contains("~/.bashrc"), "{error}");
}

#[test]
fn a_server_that_cant_unpack_what_it_is_sent_gets_it_as_it_is() {
    let commands = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&commands);
    let transport = Fake::new(move |call: &mut Call| {
        noted.lock().unwrap().push(call.command().to_owned());
        call.stderr("sh: 1: base64: not found\n");
        Ok(Exit::Status(0))
    });
    let (conversation, result) = Scene::with(transport.login("app1")).begin(&program([sh!("true")]));
    assert!(conversation.is_none());
    assert!(result.unwrap_err().message().contains("base64: not found"));
    let commands = commands.lock().unwrap();
    let ways: Vec<_> = commands.iter().map(|command| command.contains("gzip")).collect();
    assert_eq!(ways, [true, false]);
}

#[test]
fn who_is_gone_while_a_program_is_being_ended_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("held").display().to_string();
    let hold = Hold { on_beat: Script::new(), on_end: sh!("rm -- {}", &file) };
    let task = TaskScript { script: sh!(": >{}", &file), hold: Some(hold), ..TaskScript::default() };
    let mut scene = Scene::here();
    let (conversation, result) = scene.begin(&compile(&[task], &Shell::default()).unwrap());
    result.unwrap();
    let mut conversation = conversation.unwrap();
    let stubborn = program([sh!("trap : TERM; while :; do sleep 0.1919 || :; done")]);
    let text = stubborn.addition(&mut conversation.known);
    conversation.process.stdin.send([format!("P {} 1\n", text.len()).as_bytes(), &text].concat());
    std::thread::sleep(Duration::from_millis(500));
    conversation.process.stdin.send(b"X\n".to_vec());
    std::thread::sleep(Duration::from_millis(300));
    drop(conversation);
    let since = Instant::now();
    while Path::new(&file).exists() && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}
