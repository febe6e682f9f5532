use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use super::testing::{HELLO, Ran, path_with, payload_frame, run, run_on};
use super::*;
use crate::event::Stream;

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

fn settings() -> Shell {
    Shell::default()
}

fn task(script: Script) -> TaskScript {
    TaskScript { script, ..TaskScript::default() }
}

/// Runs one task under every shell and hands each result to `check`.
fn everywhere(script: Script, check: impl Fn(&Ran)) {
    for shell in SHELLS {
        let ran = run(shell, &[task(script.clone())], &settings(), b"");
        eprintln!("{shell}: {:?}", ran.reports);
        check(&ran);
    }
}

/// Asserts that a script fails at the step that is shown as `culprit`, with `status`.
fn fails_at(script: Script, culprit: &str, status: i32) {
    everywhere(script.then(sh!("echo never")), |ran| {
        assert_eq!(ran.culprit(), Some(culprit));
        assert_eq!(ran.status(), Some(status));
        assert!(!ran.lines(Stream::Stdout).contains(&"never".to_owned()));
        assert_eq!(ran.skeleton().last(), Some(&Report::Finished(status)));
        assert_eq!(ran.reports.last(), Some(&Report::Parted(1)));
    });
}

fn sh(text: &str) -> Cmd {
    Cmd::new("sh").args(["-c", text])
}

#[test]
fn tasks_report_their_output_and_end() {
    let tasks = [task(sh!("echo one; echo two >&2")), task(sh!("printf three"))];
    for shell in SHELLS {
        let ran = run(shell, &tasks, &settings(), b"");
        use Report::*;
        assert_eq!(ran.skeleton(), [Began(0), Ended(0, 0), Began(1), Ended(1, 0), Finished(0)]);
        assert_eq!((ran.reports.first(), ran.reports.last()), (Some(&Greeted), Some(&Parted(0))));
        assert_eq!(ran.lines(Stream::Stdout), ["one", "three"]);
        assert_eq!(ran.lines(Stream::Stderr), ["two"]);
    }
}

#[test]
fn where_the_output_is_data_markers_stand_beside_it() {
    let script = sh!("printf 'one\\036\\000two'\ndeploy_fact size 8\necho careful >&2\ndeploy_note said");
    for shell in SHELLS {
        let tasks = [task(script.clone()), task(sh!("printf three; exit 7"))];
        let ran = run_on(path_with(shell).path(), &tasks, &settings(), Talk::DataOut, b"");
        use Report::*;
        assert_eq!(ran.data, b"one\x1e\0twothree", "{shell}");
        assert_eq!(
            ran.skeleton(),
            [
                Began(0),
                Fact("size".into(), "8".into()),
                Note("said".into()),
                Ended(0, 0),
                Began(1),
                FailedAt(1, 7),
                Ended(1, 7),
                Finished(7)
            ],
            "{shell}"
        );
        assert_eq!(ran.lines(Stream::Stderr), ["careful"]);
    }
}

#[test]
fn a_task_takes_all_that_is_sent_to_the_end() {
    let input = b"\0binary\x1e\n".repeat(20_000);
    let script = Script::new().pipe([Cmd::new("deploy_input"), sh("wc -c")]);
    for shell in SHELLS {
        let task = TaskScript { input: true, ..task(script.clone()) };
        let ran = run_on(path_with(shell).path(), &[task], &settings(), Talk::DataIn, &input);
        let counted: Vec<_> = ran.lines(Stream::Stdout).iter().map(|line| line.trim().to_owned()).collect();
        assert_eq!((counted, ran.status()), (vec![input.len().to_string()], Some(0)), "{shell}");
    }
}

#[test]
fn secrets_are_known_to_the_script_and_shown_nowhere() {
    let script = sh!("export PGPASSWORD={}", Arg::secret("hunter2")).then(sh!("echo {}", "plain"));
    assert_eq!(script.secrets().collect::<Vec<_>>(), [b"hunter2"]);
    assert_eq!(script.steps()[0].to_string(), "export PGPASSWORD=[secret]");
}

#[test]
fn a_failing_command_names_itself_and_stops_the_program() {
    let tasks = [task(Script::new().run(sh("exit 7"))), task(sh!("echo never"))];
    for shell in SHELLS {
        let ran = run(shell, &tasks, &settings(), b"");
        assert_eq!(
            ran.skeleton(),
            [Report::Began(0), Report::FailedAt(1, 7), Report::Ended(0, 7), Report::Finished(7)]
        );
    }
}

