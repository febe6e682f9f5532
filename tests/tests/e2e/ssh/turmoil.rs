//! Everything at once on one connection: what one command does must never show in another.

use std::time::Duration;

use deploy_core::transport::ssh::Connection;
use deploy_core::transport::{Exit, Output, Transport};

use super::lab::{Lab, finish, run};
use super::line::Line;

/// How many commands run one after the other, and how many such rows side by side.
const ROUNDS: u64 = 8;
const ROWS: u64 = 14;

#[test]
fn commands_of_all_kinds_do_not_disturb_each_other_while_keys_are_renewed() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &["RekeyLimit 1M"]);
    trouble(&lab.log_in(sshd.port()));
}

#[test]
fn nor_do_they_over_a_long_line() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let line = Line::to(sshd.port(), Duration::from_millis(10));
    lab.know(line.port(), &sshd.host_key());
    trouble(&lab.log_in(line.port()));
}

#[test]
fn nor_do_they_through_a_jump_host() {
    let mut lab = Lab::new();
    let (bastion, sshd) = (lab.sshd("bastion", &["RekeyLimit 1M"]), lab.sshd("app", &["RekeyLimit 1M"]));
    lab.settings.proxy_jump = Some(format!("127.0.0.1:{}", bastion.port()));
    trouble(&lab.log_in(sshd.port()));
}

fn trouble(connection: &Connection) {
    std::thread::scope(|scope| {
        for row in 0..ROWS {
            scope.spawn(move || {
                let mut random = Random(row + 1);
                for _ in 0..ROUNDS {
                    some_command(connection, &mut random);
                }
            });
        }
    });
    assert_eq!(run(connection, "echo calm").text(), "calm\n");
}

fn some_command(connection: &Connection, random: &mut Random) {
    let size = random.below(40) * 50_000 + 1;
    match random.below(5) {
        0 => {
            let done = run(connection, &format!("head -c {size} /dev/zero; exit 3"));
            assert_eq!(done.stdout.len(), size);
            assert!(matches!(done.end, Output::Exit(Exit::Status(3))), "{:?}", done.end);
        }
        1 => {
            let mut process = connection.exec("wc -c");
            for piece in vec![0; size].chunks(77_777) {
                assert!(process.stdin.send(piece.to_vec()));
            }
            process.stdin.close();
            assert_eq!(finish(process).text().trim(), size.to_string());
        }
        2 => {
            let sent: Vec<u8> = (0..size).map(|index| index as u8).collect();
            let mut process = connection.exec("cat");
            assert!(process.stdin.send(sent.clone()));
            process.stdin.close();
            assert!(finish(process).stdout == sent);
        }
        3 => {
            // Forgotten with input under way and output to come.
            let mut process = connection.exec("cat");
            process.stdin.send(vec![1; size]);
        }
        _ => {
            // Ends without reading what is sent.
            let mut process = connection.exec("exit 9");
            process.stdin.send(vec![2; size]);
            let end = finish(process).end;
            assert!(matches!(end, Output::Exit(Exit::Status(9))), "{end:?}");
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit) as usize
    }
}
