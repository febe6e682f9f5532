#[path = "plain/transfer_tests.rs"]
mod transfers;

use proptest::collection::vec;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use proptest::sample::subsequence;

use super::super::screen::Captured;
use super::*;
use crate::event::{StepOutline, Stream, Traffic};

/// A run that is told event by event; the clock moves by a second with each.
struct Run {
    plain: Plain,
    /// Both streams, as one terminal shows them.
    shown: Captured,
    out: Captured,
    err: Captured,
    now: Duration,
}

const PLAIN: Look = Look {
    run: Target::Out,
    signs: false,
    colour_run: false,
    colour_err: false,
    width: None,
    live: false,
    verbosity: Verbosity::Normal,
};

impl Run {
    /// A run of `steps`, each with the numbers of its servers.
    fn new(look: Look, servers: &[&str], steps: &[(&str, &[ServerNo])]) -> Run {
        let (shown, out, err) = <(Captured, Captured, Captured)>::default();
        let tee = |stream: &Captured| Box::new(Tee(shown.writer(), stream.writer()));
        let screen = Screen::of_terminals(tee(&out), tee(&err));
        let steps = steps.iter().map(|(id, servers)| StepOutline {
            id: (*id).to_owned(),
            about: String::new(),
            servers: servers.to_vec(),
        });
        let outline = Outline {
            task: "deploy".into(),
            stage: "staging".into(),
            servers: servers.iter().map(|server| (*server).to_owned()).collect(),
            steps: steps.collect(),
            log_file: Some("target/deploy/log/x.log".into()),
        };
        let mut run = Run { plain: Plain::new(screen, look), shown, out, err, now: Duration::ZERO };
        run.plain.event(run.now, &Event::Started(outline));
        run
    }

    fn tell(&mut self, event: Event) {
        self.now += Duration::from_secs(1);
        self.plain.event(self.now, &event);
    }

    fn start(&mut self, step: StepNo, server: impl Into<Option<ServerNo>>) {
        self.tell(Event::StepStarted { step, server: server.into() });
    }

    fn finish(&mut self, step: StepNo, server: impl Into<Option<ServerNo>>, outcome: Outcome) {
        let elapsed = Duration::from_millis(120);
        self.tell(Event::StepFinished { step, server: server.into(), elapsed, outcome });
    }

    fn run(&mut self, step: StepNo, server: impl Into<Option<ServerNo>> + Copy) {
        self.start(step, server);
        self.finish(step, server, Outcome::Done);
    }

    fn output(&mut self, step: StepNo, server: impl Into<Option<ServerNo>>, line: &[u8]) {
        self.tell(Event::Output { step, server: server.into(), stream: Stream::Stdout, line: line.to_vec() });
    }

    fn end(&mut self, error: Option<&str>, summary: &str, traffic: Vec<Traffic>) {
        let (error, summary) = (error.map(str::to_owned), summary.to_owned());
        self.tell(Event::Finished { elapsed: Duration::from_millis(42_100), error, summary, traffic });
    }

    fn shown(&self) -> String {
        self.shown.text()
    }
}

/// Writes to both.
struct Tee(Box<dyn std::io::Write + Send>, Box<dyn std::io::Write + Send>);

impl std::io::Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn failure(reason: &str) -> Outcome {
    Outcome::Failed(Failure {
        command: Some("bundle exec rake db:migrate".into()),
        position: Some((2, 5)),
        reason: reason.into(),
        tail: vec!["rake aborted!".into(), "\x1b[31mPG::Error\x1b[0m\x07".into()],
        hints: vec!["is the database up?".into(), "run it again by\n`cargo xtask deploy migrate staging`".into()],
    })
}

#[test]
fn a_task_of_one_server_takes_one_line() {
    let mut run =
        Run::new(PLAIN, &["deploy@app1"], &[("deploy:ensure_stage", &[]), ("deploy:check", &[0]), ("x", &[0])]);
    run.run(0, None);
    run.run(1, 0);
    run.start(2, 0);
    run.finish(2, 0, Outcome::Skipped("it is\nthere".into()));
    run.end(None, "deployed 20261122101500 (abc1234) to 1 server", vec![]);
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: deploy@app1
    00:01 deploy:ensure_stage  0.12s
    00:03 deploy:check         deploy@app1 0.12s
    00:05 x                    deploy@app1 skipped: it is there
    deployed 20261122101500 (abc1234) to 1 server in 42.1s
    ");
}