#[test]
fn a_failure_in_a_pipe_is_a_failure() {
    let pipe = |first: &str, second: &str| Script::new().pipe([sh(first), sh(second)]);
    fails_at(pipe("exit 3", "cat"), "sh -c 'exit 3' | sh -c cat", 3);
    fails_at(pipe("echo x", "cat >/dev/null; exit 4"), "sh -c 'echo x' | sh -c 'cat >/dev/null; exit 4'", 4);
    fails_at(pipe("kill -9 $$", "cat"), "sh -c 'kill -9 $$' | sh -c cat", 137);
}

#[test]
fn the_first_culprit_of_a_pipe_is_blamed_and_lost_readers_last() {
    everywhere(Script::new().pipe([sh("kill -13 $$"), sh("cat; exit 5"), sh("exit 6")]), |ran| {
        assert!(ran.reports.contains(&Report::PipeMember(2)));
        assert_eq!(ran.status(), Some(5));
    });
}

#[test]
fn a_pipe_passes_bytes_through() {
    everywhere(Script::new().pipe([sh("printf 'a\\nb'"), Cmd::new("cat"), sh("cat; echo c >&2")]), |ran| {
        assert_eq!(ran.lines(Stream::Stdout), ["a", "b"]);
        assert_eq!(ran.lines(Stream::Stderr), ["c"]);
        assert_eq!(ran.status(), Some(0));
    });
}

#[test]
fn failures_in_subshells_functions_and_bodies_are_caught() {
    fails_at(sh!("( true; false; true )"), "( true; false; true )", 1);
    fails_at(sh!("f() { true; sh -c 'exit 5'; true; }\nf"), "f() { true; sh -c 'exit 5'; true; }\nf", 5);
    fails_at(sh!("if true; then sh -c 'exit 6'; fi"), "if true; then sh -c 'exit 6'; fi", 6);
    let script = Script::new().when(Cmd::new("true"), Script::new().run(sh("exit 8")), Script::new());
    fails_at(script, "sh -c 'exit 8'", 8);
    fails_at(sh!("x=$(sh -c 'exit 9')\necho \"$x\""), "x=$(sh -c 'exit 9')\necho \"$x\"", 9);
}

#[test]
fn a_false_condition_is_no_failure() {
    let script = Script::new().when(Cmd::new("false"), sh!("echo then"), sh!("echo else"));
    everywhere(script, |ran| {
        assert_eq!(ran.lines(Stream::Stdout), ["else"]);
        assert_eq!(ran.status(), Some(0));
    });
}

#[test]
fn an_awaited_background_job_counts_and_another_does_not() {
    fails_at(sh!("sh -c 'exit 3' & wait \"$!\""), "sh -c 'exit 3' & wait \"$!\"", 3);
    everywhere(sh!("sh -c 'exit 3' & true"), |ran| assert_eq!(ran.status(), Some(0)));
}

#[test]
fn exit_0_in_the_middle_is_a_failure() {
    everywhere(sh!("exit 0").then(sh!("echo never")), |ran| {
        assert!(ran.reports.contains(&Report::FailedAt(1, 0)));
        assert_eq!(ran.status(), Some(1));
        assert!(ran.lines(Stream::Stdout).is_empty());
    });
}

#[test]
fn an_unset_variable_is_a_failure() {
    everywhere(sh!("echo \"$no_such_variable\""), |ran| {
        assert!(
            matches!(ran.reports.iter().find(|r| matches!(r, Report::FailedAt(..))), Some(Report::FailedAt(1, s)) if *s != 0)
        );
        assert_ne!(ran.status(), Some(0));
    });
}

#[test]
fn a_command_killed_by_a_signal_is_a_failure() {
    fails_at(Script::new().run(sh("kill -9 $$")), "sh -c 'kill -9 $$'", 137);
    fails_at(Script::new().run(sh("kill -s TERM $$")), "sh -c 'kill -s TERM $$'", 143);
}

#[test]
fn the_shell_of_a_task_killed_by_a_signal_is_a_failure() {
    let suicide = sh!("kill -9 \"$(sh -c 'echo $PPID')\"\nsleep 1");
    for shell in SHELLS {
        let ran = run(shell, &[task(suicide.clone()), task(sh!("echo never"))], &settings(), b"");
        assert_eq!(ran.status(), Some(137), "{shell}");
        assert_eq!(ran.skeleton().last(), Some(&Report::Finished(137)));
    }
}

