use super::super::facts::Facts;
use super::super::testing::{about, assert_mendable, by_hand, stage};
use super::*;

/// What is found on a server that says `facts`.
fn found(facts: &[(&str, &str)]) -> Vec<Finding> {
    let (stage, visit) = (stage(&[]), Visit { facts: Facts::of(facts), ..Visit::default() });
    let mut all = findings(&visit, by_hand(&stage));
    all.extend(git(&visit.facts, by_hand(&stage)));
    assert_mendable(&all);
    all
}

/// What is found about a server whose clock is `ahead` milliseconds, when its answer took `took` and the second had begun
/// `into` milliseconds before it was read.
fn clock(ahead: i64, took: i64, into: i64) -> Finding {
    let read_at = 1_790_000_000_000 + into;
    let clock =
        Clock { server: read_at - into, asked: read_at - ahead - took / 2, answered: read_at - ahead + took / 2 };
    let stage = stage(&[]);
    judge_clock(clock, by_hand(&stage))
}

#[test]
fn a_clock_is_right_as_far_as_the_round_trip_tells() {
    for (ahead, took, into) in [(0, 20, 0), (0, 20, 999), (900, 20, 500), (-900, 20, 500), (3_000, 8_000, 0)] {
        assert_eq!(clock(ahead, took, into).severity, Severity::Ok, "{ahead} {took} {into}");
    }
    assert_eq!(clock(0, 200, 500).value, "the same as here, to 0.6 s");
}

#[test]
fn a_clock_that_is_wrong_for_certain_is_told() {
    for into in [0, 500, 999] {
        assert_eq!(clock(4_000, 100, into).severity, Severity::Warning);
        assert_eq!(clock(-4_000, 100, into).severity, Severity::Warning);
        assert_eq!(clock(3_600_000, 100, into).severity, Severity::Problem);
    }
    let behind = clock(-60_000, 100, 500);
    assert_eq!(behind.value, "59 s behind this machine's");
    assert_eq!(behind.mend[0], "ssh -t -p 2222 deploy@app1 'sudo timedatectl set-ntp true'");
    assert!(clock(60_000, 100, 500).value.ends_with("s ahead of this machine's"));
}

#[test]
fn a_slow_answer_hides_a_small_difference_and_never_makes_one_up() {
    assert_eq!(clock(4_000, 10_000, 500).severity, Severity::Ok);
    assert_eq!(clock(0, 30_000, 500).severity, Severity::Ok);
    assert_eq!(clock(60_000, 10_000, 500).severity, Severity::Warning);
}

#[test]
fn what_a_login_shell_has_on_its_path_besides_is_told_with_the_line_to_write() {
    let all =
        found(&[("path", "/usr/bin:/bin"), ("path_lacks", "/home/deploy/.rbenv/shims\n/usr/local/bin\n/usr/sbin")]);
    let path = about("path", &all);
    assert_eq!(path.severity, Severity::Warning);
    assert!(
        path.mend[0].ends_with("default_env = { PATH = \"/home/deploy/.rbenv/shims:/usr/local/bin:$PATH\" }"),
        "{path:?}"
    );
}

#[test]
fn folders_of_the_system_are_not_missed() {
    let all = found(&[("path", "/usr/bin"), ("path_lacks", "/usr/sbin\n/sbin\n/usr/games")]);
    let path = about("path", &all);
    assert_eq!(
        (path.severity, path.value.as_str()),
        (Severity::Ok, "/usr/bin (a login shell also has /usr/sbin:/sbin:/usr/games)")
    );
}

#[test]
fn git_must_understand_what_scripts_say() {
    let severity = |said: &str| about("git", &found(&[("git", said)])).severity;
    for fine in ["git version 1.9.1", "git version 2.47.3", "git version 3.1", "git version 2.39.5 (Apple Git-154)"] {
        assert_eq!(severity(fine), Severity::Ok, "{fine}");
    }
    for old in ["git version 1.8.3.1", "git version 1.7.12", ""] {
        assert_eq!(severity(old), Severity::Problem, "{old}");
    }
    let all = found(&[("git", ""), ("packages", "dnf install")]);
    assert_eq!(about("git", &all).mend, ["ssh -t -p 2222 deploy@app1 'sudo dnf install git'"]);
}

#[test]
fn tools_that_are_missing_are_named() {
    let all = found(&[("tools_missing", "awk\ndd iflag=fullblock"), ("no_rename", "yes")]);
    let tools = about("tools", &all);
    assert_eq!((tools.severity, tools.value.as_str()), (Severity::Problem, "missing: awk, dd iflag=fullblock, mv -T"));
    assert_eq!(about("tools", &found(&[("tools_missing", "timeout")])).severity, Severity::Warning);
    assert_eq!(about("tools", &found(&[("tools_missing", "")])).severity, Severity::Ok);
}

#[test]
fn a_folder_for_temporary_files_must_let_programs_run() {
    let severity = |state: &str| about("tmp_dir", &found(&[("tmp", state)])).severity;
    assert_eq!(severity("fine"), Severity::Ok);
    assert_eq!(severity("noexec"), Severity::Warning);
    for state in ["missing", "unwritable", "full"] {
        assert_eq!(severity(state), Severity::Problem, "{state}");
    }
}

#[test]
fn startup_files_that_print_are_told_with_what_they_say() {
    let stage = stage(&[]);
    let visit = Visit { strays: vec!["Welcome!".into()], ..Visit::default() };
    let all = findings(&visit, by_hand(&stage));
    assert!(about("startup_files", &all).value.ends_with("\nWelcome!"));
    assert_mendable(&all);
}

#[test]
fn what_a_server_did_not_say_is_not_judged() {
    assert_eq!(found(&[]), []);
}
