use super::*;

/// Tells of `done` MB after `millis`.
fn transfer(run: &mut Run, millis: u64, what: &str, done: u64) {
    let (what, done, total) = (what.to_owned(), done * 1_000_000, Some(470_000_000));
    run.plain.event(Duration::from_millis(millis), &Event::Progress { step: 0, server: None, what, done, total });
}

#[test]
fn without_a_terminal_a_transfer_has_a_line_now_and_then() {
    let mut run = Run::new(PLAIN, &[], &[("db:backup", &[])]);
    run.start(0, None);
    for second in 1..=25 {
        transfer(&mut run, second * 1000, "dump", second * 4);
    }
    run.plain.tick(Duration::from_secs(33));
    transfer(&mut run, 34_000, "load", 1);
    transfer(&mut run, 36_000, "load", 9);
    run.now = Duration::from_secs(36);
    run.finish(0, None, Outcome::Done);
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging
    00:01 db:backup
          dump: 44.0 MB of 470 MB, 9 %, 4.0 MB/s, 1 m 47 s left
          dump: 84.0 MB of 470 MB, 17 %, 4.0 MB/s, 1 m 37 s left
          dump: 100 MB of 470 MB, 21 %, 0 B/s
          dump: 100 MB in 24.0s, 4.2 MB/s
          load: 9.0 MB in 2.00s, 4.5 MB/s
          0.12s
    ");
}

#[test]
fn on_a_terminal_a_transfer_has_one_line_that_is_redrawn() {
    let look = Look { live: true, width: Some(60), ..PLAIN };
    let mut run = Run::new(look, &[], &[("db:backup", &[]), ("db:prune", &[])]);
    run.start(0, None);
    transfer(&mut run, 1000, "dump", 1);
    transfer(&mut run, 1100, "dump", 2);
    assert!(!run.shown().contains('\x1b'), "it may be over at once");
    transfer(&mut run, 1500, "dump", 21);
    transfer(&mut run, 1550, "dump", 22);
    transfer(&mut run, 2000, "dump", 41);
    run.plain.tick(Duration::from_millis(2100));
    run.now = Duration::from_millis(2100);
    run.tell(Event::Warning { step: Some(0), server: None, text: "slow".into() });
    transfer(&mut run, 3200, "load", 0);
    run.now = Duration::from_millis(3300);
    run.finish(0, None, Outcome::Done);
    run.start(1, None);
    let shown = run.shown().replace("\x1b[?7l", "<").replace("\x1b[K\x1b[?7h", ">").replace("\x1b[K", "#");
    insta::assert_snapshot!(shown.replace('\r', "\n^"), @r"
    deploy staging
    00:01 db:backup

    ^<      dump: 21.0 MB of 470 MB, 4 %, 40.0 MB/s, 12 s left>
    ^<      dump: 41.0 MB of 470 MB, 8 %, 40.0 MB/s, 11 s left>
    ^<      dump: 41.0 MB of 470 MB, 8 %, 36.4 MB/s, 12 s left>
    ^#warning: db:backup: slow

    ^<      dump: 41.0 MB of 470 MB, 8 %, 36.4 MB/s, 12 s left>
    ^<      dump: 41.0 MB of 470 MB, 8 %, 19.0 MB/s, 23 s left>
    ^#      dump: 41.0 MB in 1.00s, 41.0 MB/s
          0.12s
    00:05 db:prune
    ");
}

#[test]
fn a_quiet_run_shows_no_transfer() {
    for live in [true, false] {
        let mut run = Run::new(Look { live, verbosity: Verbosity::Quiet, ..PLAIN }, &[], &[("db:backup", &[])]);
        run.start(0, None);
        (1..40).for_each(|second| transfer(&mut run, second * 1000, "dump", second));
        run.finish(0, None, Outcome::Done);
        assert_eq!(run.shown(), "");
    }
}

#[test]
fn of_several_transfers_the_first_is_shown_and_the_others_counted() {
    let look = Look { live: true, ..PLAIN };
    let mut run = Run::new(look, &["app1", "app2"], &[("page:upload", &[0, 1])]);
    for (second, server) in [(1, 1), (1, 0), (3, 1), (3, 0)] {
        let event =
            Event::Progress { step: 0, server: Some(server), what: "send".into(), done: second * 10, total: None };
        run.plain.event(Duration::from_secs(second), &event);
    }
    run.plain.tick(Duration::from_secs(4));
    assert!(run.shown().contains("      app1: send: 30 B, 6 B/s (and 1 more)\x1b[K"), "{}", run.shown());
}
