//! systemd doesn't run where these tests do. Its programs are stand-ins, which note how they were called and know no
//! more of units than the test tells them: what a real systemd makes of these calls is not shown here.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use deploy_core::config::RecipeTable;
use deploy_core::event::Stream;
use deploy_core::script::{Decoder, Program, Report, Shell, TaskScript, compile};

use super::*;

/// What every stand-in does first: it notes its call, and which user manager it would reach.
const NOTE: &str = "#!/bin/sh\necho \"${0##*/} $*${XDG_RUNTIME_DIR:+ at $XDG_RUNTIME_DIR}\" >>\"$SITE/calls\"\n";

/// A systemctl. A file named like a unit says that it isn't well: `STATUS STATE RESTARTS`, where `STATUS` is that of
/// the restart itself, and `RESTARTS` how often systemd starts it again until it is asked for the second time.
const SYSTEMCTL: &str = r#"[ "$1" != --user ] || shift
action=$1
shift $(($# - 1))
read -r status state restarts 2>/dev/null <"$SITE/$1" || { status=0 state=active restarts=0; }
case $action in
  restart | reload-or-restart) exit "$status" ;;
  is-active) echo "$state"; [ "$state" = active ] || exit 3 ;;
  show)
    if [ -e "$SITE/$1.asked" ]; then echo "NRestarts=$restarts"; else echo NRestarts=0; fi
    : >"$SITE/$1.asked"
    ;;
  *) echo "this stand-in doesn't know $action" >&2; exit 64 ;;
esac
"#;

/// A server: what its units are like, and who logs in.
#[derive(Default)]
struct Site {
    units: Vec<(&'static str, &'static str)>,
    user: &'static str,
    runtime: Option<&'static str>,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    calls: Vec<String>,
    failure: Vec<String>,
    output: String,
    status: Option<i32>,
}

impl Site {
    fn new() -> Site {
        Site { user: "1000", ..Site::default() }
    }

    fn unit(mut self, name: &'static str, state: &'static str) -> Site {
        self.units.push((name, state));
        self
    }

    /// What comes of restarting the units that `toml` names, which is the same in every shell that servers have.
    fn restart(&self, toml: &str) -> Outcome {
        let outcomes = ["dash", "bash", "busybox"].map(|shell| (shell, self.restart_in(shell, toml)));
        for (shell, outcome) in &outcomes {
            assert_eq!(*outcome, outcomes[0].1, "{shell}");
        }
        let [(_, outcome), ..] = outcomes;
        outcome
    }

    fn restart_in(&self, shell: &str, toml: &str) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        self.set_up(folder.path(), shell);
        let program = program(toml);
        let mut command = Command::new("sh");
        command
            .args(["-c", &program.command()])
            .env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display()))
            .env("SITE", folder.path())
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(runtime) = self.runtime {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&program.text).unwrap();
        let output = child.wait_with_output().unwrap();
        let mut reports = Vec::new();
        let mut decoder = Decoder::new("00ff");
        decoder.feed(Stream::Stdout, &output.stdout, &mut |report| reports.push(report));
        decoder.feed(Stream::Stderr, &output.stderr, &mut |report| reports.push(report));
        outcome(folder.path(), &reports)
    }

    fn set_up(&self, folder: &Path, shell: &str) {
        let bin = folder.join("bin");
        std::fs::create_dir(&bin).unwrap();
        symlink(format!("/bin/{shell}"), bin.join("sh")).unwrap();
        let id = format!("case $1 in -u) echo {} ;; *) echo deploy ;; esac", self.user);
        let programs = [
            ("systemctl", SYSTEMCTL),
            ("journalctl", "echo 'shop[7]: no such port'"),
            ("sudo", "shift; exec \"$@\""),
            ("sleep", ":"),
        ];
        for (name, text) in programs {
            write_program(&bin.join(name), &format!("{NOTE}{text}"));
        }
        write_program(&bin.join("id"), &format!("#!/bin/sh\n{id}\n"));
        for (name, state) in &self.units {
            std::fs::write(folder.join(name), format!("{state}\n")).unwrap();
        }
    }
}

fn write_program(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o755)).unwrap();
}

fn outcome(folder: &Path, reports: &[Report]) -> Outcome {
    let calls = std::fs::read_to_string(folder.join("calls")).unwrap_or_default();
    let calls = calls.lines().map(str::to_owned).collect();
    let mut outcome = Outcome { calls, failure: Vec::new(), output: String::new(), status: None };
    for report in reports {
        match report {
            Report::Message(text) | Report::Hint(text) => outcome.failure.push(text.clone()),
            Report::Line { stream: Stream::Stderr, line, .. } => {
                outcome.output.push_str(&String::from_utf8_lossy(line));
            }
            Report::Ended(_, status) => outcome.status = Some(*status),
            _ => {}
        }
    }
    outcome
}

fn recipe(toml: &str) -> Systemd {
    RecipeTable::from_toml("systemd", toml).unwrap().read().unwrap()
}

fn program(toml: &str) -> Program {
    let tasks = [TaskScript { script: recipe(toml).script("shop"), ..TaskScript::default() }];
    compile(&tasks, &Shell { nonce: "00ff".into(), ..Shell::default() }).unwrap()
}