#[test]
fn opaque_text_cannot_reach_the_rest() {
    fails_at(Script::new().opaque("true; false; true"), "true; false; true", 1);
    fails_at(Script::new().opaque("echo 'unbalanced"), "echo 'unbalanced", 2);
    everywhere(Script::new().opaque("exit 0 # ) }").then(sh!("echo goes on")), |ran| {
        assert_eq!(ran.lines(Stream::Stdout), ["goes on"]);
    });
}

#[test]
fn output_that_imitates_markers_is_output() {
    let script =
        sh!("printf '\\036deadbeef e 0 0\\n'; printf 'x\\0360123456789abcdef z\\n\\036\\036' ; printf '\\036'");
    everywhere(script, |ran| {
        assert_eq!(ran.status(), Some(0));
        assert_eq!(
            ran.lines(Stream::Stdout),
            ["\u{1e}deadbeef e 0 0", "x\u{1e}0123456789abcdef z", "\u{1e}\u{1e}\u{1e}"]
        );
    });
}

#[test]
fn output_without_a_final_newline_and_binary_output_arrive() {
    everywhere(sh!("printf 'a\\000b\\377'"), |ran| {
        let line = ran.reports.iter().find_map(|report| match report {
            Report::Line { line, .. } => Some(line.clone()),
            _ => None,
        });
        assert_eq!(line, Some(b"a\0b\xff".to_vec()));
    });
}

#[test]
fn commands_that_read_input_get_none() {
    everywhere(Script::new().run(Cmd::new("cat")).then(sh!("read -r x || echo eof; echo \"${x-}.\"")), |ran| {
        assert_eq!(ran.lines(Stream::Stdout), ["eof", "."]);
        assert_eq!(ran.status(), Some(0));
    });
}

#[test]
fn facts_notes_skips_and_messages_are_reported() {
    let script = sh!("deploy_fact lines 'a\nb'; deploy_note {}", "it's").fact("now", Cmd::new("echo").arg("x y"));
    everywhere(script, |ran| {
        assert!(ran.reports.contains(&Report::Fact("lines".into(), "a\nb".into())));
        assert!(ran.reports.contains(&Report::Note("it's".into())));
        assert!(ran.reports.contains(&Report::Fact("now".into(), "x y".into())));
    });
    everywhere(sh!("deploy_skip 'no need'\necho never").then(sh!("echo never")), |ran| {
        assert!(ran.reports.contains(&Report::Skip("no need".into())));
        assert_eq!(ran.status(), Some(0));
        assert!(ran.lines(Stream::Stdout).is_empty());
    });
    everywhere(sh!("deploy_fail 'no room' 'make some' 'or not'"), |ran| {
        assert!(ran.reports.contains(&Report::Message("no room".into())));
        assert!(ran.reports.contains(&Report::Hint("or not".into())));
        assert_eq!(ran.status(), Some(1));
    });
}

#[test]
fn a_fact_whose_command_fails_is_a_failure() {
    fails_at(Script::new().fact("x", sh("exit 4")), "sh -c 'exit 4'", 4);
}

#[test]
fn a_fact_is_a_variable_and_can_have_a_way_out() {
    let found = Script::new().fact("size", sh("echo 3")).then(sh!("echo \"size $size\""));
    everywhere(found, |ran| assert_eq!(ran.lines(Stream::Stdout), ["size 3"]));
    let lost = Script::new().fact_or("size", sh("echo 3; exit 4"), sh!("deploy_note 'not known'")).then(sh!("echo on"));
    everywhere(lost, |ran| {
        assert!(ran.reports.contains(&Report::Note("not known".into())));
        assert!(!ran.reports.iter().any(|report| matches!(report, Report::Fact(..))));
        assert_eq!((ran.lines(Stream::Stdout), ran.status()), (vec!["on".to_owned()], Some(0)));
    });
    let kept = Script::new().fact_or("size", sh("echo 3"), sh!("exit 9"));
    everywhere(kept, |ran| assert!(ran.reports.contains(&Report::Fact("size".into(), "3".into()))));
    fails_at(Script::new().fact_or("x", sh("exit 4"), sh!("exit 9")), "exit 9", 9);
}

