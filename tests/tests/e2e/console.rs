//! Programs on servers that the user talks with.

use std::process::{Command, Stdio};

use e2e::{Project, Proxy, Terminal};
use rustix::process::Signal;

fn project() -> Project {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.tool(e2e::own_tasks());
    project
}

fn local_project() -> Project {
    let mut project = Project::local();
    project.tool(e2e::own_tasks());
    project
}

fn console(project: &Project, program: &str) -> Command {
    project.command(&["app", "console", "staging", "--program", program])
}

/// Sits down at a terminal and runs the task.
fn sit_down(project: &Project, program: &str) -> Terminal {
    Terminal::start(&console(project, program), &project.sandbox)
}

/// Says that it is ready, then runs `command`.
fn ready_then(command: &str) -> String {
    format!("echo ready; {command}")
}

#[test]
fn a_program_on_a_server_finds_our_terminal_there() {
    let project = project();
    let terminal = sit_down(&project, "test -t 0 && test -t 1 && test -t 2 && echo $TERM && stty size");
    let shown = terminal.ends_with(0);
    assert!(shown.contains("xterm-256color\r\n24 80\r\n"), "{shown}");
}

#[test]
fn the_program_hears_of_a_new_size() {
    let project = project();
    let terminal = sit_down(&project, "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done");
    terminal.wait_for("ready");
    terminal.resize(132, 43);
    assert!(terminal.ends_with(0).contains("43 132"));
}

#[test]
fn keys_reach_the_program_one_by_one_and_unchanged() {
    let project = project();
    let terminal = sit_down(&project, "stty raw -echo; echo ready; dd bs=1 count=6 2>/dev/null | od -An -tx1");
    terminal.wait_for("ready");
    // A line's end, Ctrl-Z, Ctrl-S, Ctrl-Q, Ctrl-\ and Ctrl-C: all that a terminal keeps for itself.
    terminal.type_in("\r\x1a\x13\x11\x1c\x03");
    assert!(terminal.ends_with(0).contains("0d 1a 13 11 1c 03"));
}

#[test]
fn ctrl_c_is_for_the_program() {
    // It goes on for long enough that a run that was interrupted would end it.
    let program = "trap 'echo caught' INT; echo ready; until read -r word; do :; done; sleep 0.3; echo got $word";
    for project in [project(), local_project()] {
        let terminal = sit_down(&project, program);
        terminal.wait_for("ready");
        terminal.type_in("\x03");
        terminal.wait_for("caught");
        terminal.type_in("more\r");
        assert!(terminal.ends_with(0).contains("got more"));
    }
}

#[test]
fn the_exit_status_of_the_program_comes_back() {
    let project = project();
    let shown = sit_down(&project, "exit 7").ends_with(1);
    assert!(shown.contains("the program ended with status 7"), "{shown}");
    let shown = sit_down(&project, "kill -KILL $$").ends_with(1);
    assert!(shown.contains("the program was killed by signal KILL"), "{shown}");
}

#[test]
fn a_connection_that_is_lost_gives_the_terminal_back_and_says_so() {
    let mut project = project();
    let proxy = Proxy::to(project.server("app1").port);
    project.server_mut("app1").behind(&proxy);
    let known_hosts = format!("[127.0.0.1]:{} {}\n", proxy.port(), project.server("app1").sshd.host_key());
    let command = console(&project, &ready_then("sleep 601"));
    std::fs::write(project.known_hosts(), known_hosts).unwrap();
    let terminal = Terminal::start(&command, &project.sandbox);
    terminal.wait_for("ready");
    proxy.cut();
    let shown = terminal.ends_with(4);
    assert!(shown.contains("lost the connection to `"), "{shown}");
    assert!(shown.contains("if the terminal looks odd now: reset"), "{shown}");
}

#[test]
fn the_user_can_leave_a_program_that_hangs() {
    let project = project();
    let terminal = sit_down(&project, "trap '' INT; echo ready; sleep 602");
    terminal.wait_for("ready");
    terminal.type_in("\x03\r~.");
    let shown = terminal.ends_with(130);
    assert!(shown.contains("left by `~.`"), "{shown}");
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let project = project();
    let terminal = sit_down(&project, &ready_then("sleep 603"));
    terminal.wait_for("ready");
    terminal.signal(Signal::TERM);
    terminal.ends_with(143);
}

#[test]
fn a_second_signal_gives_the_terminal_back_too() {
    let project = project();
    let terminal = sit_down(&project, &ready_then("sleep 604"));
    terminal.wait_for("ready");
    project.server("app1").sshd.freeze();
    terminal.signal(Signal::TERM);
    terminal.signal(Signal::HUP);
    terminal.ends_with(143);
    project.server("app1").sshd.thaw();
}

#[test]
fn nothing_that_the_program_started_outlives_the_terminal() {
    let project = project();
    let terminal = sit_down(&project, &ready_then("sleep 605"));
    terminal.wait_for("ready");
    terminal.signal(Signal::TERM);
    terminal.ends_with(143);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while project.sandbox.processes().iter().any(|line| line == "sleep 605") {
        assert!(std::time::Instant::now() < deadline, "{:?}", project.sandbox.processes());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn servers_get_the_terminal_one_after_the_other() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.tool(e2e::own_tasks());
    let terminal = sit_down(&project, "printf 'name? '; read -r name; echo \"hello $name\"");
    terminal.wait_for("name? ");
    terminal.type_in("ada\r");
    terminal.wait_for("hello ada");
    terminal.wait_for("hello ada\r\nname? ");
    terminal.type_in("bob\r");
    assert!(terminal.ends_with(0).contains("hello bob"));
}

#[test]
fn a_server_that_gives_no_terminal_is_named() {
    let mut project = Project::over_ssh(&[]);
    project.tool(e2e::own_tasks()).add_server("app1", "app", &["PermitTTY no"]);
    let shown = sit_down(&project, "true").ends_with(4);
    assert!(shown.contains("gives us no terminal") && shown.contains("PermitTTY no"), "{shown}");
}

/// Runs the task with `input` piped in.
fn pipe(project: &Project, input: &str, program: &str) -> e2e::Output {
    let tool = console(project, program);
    let mut command = project.sandbox.command("sh");
    command.args(["-c", "printf %s \"$0\" | \"$@\"", input]).arg(tool.get_program()).args(tool.get_args());
    command.current_dir(project.folder()).stdin(Stdio::null());
    project.sandbox.run(command)
}

#[test]
fn without_a_terminal_the_program_has_none_either() {
    for project in [project(), local_project()] {
        let output = pipe(&project, "one\ntwo\n", "test ! -t 0 && test ! -t 1 && cat && echo oh >&2").success();
        assert_eq!(output.stdout(), "one\ntwo\n");
        assert!(output.stderr().starts_with("oh\n"), "{output}");
        pipe(&project, "", "exit 3").fails_with(1).says("the program ended with status 3");
    }
}

#[test]
fn a_program_here_has_the_very_terminal() {
    let project = local_project();
    let terminal = sit_down(&project, "test -t 0 && test -t 1 && stty size; stty -echo; exec sh -c 'exit 0'");
    assert!(terminal.ends_with(0).contains("24 80"), "and what it changes is put back");
}

#[test]
fn a_signal_ends_a_program_here() {
    let project = local_project();
    let terminal = sit_down(&project, &ready_then("exec sleep 606"));
    terminal.wait_for("ready");
    terminal.signal(Signal::TERM);
    terminal.ends_with(143);
    assert!(!project.sandbox.processes().iter().any(|line| line == "sleep 606"));
}
