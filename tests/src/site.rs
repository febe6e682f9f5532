//! What stands on a server.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folder that a server deploys to.
pub struct Site {
    path: PathBuf,
}

impl Site {
    /// The site at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Site {
        Site { path: path.into() }
    }

    /// Its folder, `deploy_to`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    /// The names in `releases/` that are stamps, oldest first.
    pub fn releases(&self) -> Vec<String> {
        let is_stamp = |name: &String| name.len() == 14 && name.bytes().all(|byte| byte.is_ascii_digit());
        self.list("releases").into_iter().filter(is_stamp).collect()
    }

    /// The names in a folder, sorted; none if it doesn't exist.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.join(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries.flatten().map(|entry| lossy(entry.file_name())).collect();
        names.sort();
        names
    }

    /// The stamp of the live release: where `current` leads, which must be an absolute link to a folder of `releases/`.
    #[track_caller]
    pub fn current(&self) -> String {
        let target = fs::read_link(self.join("current")).unwrap_or_else(|error| panic!("no link `current`: {error}"));
        assert_eq!(target.parent(), Some(&*self.join("releases")), "`current` leads to `{}`", target.display());
        assert!(target.is_dir(), "`current` leads to nothing: `{}`", target.display());
        lossy(target.file_name().expect("it has a name"))
    }

    /// Whether there is a `current` of any kind.
    pub fn has_current(&self) -> bool {
        self.join("current").is_symlink() || self.exists("current")
    }

    /// Whether something stands at `path`, links followed.
    pub fn exists(&self, path: &str) -> bool {
        self.join(path).exists()
    }

    /// A file's text.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let path = self.join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", path.display()))
    }

    /// Writes a file; its folders are made.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// Makes a folder and those above it.
    pub fn make_folder(&self, path: &str) {
        fs::create_dir_all(self.join(path)).expect("a folder can be made");
    }

    /// Where the link at `path` leads; `None` if there is no link.
    pub fn link(&self, path: &str) -> Option<PathBuf> {
        fs::read_link(self.join(path)).ok()
    }

    /// The lines of `revisions.log`.
    pub fn revisions(&self) -> Vec<String> {
        fs::read_to_string(self.join("revisions.log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The permission bits of a file or folder.
    #[track_caller]
    pub fn mode(&self, path: &str) -> u32 {
        let path = self.join(path);
        let metadata = fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
        metadata.mode() & 0o7777
    }

    /// Everything in it, one path a line, links with their targets, without the insides of `repo/`, `.git` and of our own
    /// records.
    pub fn tree(&self) -> String {
        let mut lines = Vec::new();
        self.walk(&self.path, &mut lines);
        lines.sort();
        lines.join("\n") + "\n"
    }

    fn walk(&self, folder: &Path, lines: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&self.path).expect("it is inside").display().to_string();
            if let Ok(target) = fs::read_link(&path) {
                lines.push(format!("{name} -> {}", target.display()));
            } else if path.is_dir() {
                lines.push(format!("{name}/"));
                if name != "repo" && name != ".deploy" {
                    self.walk(&path, lines);
                }
            } else {
                lines.push(name);
            }
        }
    }
}

fn lossy(name: impl AsRef<std::ffi::OsStr>) -> String {
    name.as_ref().to_string_lossy().into_owned()
}