#[test]
fn without_units_the_one_of_the_applications_name_restarts_through_sudo() {
    let outcome = Site::new().restart("");
    assert_eq!(
        outcome.calls,
        [
            "sudo -n systemctl restart shop",
            "systemctl restart shop",
            "systemctl show --property NRestarts shop",
            "sleep 2",
            "systemctl is-active shop",
            "systemctl show --property NRestarts shop",
        ]
    );
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn root_needs_no_sudo_and_neither_does_who_says_so() {
    let root = Site { user: "0", ..Site::new() };
    for (site, toml) in [(root, ""), (Site::new(), "sudo = false")] {
        assert_eq!(site.restart(toml).calls[0], "systemctl restart shop", "{toml}");
    }
}

#[test]
fn each_unit_is_well_before_the_next_one_restarts() {
    let outcome = Site::new().unit("web@2", "0 failed 0").restart("units = ['web@{1..3}']\nsudo = false\nsettle = 0");
    assert_eq!(
        outcome.calls,
        [
            "systemctl restart web@1",
            "systemctl show --property NRestarts web@1",
            "systemctl is-active web@1",
            "systemctl show --property NRestarts web@1",
            "systemctl restart web@2",
            "systemctl show --property NRestarts web@2",
            "systemctl is-active web@2",
            "journalctl --unit web@2 --lines 20 --no-pager",
        ]
    );
    assert_eq!(outcome.status, Some(1));
}

#[test]
fn a_unit_that_is_not_active_is_told_with_its_journal() {
    let outcome = Site::new().unit("shop", "0 activating 0").restart("");
    assert_eq!(
        outcome.failure,
        ["the unit shop is activating after its restart", "on the server: systemctl status shop"]
    );
    assert_eq!(outcome.output, "shop[7]: no such port");
}

#[test]
fn a_unit_that_systemd_had_to_start_again_is_not_well() {
    let outcome = Site::new().unit("shop", "0 active 4").restart("journal_lines = 5");
    assert_eq!(outcome.failure[0], "the unit shop ended after its restart, and systemd started it again");
    assert!(outcome.calls.contains(&"journalctl --unit shop --lines 5 --no-pager".to_owned()), "{outcome:?}");
}

#[test]
fn a_restart_that_fails_is_told() {
    let outcome = Site::new().unit("shop", "5 inactive 0").restart("action = 'reload-or-restart'");
    assert_eq!(outcome.calls[1], "systemctl reload-or-restart shop");
    assert_eq!(outcome.failure[0], "systemctl reload-or-restart shop ended with status 5");
}

#[test]
fn units_of_the_user_are_asked_of_the_users_manager() {
    let site = Site { user: "/../../tmp", ..Site::new() };
    let outcome = site.restart("user = true\nsettle = 0");
    let at = " at /run/user//../../tmp";
    assert_eq!(outcome.calls[0], format!("systemctl --user restart shop{at}"));
    assert_eq!(outcome.calls[2], format!("systemctl --user is-active shop{at}"));
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn a_runtime_folder_that_is_known_stays() {
    let site = Site { runtime: Some("/tmp"), ..Site::new() };
    assert_eq!(site.restart("user = true").calls[0], "systemctl --user restart shop at /tmp");
}

#[test]
fn a_user_without_a_manager_is_told_how_to_have_one() {
    let outcome = Site { user: "987654", ..Site::new() }.restart("user = true");
    assert_eq!(
        outcome.failure,
        [
            "there is no /run/user/987654: the user manager of deploy does not run",
            "let it run without a login, once on the server: sudo loginctl enable-linger deploy",
        ]
    );
    assert!(outcome.calls.is_empty());
}

#[test]
fn a_command_of_ones_own_takes_the_place_of_systemctl_and_units_are_checked() {
    let toml = "command = 'systemctl restart all-of-it'\nunits = ['web', 'job']\nsettle = 0";
    let outcome = Site::new().unit("job", "0 failed 0").restart(toml);
    let actions: Vec<_> = outcome.calls.iter().filter(|call| !call.contains("show")).collect();
    let [own, web, job, journal] = actions.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((own.as_str(), web.as_str()), ("systemctl restart all-of-it", "systemctl is-active web"));
    assert_eq!(job.as_str(), "systemctl is-active job");
    assert!(journal.starts_with("journalctl --unit job "));
    assert_eq!(Site::new().restart("command = 'exit 3'").status, Some(3));
}

#[test]
fn the_scripts_pass_shellcheck() {
    for toml in ["", "sudo = false", "user = true", "command = 'x \"$y\"'\nunits = ['a@{1,2}']"] {
        let mut checker = Command::new("shellcheck");
        let mut child = checker.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&program(toml).text).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn it_is_a_part_of_the_restart_and_goes_with_the_flows() {
    let mut tasks = Tasks::default();
    tasks.task(Task::open(flow::RESTART, "Restart the application"));
    Systemd::default().register(&mut tasks);
    assert_eq!(tasks.check(), [""; 0]);
    assert!(tasks.get(&flow::RESTART).unwrap().is_filled());
    Xtask::new().recipe::<Systemd>().check().unwrap();
}

#[test]
fn a_wrong_unit_is_shown_in_its_place() {
    let error = RecipeTable::from_toml("systemd", "units = ['web@{1']").unwrap().read::<Systemd>().unwrap_err();
    assert!(error.to_string().contains("expected `{1,2}` or `{1..4}` in the braces"), "{error}");
}

/// Serde's own list of the keys, against the table at the top.
#[test]
fn the_table_of_settings_is_complete() {
    let error = RecipeTable::from_toml("systemd", "zzz = 1").unwrap().read::<Systemd>().unwrap_err().to_string();
    let (_, known) = error.split_once("known: ").expect("a list of what is known");
    let mut keys: Vec<_> = known.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut rows: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, keys);
}
