//! Where repositories are, and where none is.

use super::*;

#[test]
fn one_that_starts_with_a_dash_is_no_option() {
    let project = Project::new();
    fs::rename(project.repo(), project.folder.path().join("--upload-pack=x")).unwrap();
    assert!(project.at("--upload-pack=x").resolve("main").is_ok());
}

#[test]
fn one_that_runs_a_command_is_refused() {
    let project = Project::new();
    let proof = project.folder.path().join("proof");
    for url in [format!("ext::touch {}", proof.display()), format!("-oProxyCommand=touch {}:x", proof.display())] {
        let error = project.at(&url).resolve("main").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    }
    assert!(!proof.exists());
}

#[test]
fn what_is_not_committed_is_counted_in_a_folder() {
    let project = Project::new();
    let note = |project: &Project| project.repository().uncommitted().unwrap().note();
    assert_eq!(note(&project), None);
    fs::write(project.repo().join("new"), "not known to git").unwrap();
    let told = "the repository has 1 file that git doesn't know: what isn't committed is not deployed";
    assert_eq!(note(&project).as_deref(), Some(told));
    project.git(&["mv", "file", "other name"]);
    let told =
        "the repository has 1 file with changes and 1 that git doesn't know: what isn't committed is not deployed";
    assert_eq!(note(&project).as_deref(), Some(told));
    assert_eq!(project.at("git@nowhere:x.git").uncommitted().unwrap().note(), None);
}

#[test]
fn one_that_names_its_objects_otherwise_is_mirrored_in_its_own_way() {
    let project = Project::new();
    project.bring("main");
    // The same address, made anew with SHA-256, and back again.
    for format in ["sha256", "sha1"] {
        fs::remove_dir_all(project.repo()).unwrap();
        fs::create_dir(project.repo()).unwrap();
        project.git(&["init", "--quiet", "--initial-branch=main", &format!("--object-format={format}")]);
        let sha = project.commit("file", format);
        assert_eq!(project.bring("main").sha, sha);
        assert_eq!(project.repository().resolve(&sha[..12]).unwrap().sha, sha);
        let payload = project.repository().pack(&sha, &[], false).unwrap().unwrap();
        assert!(payload.bytes > 0);
    }
}

#[test]
fn a_partial_clone_says_what_is_missing() {
    let project = Project::new();
    project.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", project.repo().display());
    git(project.folder.path(), &["clone", "--quiet", "--filter=blob:none", "--no-checkout", &url, "clone"]);
    let repository = project.at("clone");
    let resolved = repository.resolve("main").unwrap();
    let error = repository.bring(&resolved, false).unwrap_err().to_string();
    assert!(error.contains("is a partial clone") && error.contains("--refetch"), "{error}");
}

#[test]
fn an_empty_repository_says_so() {
    let project = Project::new();
    let empty = project.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    git(&empty, &["init", "--quiet"]);
    for name in ["main", "HEAD"] {
        let error = project.at("empty").resolve(name).unwrap_err().to_string();
        assert!(error.contains("no branches at all"), "{error}");
    }
}

#[test]
fn one_that_is_not_there_says_so() {
    let project = Project::new();
    let error = project.at("nowhere").resolve("main").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("nowhere` ") || error.to_string().contains("nowhere'"), "{error}");
}

#[test]
fn a_web_server_that_wants_a_password_gets_no_question_to_the_user() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut head = vec![0; 8192];
            let n = stream.read(&mut head).unwrap();
            heads.push(String::from_utf8_lossy(&head[..n]).into_owned());
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heads
    });
    let project = Project::new();
    let url = format!("http://ann:hunter2@127.0.0.1:{port}/shop.git");
    let error = project.at(&url).resolve("main").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let heads = asked.join().unwrap();
    assert!(heads[1].contains("Authorization: Basic YW5uOmh1bnRlcjI="), "{heads:?}");
}

#[test]
fn servers_are_not_told_of_passwords_or_of_folders_of_the_project() {
    let project = Project::new();
    for url in ["https://ann:hunter2@git.example.com/shop.git", "repo", "."] {
        let error = project.at(url).must_be_for_servers(false).unwrap_err();
        assert!(error.to_string().contains("git.strategy = \"push\"") && !error.to_string().contains("hunter2"));
    }
    let beside = format!("{}-2/repo", project.folder.path().display());
    for url in ["git@git.example.com:shop.git", "/srv/git/shop.git", beside.as_str()] {
        assert!(project.at(url).must_be_for_servers(false).is_ok(), "{url}");
    }
    assert!(project.at("repo").must_be_for_servers(true).is_ok(), "for this machine");
}

#[test]
fn a_shallow_clone_says_what_is_missing() {
    let project = Project::new();
    let url = format!("file://{}", project.repo().display());
    git(project.folder.path(), &["clone", "--quiet", "--depth=1", &url, "clone"]);
    let repository = project.at("clone");
    let resolved = repository.resolve("main").unwrap();
    for _ in 0..2 {
        let error = repository.bring(&resolved, false).unwrap_err().to_string();
        assert!(error.contains("git fetch --unshallow"), "{error}");
    }
    repository.bring(&resolved, true).unwrap();
    let payload = repository.pack(&resolved.sha, &[], true).unwrap().unwrap();
    Server::new().take(&payload, &resolved.sha, true);
}
