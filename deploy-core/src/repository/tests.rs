//! Real repositories in temporary folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Repository, Resolved};
use crate::error::ErrorKind;
use crate::task::Payload;

/// A project with a repository in `repo`, and a place for caches.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// `main` has two commits.
    fn new() -> Project {
        let project = Project { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(project.repo()).unwrap();
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.commit("file", "one\n");
        project.commit("file", "two\n");
        project
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.repo(), args)
    }

    fn commit(&self, path: &str, text: &str) -> String {
        let file = self.repo().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn at(&self, url: &str) -> Repository {
        Repository::new(url, self.folder.path(), &self.folder.path().join("target/deploy"))
    }

    fn repository(&self) -> Repository {
        self.at("repo")
    }

    fn cache(&self) -> PathBuf {
        let caches = fs::read_dir(self.folder.path().join("target/deploy/git")).unwrap();
        caches.flatten().next().unwrap().path()
    }

    fn mirror(&self) -> PathBuf {
        self.cache().join("mirror.git")
    }

    /// Resolves and brings `name`.
    fn bring(&self, name: &str) -> Resolved {
        let resolved = self.repository().resolve(name).unwrap();
        self.repository().bring(&resolved, false).unwrap();
        resolved
    }
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A server's mirror, which takes packs.
struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    fn new() -> Server {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet", "--bare"]);
        Server { folder }
    }

    fn take(&self, payload: &Payload, sha: &str, shallow: bool) {
        let index = Command::new("git")
            .args(["index-pack", "--stdin", "--fix-thin"])
            .current_dir(self.folder.path())
            .stdin(fs::File::open(&payload.file).unwrap())
            .output()
            .unwrap();
        assert!(index.status.success(), "{}", String::from_utf8_lossy(&index.stderr));
        if shallow {
            fs::write(self.folder.path().join("shallow"), format!("{sha}\n")).unwrap();
        }
        self.git(&["update-ref", &format!("refs/deploy/{sha}"), sha]);
        self.git(&["rev-list", "--objects", "--quiet", sha]);
    }

    fn git(&self, args: &[&str]) -> String {
        git(self.folder.path(), args)
    }
}

mod names {
    use super::*;

    #[test]
    fn a_name_is_a_branch_a_tag_a_ref_or_a_commit() {
        let project = Project::new();
        project.git(&["tag", "light", "HEAD^"]);
        project.git(&["-c", "tag.gpgSign=false", "tag", "--annotate", "--message", "x", "heavy", "HEAD^"]);
        project.git(&["branch", "feature/x", "HEAD^"]);
        let [old, new] = ["HEAD^", "HEAD"].map(|name| project.git(&["rev-parse", name]));
        let sha = |name: &str| project.bring(name).sha;
        assert_eq!((sha("main"), sha("HEAD"), sha("refs/heads/main")), (new.clone(), new.clone(), new));
        for name in
            ["light", "heavy", "refs/tags/heavy", "feature/x", old.as_str(), &old[..9], &old.to_uppercase()[..12]]
        {
            assert_eq!(sha(name), old, "{name}");
        }
    }

    #[test]
    fn a_detached_head_is_what_is_checked_out() {
        let project = Project::new();
        let old = project.git(&["rev-parse", "HEAD^"]);
        project.git(&["checkout", "--quiet", "--detach", &old]);
        assert_eq!(project.bring("HEAD").sha, old);
    }

    #[test]
    fn the_project_itself_may_be_the_repository() {
        let project = Project::new();
        let root = project.repo();
        let repository = Repository::new(".", &root, &root.join("target/deploy"));
        assert_eq!(repository.resolve("HEAD").unwrap().sha, project.git(&["rev-parse", "HEAD"]));
    }

    #[test]
    fn hostile_names_are_unknown_names() {
        let project = Project::new();
        let proof = project.folder.path().join("proof");
        let exec = format!("--upload-pack=touch {}", proof.display());
        for name in
            ["-x", "--help", exec.as_str(), "a b", "a;b", "$(x)", "main\nmain", "*", "", "HEAD^", "main:file", "@{u}"]
        {
            let error = project.repository().resolve(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Task, "{name:?}: {error}");
        }
        assert!(!proof.exists());
    }