#[test]
fn a_task_of_several_servers_takes_one_line_each() {
    let mut run =
        Run::new(PLAIN, &["app1", "deploy@app2:2222"], &[("deploy:check", &[0, 1]), ("deploy:migrate", &[1])]);
    run.start(0, 1);
    run.start(0, 0);
    run.finish(0, 1, Outcome::Done);
    run.finish(0, 0, Outcome::Done);
    run.run(1, 1);
    run.end(None, "", vec![]);
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: app1, deploy@app2:2222
    00:01 deploy:check
          deploy@app2:2222 0.12s
          app1             0.12s
    00:05 deploy:migrate  deploy@app2:2222 0.12s
    done in 42.1s
    ");
}

#[test]
fn a_server_that_is_ahead_waits_for_its_turn() {
    let steps: [(&str, &[ServerNo]); 3] = [("one", &[0, 1]), ("two", &[0, 1]), ("three", &[0])];
    let mut run = Run::new(PLAIN, &["fast", "slow"], &steps);
    run.start(0, 1);
    run.run(0, 0);
    run.run(1, 0);
    run.run(2, 0);
    let before = run.shown();
    run.finish(0, 1, Outcome::Done);
    run.run(1, 1);
    insta::assert_snapshot!(before, @r"
    deploy staging: fast, slow
    00:01 one
          fast 0.12s
    ");
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: fast, slow
    00:01 one
          fast 0.12s
          slow 0.12s
    00:04 two
          fast 0.12s
          slow 0.12s
    00:06 three  fast 0.12s
    ");
}

#[test]
fn what_a_server_writes_while_it_waits_for_its_turn_is_bounded() {
    let look = Look { verbosity: Verbosity::Verbose, ..PLAIN };
    let mut run = Run::new(look, &["fast", "slow"], &[("one", &[0, 1]), ("two", &[0])]);
    run.run(0, 0);
    run.start(1, 0);
    for _ in 0..MOST_WAITING + 5 {
        run.output(1, 0, b"much");
    }
    run.finish(1, 0, Outcome::Done);
    run.run(0, 1);
    let shown = run.shown();
    assert_eq!(shown.lines().filter(|line| line.ends_with("fast | much")).count(), MOST_WAITING - 1);
    assert!(shown.ends_with("      fast 0.12s\n      (6 more lines are in the log file)\n"));
}

#[test]
fn where_the_output_is_for_the_result_the_run_is_shown_on_standard_error() {
    let mut run = Run::new(Look { run: Target::Err, ..PLAIN }, &["app1"], &[("db:backup", &[])]);
    run.start(0, None);
    run.tell(Event::Note { step: Some(0), server: None, text: "12 tables".into() });
    run.finish(0, None, Outcome::Done);
    run.tell(Event::Result { text: "backups/x\n".into() });
    run.end(None, "", vec![]);
    assert_eq!(run.out.text(), "");
    insta::assert_snapshot!(run.err.text(), @r"
    deploy staging
    00:01 db:backup
          12 tables
          0.12s
    done in 42.1s
    ");
}

#[test]
fn a_task_that_no_server_ran_is_not_shown() {
    let steps: [(&str, &[ServerNo]); 4] = [("one", &[0, 1]), ("two", &[0, 1]), ("three", &[0, 1]), ("failed", &[0, 1])];
    let mut run = Run::new(PLAIN, &["good", "bad"], &steps);
    run.start(0, 0);
    run.start(0, 1);
    run.finish(0, 1, failure("exit status 1"));
    run.finish(0, 0, Outcome::Done);
    run.run(1, 0);
    run.run(3, 1);
    run.run(3, 0);
    run.end(Some("deploy failed"), "", vec![]);
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: good, bad
    00:01 one
          bad  failed after 0.12s: exit status 1
          good 0.12s
    00:05 two
          good 0.12s
    00:07 failed
          bad  0.12s
          good 0.12s

    one failed on bad
      command: bundle exec rake db:migrate
      step: 2 of 5
      reason: exit status 1
      last lines of output:
        | rake aborted!
        | PG::Error\x07
      hint: is the database up?
      hint: run it again by
            `cargo xtask deploy migrate staging`
    failed after 42.1s
    everything is in target/deploy/log/x.log
    ");
}

#[test]
fn failures_of_several_servers_stand_whole_at_the_end_on_standard_error() {
    let mut run = Run::new(Look { width: Some(40), ..PLAIN }, &["app1", "app2"], &[("deploy:migrate", &[0, 1])]);
    run.start(0, 0);
    run.start(0, 1);
    run.finish(0, 0, failure("exit status 1, which is a reason that is longer than the terminal is wide"));
    let tail = (1..=25).map(|number| format!("line {number}")).collect();
    let reason = "killed by signal KILL".to_owned();
    run.finish(0, 1, Outcome::Failed(Failure { reason, tail, ..Failure::default() }));
    run.end(Some("deploy failed on 2 servers"), "", vec![]);
    insta::assert_snapshot!(run.err.text(), @r"
    deploy:migrate failed on app1
      command: bundle exec rake db:migrate
      step: 2 of 5
      reason: exit status 1, which is a reason that is longer than the terminal is wide
      last lines of output:
        | rake aborted!
        | PG::Error\x07
      hint: is the database up?
      hint: run it again by
            `cargo xtask deploy migrate staging`

    deploy:migrate failed on app2
      reason: killed by signal KILL
      last 20 lines of output:
        | line 6
        | line 7
        | line 8
        | line 9
        | line 10
        | line 11
        | line 12
        | line 13
        | line 14
        | line 15
        | line 16
        | line 17
        | line 18
        | line 19
        | line 20
        | line 21
        | line 22
        | line 23
        | line 24
        | line 25
    everything is in target/deploy/log/x.log
    ");
    insta::assert_snapshot!(run.out.text(), @r"
    deploy staging: app1, app2
    00:01 deploy:migrate
          app1 failed after 0.12s: exit sta…
          app2 failed after 0.12s: killed b…
    failed after 42.1s
    ");
}

#[test]
fn a_lost_server_is_named_and_does_not_hold_up_the_others() {
    let mut run = Run::new(PLAIN, &["app1", "app2"], &[("one", &[0, 1]), ("two", &[0, 1])]);
    run.start(0, 0);
    run.start(0, 1);
    run.tell(Event::Disconnected { server: 1, message: "the connection was reset\n  hint: x".into() });
    run.finish(0, 0, Outcome::Done);
    run.run(1, 0);
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: app1, app2
    00:01 one
          app2: the connection was reset
          app1 0.12s
    00:05 two
          app1 0.12s
    ");
}

#[test]
fn with_v_output_connections_and_traffic_are_shown_with_the_server() {
    let look = Look { verbosity: Verbosity::Verbose, ..PLAIN };
    let mut run = Run::new(look, &["app1", "app2"], &[("deploy:check", &[0, 1]), ("deploy:build", &[])]);
    run.tell(Event::Connected { server: 0, elapsed: Duration::from_millis(340) });
    run.start(0, 0);
    run.start(0, 1);
    run.output(0, 1, b"plain \x1b[2J caf\xe9");
    run.output(0, 0, b"10%\r100%");
    run.finish(0, 0, Outcome::Done);
    run.finish(0, 1, Outcome::Done);
    run.start(1, None);
    run.output(1, None, b"built");
    run.finish(1, None, Outcome::Done);
    let login = Duration::from_millis(340);
    let busy = Traffic { connections: 1, execs: 5, sent: 12_345, received: 999, login };
    run.end(None, "deployed", vec![busy, Traffic::default()]);
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: app1, app2
          app1: connected 0.34s
    00:02 deploy:check
          app2 | plain \x1b[2J caf\xe9
          app1 | 100%
          app1 0.12s
          app2 0.12s
    00:08 deploy:build
          | built
          0.12s
    deployed in 42.1s
    server  connections  execs     sent  received  login
    app1              1      5  12.3 kB     999 B  0.34s
    app2              0      0      0 B       0 B  0.00s
    everything is in target/deploy/log/x.log
    ");
}

#[test]
fn notes_stand_in_the_block_of_their_task_and_warnings_on_standard_error() {
    let mut run = Run::new(PLAIN, &["app1"], &[("one", &[0]), ("two", &[0])]);
    run.tell(Event::Note { step: None, server: Some(0), text: "waiting for the lock".into() });
    run.start(0, 0);
    run.tell(Event::Note { step: Some(0), server: Some(0), text: "two\nlines".into() });
    run.tell(Event::Warning { step: Some(0), server: Some(0), text: "the disk is\n95 % full".into() });
    run.finish(0, 0, Outcome::Done);
    run.tell(Event::Warning { step: None, server: None, text: "late".into() });
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: app1
          app1: waiting for the lock
    00:02 one
          app1: two
          app1: lines
    warning: app1: one: the disk is
             95 % full
          app1 0.12s
    warning: late
    ");
    assert_eq!(run.err.text(), "warning: app1: one: the disk is\n         95 % full\nwarning: late\n");
}

#[test]
fn a_task_that_takes_long_has_its_line_ended() {
    let mut run = Run::new(PLAIN, &["app1"], &[("deploy:compile_assets", &[0])]);
    run.start(0, 0);
    run.plain.tick(Duration::from_secs(5));
    assert!(run.shown().ends_with("deploy:compile_assets"));
    run.plain.tick(Duration::from_secs(6));
    assert!(run.shown().ends_with("deploy:compile_assets\n"));
    run.finish(0, 0, Outcome::Done);
    assert!(run.shown().ends_with("deploy:compile_assets\n      app1 0.12s\n"));
}

#[test]
fn a_terminal_gets_signs_colours_and_lines_that_fit() {
    let look = Look { signs: true, colour_run: true, width: Some(24), ..PLAIN };
    let mut run = Run::new(look, &["app1"], &[("deploy:check", &[0]), ("deploy:build", &[])]);
    run.run(0, 0);
    run.start(1, None);
    run.finish(1, None, failure("exit status 1"));
    run.end(Some("failed"), "", vec![]);
    insta::assert_snapshot!(run.shown().replace('\x1b', "^"), @r"
    ^[1mdeploy staging^[0m: app1
    ^[2m00:01^[0m ^[1mdeploy:check^[0m  ^[32m✔^[0m a…
    ^[2m00:03^[0m ^[1mdeploy:build^[0m  ^[1;31m✘^[0m ^[1;31mf^[0m…

    ✘ deploy:build failed
      command: bundle exec rake db:migrate
      step: 2 of 5
      reason: exit status 1
      last lines of output:
        | rake aborted!
        | PG::Error\x07
      hint: is the database up?
      hint: run it again by
            `cargo xtask deploy migrate staging`
    ^[1;31m✘ ^[0m^[1mfailed^[0m^[2m after 42.1s^[0m
    everything is in target/deploy/log/x.log
    ");
}

#[test]
fn quiet_shows_warnings_and_failures_only() {
    let look = Look { verbosity: Verbosity::Quiet, ..PLAIN };
    let mut run = Run::new(look, &["app1"], &[("one", &[0]), ("two", &[0])]);
    run.run(0, 0);
    run.tell(Event::Note { step: Some(1), server: None, text: "a note".into() });
    run.start(1, 0);
    run.finish(1, 0, Outcome::Failed(Failure { reason: "exit status 1".into(), ..Failure::default() }));
    run.end(Some("failed"), "", vec![]);
    assert_eq!(
        run.shown(),
        "\ntwo failed on app1\n  reason: exit status 1\neverything is in target/deploy/log/x.log\n"
    );
}

#[test]
fn a_run_that_breaks_off_shows_what_it_has() {
    let mut run = Run::new(PLAIN, &["fast", "slow"], &[("one", &[0, 1]), ("two", &[0, 1])]);
    run.run(0, 0);
    run.start(1, 0);
    run.finish(1, 0, Outcome::Failed(Failure { reason: "exit status 1".into(), ..Failure::default() }));
    run.plain.end();
    insta::assert_snapshot!(run.shown(), @r"
    deploy staging: fast, slow
    00:01 one
          fast 0.12s
    00:03 two
          fast failed after 0.12s: exit status 1

    two failed on fast
      reason: exit status 1
    ");
}

proptest! {
    /// Whatever servers are ahead of others and wherever some fail: blocks follow the plan's order, none is torn, and
    /// every result stands in the block of its task.
    #[test]
    fn blocks_stand_in_the_order_of_the_plan(
        on in vec(subsequence(vec![0, 1, 2], 0..=3), 1..6),
        order in vec(0..3_usize, 0..60),
        failing in (0..6_usize, 0..3_usize),
    ) {
        let ids = (0..on.len()).map(|step| format!("task{step}")).collect::<Vec<_>>();
        let steps = ids.iter().zip(&on).map(|(id, on)| (id.as_str(), on.as_slice())).collect::<Vec<_>>();
        let mut run = Run::new(PLAIN, &["server0", "server1", "server2"], &steps);
        let mut expected = vec![Vec::new(); on.len()];
        let mut done = [0; 3];
        for server in order {
            let own = (0..on.len()).filter(|step| on[*step].contains(&server));
            let Some((step, ends)) = own.flat_map(|step| [(step, false), (step, true)]).nth(done[server]) else { continue };
            done[server] += 1;
            match (ends, (step, server) == failing) {
                (false, _) => run.start(step, server),
                (true, false) => run.finish(step, server, Outcome::Done),
                (true, true) => {
                    run.finish(step, server, Outcome::Failed(Failure::default()));
                    done[server] = usize::MAX;
                }
            }
            if ends {
                expected[step].push(format!("server{server}"));
            }
        }
        run.plain.end();
        let mut shown = vec![Vec::new(); on.len()];
        let mut last = None;
        for line in run.out.text().lines().skip(1) {
            if let Some(step) = (0..on.len()).find(|step| line.contains(&format!(" task{step}"))) {
                prop_assert!(last < Some(step), "{}", run.out.text());
                last = Some(step);
            }
            let server = (0..3).map(|server| format!("server{server}")).find(|server| line.contains(server));
            shown[last.unwrap()].extend(server);
        }
        prop_assert_eq!(shown, expected);
    }
}
