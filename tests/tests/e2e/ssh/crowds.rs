//! Many logins at once.

use std::time::Duration;

use super::lab::Lab;

#[test]
fn a_hundred_logins_to_one_server_that_allows_ten_at_a_time_all_succeed() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &["MaxStartups 10:30:100"]);
    lab.settings.connect_timeout = Some(Duration::from_secs(60));
    let connections = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| connections.lock().unwrap().push(lab.log_in(sshd.port())));
        }
    });
    let connections = connections.into_inner().unwrap();
    assert_eq!(connections.len(), 100);
    assert_eq!(connections.iter().map(|own| own.login().connections).sum::<u64>(), 100, "none was turned away");
    assert!(!sshd.log().contains("drop connection"));
}

#[test]
fn a_server_that_turns_logins_away_is_tried_again_before_anybody_authenticates() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &["MaxStartups 2:100:2"]);
    lab.settings.connect_timeout = Some(Duration::from_secs(60));
    let connections = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| connections.lock().unwrap().push(lab.log_in(sshd.port())));
        }
    });
    assert_eq!(connections.into_inner().unwrap().len(), 8);
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 8);
    assert_eq!(sshd.log().matches("Failed publickey").count(), 0);
}

#[test]
fn a_failed_login_is_not_tried_again() {
    let lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    std::fs::write(lab.sandbox.join("authorized_keys"), "").unwrap();
    lab.refused(sshd.port());
    assert_eq!(sshd.connections(), 1);
}
