//! Key files and certificates of every kind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_core::transport::ssh::AttemptOutcome;
use deploy_core::transport::{Exit, Output};
use e2e::Key;

use super::lab::{Lab, run};

/// Makes a key with these arguments of ssh-keygen, and without a `.pub` beside it when `bare`.
fn keygen(lab: &Lab, name: &str, arguments: &[&str], bare: bool) -> PathBuf {
    let path = lab.sandbox.join(name);
    let mut command = lab.sandbox.command("ssh-keygen");
    command.args(["-q", "-C", name, "-f"]).arg(&path).args(arguments);
    succeed(command);
    let public = path.with_extension("pub");
    lab.authorize(fs::read_to_string(&public).unwrap().trim());
    if bare {
        fs::remove_file(public).unwrap();
    }
    path
}

fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn logs_in_with(lab: &mut Lab, port: u16, file: &Path) {
    lab.settings.identity_files = vec![file.to_owned()];
    let connection = lab.log_in(port);
    let attempts = &connection.login().attempts;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(attempts[0].outcome, AttemptOutcome::Accepted);
}

#[test]
fn every_type_and_format_of_key_logs_in_with_and_without_its_public_half() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")] {
        for format in ["RFC4716", "PEM", "PKCS8"] {
            // OpenSSH writes Ed25519 in its own format alone, whatever it is told.
            if kind == "ed25519" && format != "RFC4716" {
                continue;
            }
            for bare in [false, true] {
                let name = format!("{kind}-{bits}-{format}-{bare}");
                let file = keygen(&lab, &name, &["-t", kind, "-b", bits, "-m", format, "-N", ""], bare);
                logs_in_with(&mut lab, sshd.port(), &file);
            }
        }
    }
    assert!(lab.ask.asked().is_empty());
}

#[test]
fn encrypted_keys_are_asked_for_once_a_run_and_then_log_in_everywhere() {
    let mut lab = Lab::new();
    let (one, two) = (lab.sshd("one", &[]), lab.sshd("two", &[]));
    let variants: &[(&str, &[&str])] = &[
        ("openssh", &["-t", "ed25519"]),
        ("openssh-gcm", &["-t", "ed25519", "-Z", "aes256-gcm@openssh.com"]),
        ("openssh-chacha", &["-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com"]),
        ("openssh-cbc", &["-t", "ed25519", "-Z", "aes256-cbc"]),
        ("openssh-rsa", &["-t", "rsa", "-b", "2048"]),
        ("openssh-ecdsa", &["-t", "ecdsa", "-b", "384"]),
        ("openssh-ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("pkcs8", &["-t", "ecdsa", "-m", "PKCS8"]),
    ];
    for (name, arguments) in variants {
        for bare in [false, true] {
            lab.start_over();
            lab.ask.expect(&["open sesame"]);
            let file = keygen(&lab, &format!("{name}-{bare}"), &[arguments, &["-N", "open sesame"][..]].concat(), bare);
            logs_in_with(&mut lab, one.port(), &file);
            logs_in_with(&mut lab, two.port(), &file);
            assert_eq!(lab.ask.asked(), [format!("Passphrase for `{}`: ", file.display())], "{name}");
        }
    }
}

#[test]
fn nobody_is_asked_for_the_passphrase_of_a_key_that_the_server_does_not_want() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let stranger = Key::generate(lab.sandbox.join("stranger"), "ed25519", "secret");
    lab.settings.identity_files = vec![stranger.path().to_owned(), lab.key.path().to_owned()];
    let connection = lab.log_in(sshd.port());
    let outcomes: Vec<_> = connection.login().attempts.iter().map(|attempt| attempt.outcome.clone()).collect();
    assert_eq!(outcomes, [AttemptOutcome::Refused, AttemptOutcome::Accepted]);
    assert!(lab.ask.asked().is_empty());
}

#[test]
fn an_encrypted_key_without_a_terminal_says_what_is_missing() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let file = keygen(&lab, "locked", &["-t", "ed25519", "-N", "secret"], false);
    lab.settings.identity_files = vec![file];
    let error = lab.refused(sshd.port()).to_string();
    assert!(error.contains("it is encrypted, and there is no terminal"), "{error}");
    assert!(error.contains("the server offers: publickey"), "{error}");
}

