//! What servers are sent.

use super::*;

fn pack(project: &Project, sha: &str, has: &[&str], shallow: bool) -> Option<Payload> {
    project.repository().pack(sha, has, shallow).unwrap()
}

#[test]
fn a_server_gets_what_it_lacks_and_nothing_twice() {
    let project = Project::new();
    let (server, first) = (Server::new(), project.bring("main").sha);
    server.take(&pack(&project, &first, &[], false).unwrap(), &first, false);
    assert_eq!(server.git(&["rev-list", "--count", &first]), "2", "with its history");
    assert!(pack(&project, &first, &[&first], false).is_none());
    let second = project.commit("file", "three\n");
    project.bring("main");
    let payload = pack(&project, &second, &[&first], false).unwrap();
    server.take(&payload, &second, false);
    assert!(payload.bytes < 500, "{}", payload.bytes);
    assert!(pack(&project, &first, &[&second], false).is_none(), "an older commit is there already");
}

#[test]
fn commits_that_the_controller_does_not_know_are_not_taken_as_common() {
    let project = Project::new();
    let sha = project.bring("main").sha;
    let unknown = "1234567890123456789012345678901234567890";
    let payload = pack(&project, &sha, &[unknown, "--all", "HEAD", ""], false).unwrap();
    Server::new().take(&payload, &sha, false);
}

#[test]
fn a_small_change_in_a_large_folder_is_a_small_pack() {
    let project = Project::new();
    for number in 0..2000 {
        fs::write(project.repo().join(format!("file{number}")), format!("{number}\n").repeat(20)).unwrap();
    }
    let first = project.commit("file", "three\n");
    project.bring("main");
    let second = project.commit("file7", "changed\n");
    project.bring("main");
    let payload = pack(&project, &second, &[&first], false).unwrap();
    assert!(payload.bytes < 1000, "{}", payload.bytes);
    let shallow = pack(&project, &second, &[&first], true).unwrap();
    assert!(shallow.bytes < 1000, "{}", shallow.bytes);
}

#[test]
fn a_shallow_mirror_gets_commits_without_history() {
    let project = Project::new();
    let (server, first) = (Server::new(), project.bring("main").sha);
    server.take(&pack(&project, &first, &[], true).unwrap(), &first, true);
    assert_eq!(server.git(&["rev-list", "--count", &first]), "1");
    project.commit("file", "three\n");
    let third = project.commit("other", "four\n");
    project.bring("main");
    server.take(&pack(&project, &third, &[&first], true).unwrap(), &third, true);
    assert_eq!(server.git(&["rev-list", "--count", &third]), "1");
    let second = project.git(&["rev-parse", "HEAD^"]);
    project.bring(&second);
    let older = pack(&project, &second, &[&third], true).expect("history counts for nothing");
    server.take(&older, &second, true);
}

#[test]
fn a_branch_that_was_forced_back_or_elsewhere_is_packed() {
    let project = Project::new();
    let server = Server::new();
    let lost = project.commit("file", "lost\n");
    project.bring("main");
    server.take(&pack(&project, &lost, &[], false).unwrap(), &lost, false);
    project.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    let back = project.bring("main").sha;
    assert!(pack(&project, &back, &[&lost], false).is_none());
    let other = project.commit("file", "other\n");
    project.bring("main");
    server.take(&pack(&project, &other, &[&lost], false).unwrap(), &other, false);
}

#[test]
fn servers_with_different_commits_get_packs_that_last() {
    let project = Project::new();
    let old = project.git(&["rev-parse", "HEAD^"]);
    let sha = project.bring("main").sha;
    let whole = pack(&project, &sha, &[], false).unwrap();
    let rest = pack(&project, &sha, &[&old], false).unwrap();
    assert_ne!(whole.file, rest.file);
    assert!(whole.file.exists() && rest.file.exists());
    assert_eq!(pack(&project, &sha, &[], false).unwrap().file, whole.file, "made once");
}

#[test]
fn packs_of_long_ago_are_removed() {
    let project = Project::new();
    let sha = project.bring("main").sha;
    let old = pack(&project, &sha, &[], false).unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 24 * 60 * 60);
    fs::File::options().write(true).open(&old.file).unwrap().set_modified(long_ago).unwrap();
    let other = project.commit("file", "three\n");
    project.bring("main");
    pack(&project, &other, &[&sha], false).unwrap();
    assert!(!old.file.exists());
}

#[test]
fn controllers_at_once_do_not_break_each_other() {
    let project = Project::new();
    let old = project.git(&["rev-parse", "HEAD^"]);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (project, old) = (&project, &old);
            scope.spawn(move || {
                let sha = project.bring("main").sha;
                let has: &[&str] = if number % 2 == 0 { &[] } else { &[old.as_str()] };
                let payload = pack(project, &sha, has, false).unwrap();
                assert_eq!(fs::metadata(&payload.file).unwrap().len(), payload.bytes);
            });
        }
    });
}