    #[test]
    fn an_unknown_branch_is_answered_with_near_ones() {
        let project = Project::new();
        let error = project.repository().resolve("mian").unwrap_err().to_string();
        assert!(error.contains("did you mean `main`?"), "{error}");
        let error = project.repository().resolve("abcdef1").unwrap_err().to_string();
        assert!(error.contains("no branch, tag or commit `abcdef1`"), "{error}");
    }

    #[test]
    fn a_commit_that_no_branch_has_any_more_is_found_where_the_repository_gives_it() {
        let project = Project::new();
        let lost = project.git(&["rev-parse", "HEAD"]);
        project.git(&["reset", "--quiet", "--hard", "HEAD^"]);
        assert_eq!(project.bring(&lost).sha, lost);
    }
}

mod addresses {
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
    fn changes_that_are_not_committed_are_noticed_in_a_folder() {
        let project = Project::new();
        assert!(!project.repository().has_uncommitted_changes().unwrap());
        fs::write(project.repo().join("new"), "not known to git").unwrap();
        assert!(!project.repository().has_uncommitted_changes().unwrap());
        fs::write(project.repo().join("file"), "changed").unwrap();
        assert!(project.repository().has_uncommitted_changes().unwrap());
        assert!(!project.at("git@nowhere:x.git").has_uncommitted_changes().unwrap());
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
}

mod packs {
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
}

mod damage {
    use super::*;

    /// What is done to the mirror is made good by the next run.
    fn is_made_good(damage: impl FnOnce(&Path)) {
        let project = Project::new();
        project.bring("main");
        damage(&project.mirror());
        let sha = project.commit("file", "three\n");
        assert_eq!(project.bring("main").sha, sha);
        Server::new().take(&project.repository().pack(&sha, &[], false).unwrap().unwrap(), &sha, false);
    }

    fn each_file(dir: &Path, change: &dyn Fn(&Path)) {
        for entry in fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
            if entry.is_dir() { each_file(&entry, change) } else { change(&entry) }
        }
    }

    #[test]
    fn objects_that_are_gone() {
        is_made_good(|mirror| fs::remove_dir_all(mirror.join("objects")).unwrap());
        is_made_good(|mirror| each_file(&mirror.join("objects"), &|file| fs::remove_file(file).unwrap()));
    }

    #[test]
    fn objects_that_are_truncated() {
        is_made_good(|mirror| {
            each_file(&mirror.join("objects"), &|file| {
                fs::remove_file(file).unwrap();
                fs::write(file, "").unwrap();
            });
        });
    }

    #[test]
    fn a_half_made_repository() {
        is_made_good(|mirror| {
            fs::remove_file(mirror.join("HEAD")).unwrap();
            fs::remove_file(mirror.join("config")).unwrap();
        });
        is_made_good(|mirror| {
            fs::remove_dir_all(mirror).unwrap();
            fs::create_dir(mirror).unwrap();
        });
    }

    #[test]
    fn locks_and_temporary_files_of_a_git_that_was_killed() {
        is_made_good(|mirror| {
            for lock in ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"] {
                fs::write(mirror.join(lock), "").unwrap();
            }
            fs::write(mirror.join("objects/pack/tmp_pack_x"), "half").unwrap();
        });
    }

    #[test]
    fn branches_whose_names_stand_in_each_others_way() {
        let project = Project::new();
        project.git(&["branch", "topic"]);
        project.bring("topic");
        project.bring(&project.git(&["rev-parse", "HEAD^"])[..10]);
        project.git(&["branch", "--delete", "--force", "topic"]);
        project.git(&["switch", "--quiet", "--create", "topic/next"]);
        let sha = project.commit("file", "three\n");
        assert_eq!(project.bring("topic/next").sha, sha);
        assert_eq!(project.bring(&sha[..10]).sha, sha);
    }

    #[test]
    fn a_repository_around_us_is_not_taken_for_the_mirror() {
        let project = Project::new();
        let shell = super::super::git::shell(project.folder.path()).unwrap();
        let repo = project.repo().join(".git");
        let around = shell.push_env("GIT_DIR", &repo);
        let told = super::super::git::plain(&shell, &["rev-parse", "--git-dir"]).ignore_status().output().unwrap();
        drop(around);
        assert!(!told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    }
}