#[test]
fn environment_directory_umask_and_prefix_hold() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("it's | here");
    std::fs::create_dir(&folder).unwrap();
    let shell = Shell {
        env: BTreeMap::from([("GREETING".into(), "say \"100%\" $HOME".into())]),
        umask: Some(0o027),
        command_prefix: BTreeMap::from([("printf".into(), vec!["env PREFIX=1".into()])]),
        ..settings()
    };
    let script = sh!("umask; pwd; echo \"$GREETING\"; echo \"$OWN\"").run(Cmd::new("printf").arg("p"));
    let task = TaskScript {
        script,
        dir: WorkDir::In(folder.to_str().unwrap().into()),
        env: BTreeMap::from([("OWN".into(), "$GREETING!".into())]),
        ..TaskScript::default()
    };
    for name in SHELLS {
        let ran = run(name, std::slice::from_ref(&task), &shell, b"");
        let home = std::env::var("HOME").unwrap();
        let lines = ran.lines(Stream::Stdout);
        assert_eq!(lines[0], "0027");
        assert_eq!(lines[1], folder.to_str().unwrap());
        assert_eq!(lines[2], format!("say \"100%\" {home}"));
        assert_eq!(lines[3], format!("say \"100%\" {home}!"));
        assert_eq!(lines[4], "p");
        assert!(String::from_utf8_lossy(&ran.program.text(&shell)).contains("\nenv 'PREFIX=1' printf p"));
    }
}

#[test]
fn the_first_directory_that_exists_is_taken() {
    let dirs = |dirs: &[&str]| WorkDir::FirstOf(dirs.iter().map(|dir| (*dir).to_owned()).collect());
    for shell in SHELLS {
        let task = |dir| TaskScript { script: sh!("pwd"), dir, ..TaskScript::default() };
        let ran = run(shell, &[task(dirs(&["/no/such dir", "/usr", "/tmp"])), task(dirs(&["/no"]))], &settings(), b"");
        assert_eq!(ran.lines(Stream::Stdout)[0], "/usr");
        assert_eq!(ran.status(), Some(0));
    }
}

#[test]
fn a_missing_directory_is_said_first() {
    let task =
        TaskScript { script: sh!("echo never"), dir: WorkDir::In("/no/such dir".into()), ..TaskScript::default() };
    for shell in SHELLS {
        let ran = run(shell, std::slice::from_ref(&task), &settings(), b"");
        assert!(ran.reports.contains(&Report::Message("the directory `/no/such dir` doesn't exist".into())));
        assert_eq!(ran.status(), Some(1));
    }
}