#[test]
fn certificates_log_in_where_only_their_authority_is_known() {
    let mut lab = Lab::new();
    let authority = Key::ed25519(lab.sandbox.join("authority"));
    let trusted = format!("TrustedUserCAKeys {}.pub", authority.path().display());
    let sshd = lab.sshd("app", &[&trusted]);
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = Key::generate(lab.sandbox.join(format!("{kind}-key")), kind, "");
        let mut sign = lab.sandbox.command("ssh-keygen");
        sign.args(["-q", "-I", "test", "-n", &sshd.user(), "-s"]).arg(authority.path());
        sign.arg(key.path().with_extension("pub"));
        succeed(sign);
        lab.settings.identity_files = vec![key.path().to_owned()];
        let connection = lab.log_in(sshd.port());
        let attempts = &connection.login().attempts;
        assert!(attempts[0].what.starts_with("certificate"), "{attempts:?}");
        assert_eq!(attempts[0].outcome, AttemptOutcome::Accepted);

        // The same with the private half in an agent only.
        let agent = lab.agent(&format!("agent-{kind}"), &[&key]);
        let certificate = key.path().with_file_name(format!("{kind}-key-cert.pub"));
        let config = format!(
            "IdentityAgent {}\nIdentityFile {}.pub\nCertificateFile {}\nUserKnownHostsFile {}\n",
            agent.socket.display(),
            key.path().display(),
            certificate.display(),
            lab.sandbox.join("known_hosts").display(),
        );
        let before = lab.settings.clone();
        lab.start_over();
        lab.configure(&config);
        let connection = lab.log_in(sshd.port());
        assert_eq!(connection.login().attempts.len(), 1);
        assert!(matches!(run(&connection, "exit 3").end, Output::Exit(Exit::Status(3))));
        lab.settings = before;
    }
}

#[test]
fn an_expired_certificate_is_refused_and_the_key_itself_is_tried() {
    let mut lab = Lab::new();
    let authority = Key::ed25519(lab.sandbox.join("authority"));
    let sshd = lab.sshd("app", &[&format!("TrustedUserCAKeys {}.pub", authority.path().display())]);
    let mut sign = lab.sandbox.command("ssh-keygen");
    sign.args(["-q", "-I", "old", "-n", &sshd.user(), "-V", "20200101:20200102", "-s"]).arg(authority.path());
    sign.arg(lab.key.path().with_extension("pub"));
    succeed(sign);
    let connection = lab.log_in(sshd.port());
    let outcomes: Vec<_> = connection.login().attempts.iter().map(|attempt| attempt.outcome.clone()).collect();
    assert_eq!(outcomes, [AttemptOutcome::Refused, AttemptOutcome::Accepted]);
    lab.settings.identity_files.clear();
}

#[test]
fn a_refused_login_shows_a_line_by_which_openssh_says_more() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let stranger = Key::ed25519(lab.sandbox.join("stranger"));
    lab.settings.identity_files = vec![stranger.path().to_owned()];
    let error = lab.refused(sshd.port()).to_string();
    let line = error.lines().map(str::trim).find(|line| line.starts_with("ssh -v ")).expect("a line to type");
    // Typed as it is, it tries the same key at the same server, which it knows.
    let mut shell = lab.sandbox.command("sh");
    shell.args(["-c", line]).stdin(std::process::Stdio::null());
    let said = lab.sandbox.run(shell).fails_with(255);
    assert!(said.stderr().contains("stranger") && said.stderr().contains("Permission denied (publickey)"), "{said}");
    assert!(!said.stderr().contains("Host key verification failed"), "{said}");
}

#[test]
fn keys_that_others_may_read_log_in_and_are_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    let file = keygen(&lab, "open", &["-t", "ed25519", "-N", ""], false);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    lab.settings.identity_files = vec![file.clone()];
    assert_eq!(lab.log_in(sshd.port()).login().exposed, [file]);
}

#[test]
fn keys_with_newlines_of_windows_log_in_and_cut_ones_are_named() {
    let mut lab = Lab::new();
    let sshd = lab.sshd("app", &[]);
    for (kind, format) in [("ed25519", "RFC4716"), ("ecdsa", "PEM")] {
        let file = keygen(&lab, kind, &["-t", kind, "-m", format, "-N", ""], true);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.trim_end().replace('\n', "\r\n")).unwrap();
        logs_in_with(&mut lab, sshd.port(), &file);
        fs::write(&file, text.replace('\n', " ")).unwrap();
        lab.start_over();
        let error = lab.refused(sshd.port()).to_string();
        assert!(error.contains("not tried: its newlines have become blanks"), "{error}");
    }
}
