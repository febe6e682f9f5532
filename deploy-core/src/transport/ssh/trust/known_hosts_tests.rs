use super::*;

const ONE: &str = "AAAAC3NzaC1lZDI1NTE5AAAAID2YFME1zUzlZV+a9OURDP1P5QSfHDnaKjbNGQHUBbDG";
const TWO: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIIzYB+YrDpzOZ2yZo8if2FBlkN3xXmwYa4ZRq6d2DtjL";
const ECDSA: &str = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIuAE62D1QM0btRX3L2tQrVnzbEgLtq1CbHpZjgLYStqQ4EIhecIaCpwDDZQdkgglGha/X9uoJJqgD3/4vsUPWw=";

/// What the files say about the key `base64` of `host` when they hold `lines`, in which `1`, `2` and `E` are keys.
fn check(lines: &str, host: &str, port: u16, base64: &str) -> Verdict {
    known(lines).check(&lookup_name(host, port, None), &key(base64))
}

fn known(lines: &str) -> KnownHosts {
    let lines = lines
        .replace(" 1", &format!(" ssh-ed25519 {ONE}"))
        .replace(" 2", &format!(" ssh-ed25519 {TWO}"))
        .replace(" E", &format!(" ecdsa-sha2-nistp256 {ECDSA}"));
    let mut known = KnownHosts::default();
    known.add(Path::new("known_hosts"), lines.as_bytes(), &|_| true);
    known
}

fn key(base64: &str) -> HostKey {
    HostKey::new(&STANDARD.decode(base64).unwrap())
}

fn line(line: usize) -> Place {
    Place { file: "known_hosts".into(), line }
}

#[test]
fn a_plain_line_knows_its_host_and_no_other() {
    assert_eq!(check("app 1\n", "app", 22, ONE), Verdict::Known(line(1)));
    assert_eq!(check("app 1\n", "app2", 22, ONE), Verdict::Unknown(None));
    assert_eq!(check("app 1\n", "app", 22, TWO), Verdict::Changed(line(1)));
}

#[test]
fn names_are_compared_without_regard_to_case() {
    assert_eq!(check("App.Example.COM 1\n", "aPP.example.com", 22, ONE), Verdict::Known(line(1)));
}

#[test]
fn a_list_of_names_knows_each_of_them() {
    assert_eq!(check("app,10.0.0.1,::1 1\n", "10.0.0.1", 22, ONE), Verdict::Known(line(1)));
    assert_eq!(check("app,10.0.0.1,::1 1\n", "::1", 22, ONE), Verdict::Known(line(1)));
}

#[test]
fn a_port_of_its_own_stands_in_brackets() {
    assert_eq!(check("[app]:2222 1\n", "app", 2222, ONE), Verdict::Known(line(1)));
    assert_eq!(check("[app]:2222 1\n", "app", 22, ONE), Verdict::Unknown(None));
    assert_eq!(check("[app]:2222 1\n", "app", 2223, ONE), Verdict::Unknown(None));
}

#[test]
fn the_bare_name_helps_on_another_port_and_never_harms() {
    assert_eq!(check("app 1\n", "app", 2222, ONE), Verdict::Known(line(1)));
    assert_eq!(check("app 1\n", "app", 2222, TWO), Verdict::Unknown(None));
    assert_eq!(check("app 1\n[app]:2222 2\n", "app", 2222, TWO), Verdict::Known(line(2)));
}

#[test]
fn hashed_names_are_recognised() {
    let hashed = "|1|Vd08zGrN1IXzH9cShbf5tyQCYx4=|ABM++9+f43nOJ5Ay1cCS7Fr/BIQ= 1\n\
                  |1|haZ8r/LMGPbxcDrOVzDOK7AWo4s=|iZE238ThDBdUn6bJKd5n4j+I92g= 2\n";
    assert_eq!(check(hashed, "app.example.com", 22, ONE), Verdict::Known(line(1)));
    assert_eq!(check(hashed, "app.example.com", 2222, TWO), Verdict::Known(line(2)));
    assert_eq!(check(hashed, "app.example.com", 22, TWO), Verdict::Changed(line(1)));
    assert_eq!(check(hashed, "other.example.com", 22, ONE), Verdict::Unknown(None));
}

#[test]
fn wildcards_and_exclusions_count() {
    assert_eq!(check("*.example.com 1\n", "a.b.example.com", 22, ONE), Verdict::Known(line(1)));
    assert_eq!(check("app?.example.com 1\n", "app1.example.com", 22, ONE), Verdict::Known(line(1)));
    assert_eq!(check("app?.example.com 1\n", "app10.example.com", 22, ONE), Verdict::Unknown(None));
    assert_eq!(check("*.example.com,!db.example.com 1\n", "db.example.com", 22, ONE), Verdict::Unknown(None));
    assert_eq!(check("!db.example.com,*.example.com 1\n", "app.example.com", 22, ONE), Verdict::Known(line(1)));
    assert_eq!(check("[*.example.com]:2222 1\n", "app.example.com", 2222, ONE), Verdict::Known(line(1)));
}

#[test]
fn a_revoked_key_is_refused_although_another_line_knows_it() {
    assert_eq!(check("app 1\n@revoked app 1\n", "app", 22, ONE), Verdict::Revoked(line(2)));
    assert_eq!(check("app 1\n@revoked * 1\n", "app", 2222, ONE), Verdict::Revoked(line(2)));
    assert_eq!(check("app 1\n@revoked app 2\n", "app", 22, ONE), Verdict::Known(line(1)), "another key is revoked");
    assert_eq!(check("@revoked app 2\n", "app", 22, ONE), Verdict::Unknown(None), "a revocation vouches for nothing");
}

