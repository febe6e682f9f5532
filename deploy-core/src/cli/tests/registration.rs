//! Registrations that the command line has to live with.

use super::*;

/// Help works, whatever is registered: `check` tells of the mistake.
fn works(tasks: &Tasks, commands: &[Command]) {
    let Ok(Parsed::Clap(error)) = parse(&args(&["--help"]), tasks, commands, &[]) else { panic!("help") };
    assert!(!error.use_stderr());
    let _ = parse(&args(&["deploy", "--help"]), tasks, commands, &[]);
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
fn a_flow_that_has_another_one_in_it_takes_its_options_and_has_its_tree() {
    let mut tasks = tasks();
    let phase = crate::task::Phase { name: "check", tasks: vec![crate::flow::ROLLBACK] };
    tasks.task(Task::flow(TaskId::new("undo"), "Go back", [phase], crate::flow::FAILED));
    let line = args(&["undo", "staging", "--release", "20261122101500"]);
    let Ok(Parsed::Request(Request::Run(request))) = parse(&line, &tasks, &[], &[]) else { panic!("a run") };
    assert_eq!(request.options["release"], "20261122101500");
    let tree =
        |flow: &str| flow_tree(&tasks, tasks.find(flow).unwrap(), false).lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(tree("undo"), tree("deploy:rollback"));
}

#[test]
fn the_names_that_options_can_not_have_are_the_ones_that_every_task_has() {
    let mut all = tasks();
    all.task(Task::group(TaskId::new("bare"), "", []).any_stage());
    for name in Opt::TAKEN {
        let found = [&["deploy", "--help"][..], &["bare", "--help"]].iter().any(|line| {
            let Ok(Parsed::Clap(error)) = parse(&args(line), &all, &[], &[]) else { return false };
            error.to_string().contains(&format!("--{name}"))
        });
        assert!(found, "--{name}");
    }
}