/// A `sudo` that only runs the command: what `sudo -n -H -u USER -- COMMAND` does where nobody need be asked.
fn path_with_sudo(shell: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let path = path_with(shell);
    let sudo = path.path().join("sudo");
    std::fs::write(&sudo, "#!/bin/sh\nshift 5\nexec \"$@\" 8>&- 9>&-\n").unwrap();
    std::fs::set_permissions(&sudo, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_task_as_another_user_reports_like_any_other_and_shows_nothing_in_ps() {
    let script =
        sh!("deploy_note {}; read -r x || echo eof\ntr '\\0' ' ' </proc/$$/cmdline", "it's \"me\"").run(sh("exit 6"));
    for shell in SHELLS {
        let path = path_with_sudo(shell);
        let task = TaskScript { script: script.clone(), as_user: Some("it's".into()), ..TaskScript::default() };
        let ran = run_on(path.path(), &[task], &settings(), Talk::Programs, b"");
        assert!(ran.reports.contains(&Report::Note("it's \"me\"".into())), "{shell}: {:?}", ran.reports);
        assert_eq!(ran.lines(Stream::Stdout)[0], "eof");
        assert!(!ran.lines(Stream::Stdout)[1].contains("deploy_note"));
        assert_eq!(ran.culprit(), Some("sh -c 'exit 6'"));
        assert_eq!(ran.status(), Some(6));
    }
}

#[test]
fn a_tasks_commands_have_no_way_to_say_what_our_shell_says() {
    const LIBRARY: &str = "greet() {\ndeploy_note hello\n}\n";
    let closed = "for fd in 8 9; do if { true >&$fd; } 2>/dev/null; then echo open; exit 9; fi; done; echo fine";
    let script = Script::new()
        .uses(LIBRARY)
        .run(sh(closed))
        .pipe([sh(closed), Cmd::new("cat")])
        .opaque(closed)
        .fact("x", sh(closed))
        .when(sh(closed), sh!("deploy_note then"), Script::new())
        .run(Cmd::new("greet"));
    let task = |as_user: Option<&str>| TaskScript {
        script: script.clone(),
        as_user: as_user.map(str::to_owned),
        ..TaskScript::default()
    };
    for shell in SHELLS {
        let path = path_with_sudo(shell);
        for task in [task(None), task(Some("other"))] {
            let ran = run_on(path.path(), &[task], &settings(), Talk::Programs, b"");
            assert_eq!(ran.lines(Stream::Stdout), ["fine"; 4], "{shell}: {:?}", ran.reports);
            assert!(ran.reports.contains(&Report::Note("then".into())), "{shell}");
            assert!(ran.reports.contains(&Report::Note("hello".into())), "{shell}");
            assert_eq!(ran.status(), Some(0));
        }
    }
}

#[test]
fn a_payload_arrives_to_the_byte() {
    for size in [0usize, 1, 65536, 65537, 200_000] {
        let payload: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let tasks = [
            task(sh!("echo before")),
            TaskScript { script: sh!("deploy_payload | cksum"), payload: Some(size as u64), ..TaskScript::default() },
            task(sh!("cat; echo after")),
        ];
        let sum = Command::new("sh").args(["-c", "cksum"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut sum = sum.unwrap();
        sum.stdin.take().unwrap().write_all(&payload).unwrap();
        let expected = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
        let (one, other) = payload.split_at(size / 2);
        let said = [format!("D {} more\n", one.len()).as_bytes(), one, &payload_frame(other)].concat();
        for shell in SHELLS {
            let ran = run(shell, &tasks, &settings(), &said);
            assert_eq!(ran.lines(Stream::Stdout), ["before", expected.trim(), "after"], "{shell} {size}");
        }
    }
}

#[test]
fn a_payload_that_nobody_takes_disturbs_nothing() {
    let fed = TaskScript { script: sh!("echo has enough"), payload: Some(6), ..TaskScript::default() };
    for shell in SHELLS {
        let ran = run(shell, std::slice::from_ref(&fed), &settings(), &payload_frame(b"P 1 2\n"));
        assert_eq!(ran.lines(Stream::Stdout), ["has enough"], "{shell}");
        assert_eq!(ran.reports.last(), Some(&Report::Parted(0)), "{shell}");
    }
}

#[test]
fn a_gated_task_waits_for_its_word() {
    let gated = TaskScript { script: sh!("echo in"), gated: true, ..TaskScript::default() };
    for shell in SHELLS {
        let ran = run(shell, std::slice::from_ref(&gated), &settings(), b"G yes\n");
        assert_eq!(ran.skeleton()[0], Report::Waiting(0));
        assert_eq!(ran.lines(Stream::Stdout), ["in"]);
        let ran = run(shell, std::slice::from_ref(&gated), &settings(), b"G no\n");
        assert_eq!(ran.skeleton(), [Report::Waiting(0), Report::Finished(0)]);
    }
}

#[test]
fn a_value_with_a_nul_byte_is_refused() {
    assert!(compile(&[task(sh!("echo {}", "a\0b"))], &settings()).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let cmd = Cmd::new("login").arg("-p").arg(Arg::secret("hunter2"));
    assert_eq!(cmd.to_string(), "login -p [secret]");
    let script = sh!("login {}", Arg::secret("hunter2"));
    assert_eq!(script.steps()[0].to_string(), "login [secret]");
}

#[test]
fn programs_pass_shellcheck() {
    let script = Script::new()
        .run(Cmd::new("mkdir").args(["-p", "--", "/a b"]).env("X", "y z").dir("/tmp"))
        .pipe([Cmd::new("git").arg("archive"), Cmd::new("tar").arg("-x")])
        .fact("x", Cmd::new("date"))
        .fact_or("y", Cmd::new("date"), sh!("deploy_skip 'no date'"))
        .when(Cmd::new("true"), sh!("deploy_note hello"), sh!("deploy_fail no way"))
        .opaque("bin/rails cache:clear");
    let tasks = [
        TaskScript {
            script: script.clone(),
            payload: Some(70000),
            gated: true,
            dir: WorkDir::In("/srv".into()),
            ..TaskScript::default()
        },
        TaskScript { script, as_user: Some("deploy".into()), ..TaskScript::default() },
    ];
    let shell = Shell {
        umask: Some(0o22),
        env: BTreeMap::from([("A".into(), "$PATH:x".into())]),
        lock: Some(Lock { file: "/srv/app/.deploy/lock".into(), token: "0f".into() }),
        ..settings()
    };
    let program = compile(&tasks, &shell).unwrap();
    for talk in [Talk::Programs, Talk::DataOut, Talk::DataIn] {
        let opening = Opening::new(&shell, &program, talk, HELLO, true);
        shellcheck(&[super::compile::SHELLCHECK.as_bytes(), &opening.input].concat());
    }
}

/// Fails with shellcheck's findings, if it has any.
fn shellcheck(text: &[u8]) {
    let mut child = Command::new("shellcheck").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
