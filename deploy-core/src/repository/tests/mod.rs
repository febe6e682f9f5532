//! Real repositories in temporary folders.

mod addresses;
mod damage;
mod exports;
mod hostile;
mod names;
mod packs;

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
        let caches = fs::read_dir(self.folder.path().join("target/deploy/.git")).unwrap();
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
        if payload.file.extension().is_some_and(|end| end == "tar") {
            let packs = self.folder.path().join("objects/pack");
            let tar = Command::new("tar").arg("-xf").arg(&payload.file).arg("-C").arg(packs).status().unwrap();
            assert!(tar.success());
        } else {
            self.index(payload);
        }
        if shallow {
            fs::write(self.folder.path().join("shallow"), format!("{sha}\n")).unwrap();
        }
        self.git(&["update-ref", &format!("refs/deploy/{sha}"), sha]);
        self.git(&["rev-list", "--objects", "--quiet", sha]);
    }

    /// Takes a pack that may be thin.
    fn index(&self, payload: &Payload) {
        let index = Command::new("git")
            .args(["index-pack", "--stdin", "--fix-thin"])
            .current_dir(self.folder.path())
            .stdin(fs::File::open(&payload.file).unwrap())
            .output()
            .unwrap();
        assert!(index.status.success(), "{}", String::from_utf8_lossy(&index.stderr));
    }

    fn git(&self, args: &[&str]) -> String {
        git(self.folder.path(), args)
    }
}
