//! Git repositories to deploy from.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::{Sandbox, run_quietly};

/// A git repository with a work tree.
///
/// Commits have a fixed author and fixed dates, one minute apart: the same content has the same ids in every run.
pub struct Repo {
    sandbox: Arc<Sandbox>,
    folder: PathBuf,
    /// Seconds since the epoch, of the next commit.
    clock: Cell<u64>,
}

impl Repo {
    /// An empty repository in the folder `name` of the sandbox, on branch `main`.
    pub fn new(sandbox: &Arc<Sandbox>, name: &str) -> Repo {
        let folder = sandbox.join(name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        let repo = Repo { sandbox: Arc::clone(sandbox), folder, clock: Cell::new(1_790_000_000) };
        repo.git(&["init", "--quiet"]);
        repo
    }

    /// Where it stands, and what `repo_url` says.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of the work tree; its folders are made.
    pub fn write(&self, path: &str, text: &str) -> &Repo {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
        self
    }

    /// Copies a folder of files over the work tree.
    pub fn overlay(&self, folder: &Path) -> &Repo {
        copy_over(folder, &self.folder);
        self
    }

    /// Commits the whole work tree and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    /// Makes a branch here and switches to it.
    pub fn branch(&self, name: &str) {
        self.git(&["switch", "--quiet", "--create", name]);
    }

    /// Switches to a branch.
    pub fn switch(&self, name: &str) {
        self.git(&["switch", "--quiet", name]);
    }

    /// Makes an annotated tag here.
    pub fn tag(&self, name: &str) {
        self.git(&["tag", "--annotate", "--message", name, name]);
    }

    /// The id of the commit that is checked out.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the repository and returns what it prints.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let date = format!("@{} +0000", self.clock.replace(self.clock.get() + 60));
        let mut git = self.sandbox.command("git");
        git.current_dir(&self.folder).args(arguments);
        git.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        run_quietly(git)
    }
}

fn copy_over(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("`{}`: {error}", from.display())).flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_over(&path, &copy);
        } else {
            // Permissions included.
            fs::copy(&path, &copy).expect("a file can be copied");
        }
    }
}
