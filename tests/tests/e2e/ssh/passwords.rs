//! Users who log in with a password, alone or after a key. Only root can make such a user and serve it.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use deploy_core::transport::ssh::{AttemptOutcome, Login};
use e2e::{User, is_root};

use super::lab::{Lab, run};

/// A user with the password `open sesame`; `None` where the tests don't run as root.
fn user_with_password(lab: &Lab) -> Option<Arc<User>> {
    if !is_root() {
        return None;
    }
    let user = Arc::new(User::fresh());
    let mut chpasswd = lab.sandbox.command("chpasswd").stdin(Stdio::piped()).spawn().unwrap();
    writeln!(chpasswd.stdin.take().unwrap(), "{}:open sesame", user.name()).unwrap();
    assert!(chpasswd.wait().unwrap().success());
    Some(user)
}

#[test]
fn a_password_is_asked_for_once_and_serves_all_servers_of_its_user() {
    let mut lab = Lab::new();
    let Some(user) = user_with_password(&lab) else { return };
    let options = ["PasswordAuthentication yes", "AuthenticationMethods password"];
    let (one, two) = (lab.sshd("one", &options), lab.sshd("two", &options));
    lab.settings.identity_files.clear();
    lab.ask.expect(&["open sesame"]);
    for sshd in [&one, &two] {
        let (login, result) = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port()));
        assert_eq!(run(&result.unwrap(), "id -un").text().trim(), user.name());
        assert_eq!(login.attempts.last().unwrap().what, "password");
    }
    assert_eq!(lab.ask.asked().len(), 1);
}

#[test]
fn a_wrong_password_is_asked_for_again_once() {
    let lab = Lab::new();
    let Some(user) = user_with_password(&lab) else { return };
    let sshd = lab.sshd("app", &["PasswordAuthentication yes", "AuthenticationMethods password"]);
    lab.ask.expect(&["wrong", "open sesame"]);
    assert!(lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port())).1.is_ok());
    let mut lab = lab;
    lab.start_over();
    lab.ask.expect(&["wrong", "wrong", "open sesame"]);
    let error = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port())).1.err().unwrap();
    assert!(error.to_string().contains("password: refused"), "{error}");
    assert_eq!(lab.ask.asked().len(), 2);
}

#[test]
fn a_server_may_want_a_key_and_a_password() {
    let lab = Lab::new();
    let Some(user) = user_with_password(&lab) else { return };
    // The user's own sshd would read the key file as the user, who can't look into the sandbox.
    let keys = std::path::Path::new("/tmp").join(format!("keys-of-{}", user.name()));
    std::fs::write(&keys, lab.key.public()).unwrap();
    let options = [
        "PasswordAuthentication yes".to_owned(),
        "AuthenticationMethods publickey,password".to_owned(),
        format!("AuthorizedKeysFile {}", keys.display()),
    ];
    let sshd = lab.sshd("app", &options.each_ref().map(String::as_str));
    lab.ask.expect(&["open sesame"]);
    let (login, result) = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port()));
    let outcomes = |login: &Login| login.attempts.iter().map(|attempt| attempt.outcome.clone()).collect::<Vec<_>>();
    assert_eq!(outcomes(&login), [AttemptOutcome::Partial, AttemptOutcome::Accepted], "{:?}", result.err());
    assert_eq!(run(&result.unwrap(), "id -un").text().trim(), user.name());
    assert_eq!(login.connections, 2, "the first one asked for a channel too early");

    let (again, result) = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port()));
    std::fs::remove_file(keys).unwrap();
    assert_eq!(outcomes(&again), outcomes(&login), "{:?}", result.err());
    assert_eq!(again.connections, 1, "that it wants more than a key is remembered");
}

#[test]
fn questions_of_the_server_are_answered() {
    let lab = Lab::new();
    let Some(user) = user_with_password(&lab) else { return };
    let options = ["UsePAM yes", "KbdInteractiveAuthentication yes", "AuthenticationMethods keyboard-interactive"];
    let sshd = lab.sshd("app", &options);
    lab.ask.expect(&["open sesame"]);
    let (login, result) = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port()));
    assert_eq!(run(&result.unwrap(), "id -un").text().trim(), user.name());
    assert_eq!(login.attempts.last().unwrap().what, "keyboard-interactive");
    assert_eq!(lab.ask.asked().len(), 1);
}

#[test]
fn without_a_terminal_no_password_is_sent() {
    let lab = Lab::new();
    let Some(user) = user_with_password(&lab) else { return };
    for options in [
        &["PasswordAuthentication yes", "AuthenticationMethods password"][..],
        &["UsePAM yes", "KbdInteractiveAuthentication yes", "AuthenticationMethods keyboard-interactive"],
    ] {
        let sshd = lab.sshd(&format!("app{}", options.len()), options);
        let (_, result) = lab.try_to_log_in_as(Some(user.name()), "127.0.0.1", Some(sshd.port()));
        let error = result.err().unwrap().to_string();
        assert!(error.contains("there is no terminal"), "{error}");
        assert!(!sshd.log().contains("Failed password"), "{}", sshd.log());
    }
}
