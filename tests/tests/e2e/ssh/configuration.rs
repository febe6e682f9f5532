//! The same ssh_config, read by us and by OpenSSH's own client: both must end up in the same place.

use deploy_core::transport::Output;
use e2e::Sshd;

use super::lab::{Lab, openssh, run};

/// What a login to `alias` leads to: `user@server`, or `nowhere`.
fn ours(lab: &Lab, alias: &str) -> String {
    match lab.try_to_log_in(alias, None).1 {
        Ok(connection) => match run(&connection, WHERE) {
            done if matches!(done.end, Output::Exit(_)) => done.text().trim().to_owned(),
            _ => "nowhere".into(),
        },
        Err(_) => "nowhere".into(),
    }
}

/// The same by OpenSSH.
fn theirs(lab: &Lab, alias: &str) -> String {
    let config = lab.sandbox.join("ssh_config").display().to_string();
    let output = openssh(lab, &["-F", &config, alias, WHERE]).output().expect("ssh is installed");
    match output.status.code() {
        Some(0) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "nowhere".into(),
    }
}

/// Prints the user and the server's port.
const WHERE: &str = "set -- $SSH_CONNECTION; echo \"$(id -un)@$4\"";

/// Checks each alias in `config`, in which `ONE` and `TWO` are the ports of two servers.
#[track_caller]
fn compare(config: &str, aliases: &[(&str, char)]) {
    let mut lab = Lab::new();
    let (one, two) = (lab.sshd("one", &[]), lab.sshd("two", &[]));
    let extra = lab.sandbox.join("extra");
    let key = lab.key.path().display().to_string();
    let fill = |text: &str| {
        text.replace("ONE", &one.port().to_string())
            .replace("TWO", &two.port().to_string())
            .replace("KEY", &key)
            .replace("EXTRA", &extra.display().to_string())
            .replace("CONFIG", &lab.sandbox.join("ssh_config").display().to_string())
    };
    let (main, included) = config.split_once("-- extra --\n").unwrap_or((config, ""));
    std::fs::write(&extra, fill(included)).unwrap();
    let common = format!(
        "Host *\n  IdentityAgent none\n  StrictHostKeyChecking yes\n  GlobalKnownHostsFile none\n  UserKnownHostsFile {}\n",
        lab.sandbox.join("known_hosts").display()
    );
    let text = fill(main) + &common;
    lab.configure(&text);
    for (alias, expected) in aliases {
        let place = |sshd: &Sshd| format!("{}@{}", sshd.user(), sshd.port());
        let expected = match expected {
            '1' => place(&one),
            '2' => place(&two),
            _ => "nowhere".into(),
        };
        assert_eq!(theirs(&lab, alias), expected, "ssh {alias}, with\n{text}");
        assert_eq!(ours(&lab, alias), expected, "we to {alias}, with\n{text}");
    }
}

#[test]
fn hosts_patterns_and_first_values() {
    compare(
        "Host one\n  HostName 127.0.0.1\n  Port ONE\nHost t?o *.two !not.two\n  HostName localhost\n  HostName 127.0.0.1\n\
         \x20 Port TWO\n  HostKeyAlias [127.0.0.1]:TWO\nHost *\n  IdentityFile KEY\n",
        &[("one", '1'), ("two", '2'), ("a.two", '2'), ("not.two", '-'), ("other.invalid", '-')],
    );
}

#[test]
fn match_blocks_with_commands_and_users() {
    compare(
        "Match originalhost one exec \"test -n one\"\n  HostName 127.0.0.1\n  Port ONE\n\
         Match originalhost one exec false\n  Port TWO\n\
         Match originalhost two user nobody-else\n  Port ONE\n\
         Match originalhost two\n  HostName 127.0.0.1\n  Port TWO\n\
         Match all\n  IdentityFile KEY\n",
        &[("one", '1'), ("two", '2')],
    );
}

#[test]
fn included_files_count_where_they_stand() {
    compare(
        "Host one\n  Include EXTRA\nHost *\n  IdentityFile KEY\n-- extra --\nHostName 127.0.0.1\nPort ONE\n",
        &[("one", '1'), ("two.invalid", '-')],
    );
}

#[test]
fn tokens_in_key_files_and_wrong_keys() {
    compare(
        "Host one two\n  HostName 127.0.0.1\nHost one\n  Port ONE\n  IdentityFile %d/no-such-key\n  IdentityFile KEY\n\
         Host two\n  Port TWO\n  IdentityFile %d/no-such-key\n  IdentitiesOnly yes\n",
        &[("one", '1'), ("two", '-')],
    );
}

#[test]
fn jumps_and_proxy_commands() {
    compare(
        "Host direct behind command none\n  HostName 127.0.0.1\nHost direct\n  Port ONE\n\
         Host behind\n  Port TWO\n  ProxyJump direct\n\
         Host command\n  Port TWO\n  ProxyCommand ssh -F CONFIG -W %h:%p direct\n\
         Host none\n  Port TWO\n  ProxyJump none\n\
         Host broken\n  HostName 127.0.0.1\n  Port TWO\n  ProxyCommand false\n\
         Match originalhost none\n  ProxyJump direct\nHost *\n  IdentityFile KEY\n",
        &[("direct", '1'), ("behind", '2'), ("command", '2'), ("none", '2'), ("broken", '-')],
    );
}

#[test]
fn a_file_that_ssh_refuses_is_read_without_it() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let (key, known) = (lab.key.path().display().to_string(), lab.sandbox.join("known_hosts").display().to_string());
    lab.configure(&format!(
        "Host app\n  NoSuchOption yes\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {key}\n  UserKnownHostsFile {known}\n",
        sshd.port()
    ));
    let (login, connection) = lab.try_to_log_in("app", None);
    connection.unwrap();
    assert!(login.warnings.len() == 1 && login.warnings[0].contains("nosuchoption"), "{:?}", login.warnings);
}
