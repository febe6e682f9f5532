//! What stands on a server beside what a deploy may change.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use e2e::Project;

/// Every file, folder and link with its contents, or what it leads to. Of files the times count too: a touch is a change.
#[derive(PartialEq)]
pub(super) struct Outside(BTreeMap<PathBuf, String>);

/// What a deploy changes, below the folder that it deploys to. Of releases only the live one has to stay.
const CHANGES: [&str; 6] =
    ["current", "repo", ".deploy", "revisions.log", "shared/public/assets", "shared/tmp/restart.txt"];

impl Outside {
    /// Of the stage's one server, and of its surroundings.
    pub(super) fn of(project: &Project, live: &str) -> Outside {
        let site = project.sites()[0];
        let may_change = |path: &Path| {
            let Ok(below) = path.strip_prefix(site.path()) else { return false };
            CHANGES.iter().any(|name| below == Path::new(name))
                || below.parent() == Some(Path::new("releases")) && !below.ends_with(live)
        };
        let mut all = BTreeMap::new();
        for folder in ["elsewhere", "servers", "home"] {
            walk(&project.sandbox.join(folder), &may_change, &mut all);
        }
        Outside(all)
    }

    /// What is otherwise now, in words; nothing if nothing is.
    pub(super) fn compared_with(&self, now: &Outside) -> Result<(), String> {
        let changed = |path: &&PathBuf| self.0.get(*path) != now.0.get(*path);
        let paths = self.0.keys().chain(now.0.keys().filter(|path| !self.0.contains_key(*path)));
        let changes: Vec<_> = paths
            .filter(changed)
            .map(|path| format!("{}: {:?} became {:?}", path.display(), self.0.get(path), now.0.get(path)))
            .collect();
        if changes.is_empty() { Ok(()) } else { Err(changes.join("; ")) }
    }
}

fn walk(path: &Path, may_change: &impl Fn(&Path) -> bool, all: &mut BTreeMap<PathBuf, String>) {
    let Ok(about) = fs::symlink_metadata(path) else { return };
    if may_change(path) {
        return;
    }
    let what = if about.is_symlink() {
        format!("a link to {}", fs::read_link(path).expect("a link").display())
    } else if about.is_dir() {
        "a folder".to_owned()
    } else {
        let mut hasher = DefaultHasher::new();
        fs::read(path).unwrap_or_default().hash(&mut hasher);
        format!(
            "{:o} {} bytes {:x} of {}.{}",
            about.mode(),
            about.size(),
            hasher.finish(),
            about.mtime(),
            about.mtime_nsec()
        )
    };
    all.insert(path.to_owned(), what);
    if about.is_dir() && path.as_os_str().as_bytes().len() < 3000 {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            walk(&entry.path(), may_change, all);
        }
    }
}