#[test]
fn one_of_several_known_keys_is_enough() {
    assert_eq!(check("app 1\napp 2\n", "app", 22, TWO), Verdict::Known(line(2)));
    assert_eq!(check("app E\napp 1\n", "app", 22, ONE), Verdict::Known(line(2)));
}

#[test]
fn a_key_of_another_type_is_unknown_and_points_to_the_known_one() {
    assert_eq!(check("app E\n", "app", 22, ONE), Verdict::Unknown(Some(line(1))));
}

#[test]
fn authorities_comments_and_garbage_are_passed_over() {
    let file = "# comment\n\n@cert-authority * 1\nnonsense\napp ssh-ed25519 not-base64\napp ssh-rsa 1\n\
                app ssh-ed25519 AAAA\n\u{fffd} 1\napp 1 trailing comment\n";
    assert_eq!(check(file, "app", 22, ONE), Verdict::Known(line(9)));
    assert_eq!(check(file, "other", 22, ONE), Verdict::Unknown(None));
}

#[test]
fn lines_may_end_as_on_windows_and_the_last_one_not_at_all() {
    assert_eq!(check("app 2\r\napp 1\r\nlast 1", "app", 22, ONE), Verdict::Known(line(2)));
    assert_eq!(check("app 2\r\napp 1\r\nlast 1", "last", 22, ONE), Verdict::Known(line(3)));
}

#[test]
fn lines_that_are_not_text_do_not_hide_the_others() {
    let mut known = known("");
    known.add(Path::new("f"), format!("\u{0}\napp ssh-ed25519 {ONE}\n").as_bytes(), &|_| true);
    let mut bytes = b"\xff\xfe junk\n".to_vec();
    bytes.extend(format!("db ssh-ed25519 {ONE}\n").bytes());
    known.add(Path::new("g"), &bytes, &|_| true);
    let place = Place { file: "g".into(), line: 2 };
    assert_eq!(known.check(&lookup_name("db", 22, None), &key(ONE)), Verdict::Known(place));
}

#[test]
fn an_alias_replaces_name_and_port() {
    let name = lookup_name("10.0.0.1", 2222, Some("App"));
    assert_eq!(known("app 1\n").check(&name, &key(ONE)), Verdict::Known(line(1)));
    assert_eq!(known("[10.0.0.1]:2222 1\n").check(&name, &key(ONE)), Verdict::Unknown(None));
}

#[test]
fn algorithms_of_known_keys_come_first_and_certificates_never() {
    let name = lookup_name("app", 22, None);
    assert!(known("").algorithms(&name).starts_with("ssh-ed25519,ecdsa-sha2-nistp256,"));
    assert!(known("app E\n").algorithms(&name).starts_with("ecdsa-sha2-nistp256,ssh-ed25519,"));
    assert!(known("@revoked app E\n").algorithms(&name).starts_with("ssh-ed25519,"));
    assert!(!known("app E\n").algorithms(&name).contains("cert"));
    assert_eq!(known("app E\n").algorithms(&name).split(',').count(), ALGORITHMS.len());
}

#[test]
fn a_missing_file_is_an_empty_one_and_an_unreadable_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(KnownHosts::read(&[folder.path().join("none")], &lookup_name("app", 22, None)).unwrap().entries.is_empty());
    let (file, _) = KnownHosts::read(&[folder.path().to_owned()], &lookup_name("app", 22, None)).unwrap_err();
    assert_eq!(file, folder.path());
}

#[test]
fn fingerprints_look_as_ssh_shows_them() {
    assert_eq!(key(ONE).fingerprint(), "SHA256:ByVVa+vPZNG25JIsR5OU3pFjgFaJuJwJlunkPXyoQEA");
    assert_eq!(key(ONE).line("[app]:2222"), format!("[app]:2222 ssh-ed25519 {ONE}"));
}

#[test]
fn a_key_is_appended_on_a_line_of_its_own_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ssh/known_hosts");
    let name = lookup_name("App", 2222, None);
    KnownHosts::append(&file, &name, false, &key(ONE)).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("[app]:2222 ssh-ed25519 {ONE}\n"));

    let before = "# mine\n\n@cert-authority * garbage\nno end of line";
    fs::write(&file, before).unwrap();
    KnownHosts::append(&file, &name, true, &key(ONE)).unwrap();
    let after = fs::read_to_string(&file).unwrap();
    assert!(after.starts_with(&format!("{before}\n|1|")), "{after}");
    let known = KnownHosts::read(std::slice::from_ref(&file), &name).unwrap();
    assert_eq!(known.check(&name, &key(ONE)), Verdict::Known(Place { file, line: 5 }));
}

#[test]
fn of_a_large_file_only_the_servers_own_lines_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let others: String = (0..1000).map(|number| format!("other{number} ssh-ed25519 {ONE}\n")).collect();
    let own = format!("@revoked * ssh-ed25519 {TWO}\napp,other ssh-ed25519 {ONE}\n[app]:22 ssh-ed25519 {ONE}\n");
    fs::write(&file, others + &own).unwrap();
    let known = KnownHosts::read(&[file], &lookup_name("app", 2222, None)).unwrap();
    assert_eq!(known.entries.iter().map(|entry| entry.place.line).collect::<Vec<_>>(), [1001, 1002]);
}
