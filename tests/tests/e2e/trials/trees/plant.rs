//! Commits of trees that no work tree could have.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use e2e::Project;

/// What a tree has by a name.
#[derive(Clone)]
pub(super) enum Entry {
    File(String),
    Link(String),
    /// A commit of another repository.
    Submodule,
    Folder(Tree),
}

/// A folder of a commit, by names of any bytes.
#[derive(Clone, Default)]
pub(super) struct Tree(BTreeMap<Vec<u8>, Entry>);

impl Tree {
    /// What a good commit has.
    pub(super) fn good(number: usize) -> Tree {
        Tree::default()
            .with("index.html", Entry::File(format!("page {number}\n")))
            // Of two builds one after the other, one has nothing new to do.
            .with("app/app.css", Entry::File(format!("shade {}\n", number / 2)))
            .with("lib/x", Entry::File("x\n".to_owned()))
    }

    /// The same with `entry` at `path`, in place of what is there.
    pub(super) fn with(mut self, path: impl AsRef<[u8]>, entry: Entry) -> Tree {
        self.put(path.as_ref(), entry);
        self
    }

    fn put(&mut self, path: &[u8], entry: Entry) {
        let Some(slash) = path.iter().position(|byte| *byte == b'/') else {
            self.0.insert(path.to_vec(), entry);
            return;
        };
        let below = self.0.entry(path[..slash].to_vec()).or_insert_with(|| Entry::Folder(Tree::default()));
        if !matches!(below, Entry::Folder(_)) {
            *below = Entry::Folder(Tree::default());
        }
        if let Entry::Folder(tree) = below {
            tree.put(&path[slash + 1..], entry);
        }
    }

    /// Makes `main` a commit of it.
    pub(super) fn commit(&self, project: &Project) -> Result<String, String> {
        let tree = self.write(project)?;
        let commit = git(project, &["commit-tree", "-m", "change", &tree], b"")?;
        git(project, &["update-ref", "refs/heads/main", &commit], b"")?;
        Ok(commit)
    }

    fn write(&self, project: &Project) -> Result<String, String> {
        let mut listing = Vec::new();
        for (name, entry) in &self.0 {
            let (kind, id) = match entry {
                Entry::File(text) => ("100644 blob", blob(project, text)?),
                Entry::Link(target) => ("120000 blob", blob(project, target)?),
                Entry::Submodule => ("160000 commit", "1".repeat(40)),
                Entry::Folder(tree) => ("040000 tree", tree.write(project)?),
            };
            listing.extend([kind.as_bytes(), b" ", id.as_bytes(), b"\t", name, b"\0"].concat());
        }
        git(project, &["mktree", "--missing", "-z"], &listing)
    }
}

fn blob(project: &Project, text: &str) -> Result<String, String> {
    git(project, &["hash-object", "-w", "--stdin"], text.as_bytes())
}

fn git(project: &Project, arguments: &[&str], input: &[u8]) -> Result<String, String> {
    let mut git = project.sandbox.command("git");
    git.current_dir(project.repo.path()).args(arguments);
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("git runs");
    child.stdin.take().expect("piped").write_all(input).expect("git reads");
    let output = child.wait_with_output().expect("git ends");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
