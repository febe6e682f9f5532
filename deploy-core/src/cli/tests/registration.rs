//! Registrations that the command line has to live with.

use super::*;

/// Help works, whatever is registered: `check` tells of the mistake.
fn works(tasks: &Tasks, commands: &[Command]) {
    let Ok(Parsed::Clap(error)) = parse(&args(&["--help"]), tasks, commands) else { panic!("help") };
    assert!(!error.use_stderr());
    let _ = parse(&args(&["deploy", "--help"]), tasks, commands);
}

#[test]
fn what_stands_in_the_way_of_the_command_line_breaks_no_help() {
    let mut tasks = tasks();
    let option = |name| Opt { name, value: None, about: "" };
    tasks.task(group("tasks", ""));
    tasks.task(local("tasks:mine").option(option("plan")).option(option("x")).option(option("x")));
    let command = |name: &str| Command { name: name.into(), about: String::new(), run: vec!["true".into()] };
    works(&tasks, &[command("deploy"), command("tasks")]);
    assert!(tasks.check().len() >= 3, "{:?}", tasks.check());
}

#[test]
fn the_names_that_options_can_not_have_are_the_ones_that_every_task_has() {
    let mut all = tasks();
    all.task(Task::group(TaskId::new("bare"), "", []).any_stage());
    for name in Opt::TAKEN {
        let found = [&["deploy", "--help"][..], &["bare", "--help"]].iter().any(|line| {
            let Ok(Parsed::Clap(error)) = parse(&args(line), &all, &[]) else { return false };
            error.to_string().contains(&format!("--{name}"))
        });
        assert!(found, "--{name}");
    }
}
