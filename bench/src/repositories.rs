//! What is deployed.

use std::io::{self, BufWriter, Write};
use std::process::Stdio;

use e2e::Project;

/// Fills the project's repository, which has one commit on `main` already.
pub(crate) fn fill(project: &Project, repository: &str) -> Result<(), String> {
    if repository == "small" {
        return Ok(());
    }
    import(project).map_err(|error| format!("failed to make the repository `{repository}`: {error}"))?;
    project.repo.git(&["reset", "--quiet", "--hard", "main"]);
    Ok(())
}

/// Adds a commit that changes one file, and returns its text.
pub(crate) fn commit(project: &Project, number: usize) -> String {
    let text = format!("page {number}\n");
    project.repo.write("index.html", &text).commit(&format!("Change the page for the {number}th time"));
    text
}

const FILES: usize = 2000;
const BYTES_EACH: usize = 15_000;
const COMMITS: usize = 300;

/// "app": 2,000 files of 15 kB in 100 folders, and 300 commits, the first of which adds the files.
fn import(project: &Project) -> io::Result<()> {
    let mut git = project.sandbox.command("git");
    git.current_dir(project.repo.path()).args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped());
    let mut git = git.spawn()?;
    let mut stream = BufWriter::new(git.stdin.take().expect("piped"));
    let mut noise = Noise(1);
    for commit in 0..COMMITS {
        begin_commit(&mut stream, commit)?;
        // Each later commit changes five files.
        let files = if commit == 0 { 0..FILES } else { commit * 5..commit * 5 + 5 };
        for file in files {
            let text = noise.text();
            write!(stream, "M 100644 inline lib/part{:02}/file{file:04}.txt\ndata {}\n", file % 100, text.len())?;
            stream.write_all(text.as_bytes())?;
        }
    }
    stream.flush()?;
    drop(stream);
    if git.wait()?.success() { Ok(()) } else { Err(io::Error::other("`git fast-import` failed")) }
}

fn begin_commit(stream: &mut impl Write, number: usize) -> io::Result<()> {
    let message = format!("Commit {number}\n");
    let time = 1_790_000_000 + number * 60;
    writeln!(stream, "commit refs/heads/main\ncommitter Ada Lovelace <ada@example.com> {time} +0000")?;
    write!(stream, "data {}\n{message}", message.len())?;
    // The commits go on from the one that the repository has.
    if number == 0 { writeln!(stream, "from refs/heads/main^0") } else { Ok(()) }
}

/// Texts that are the same in every run, and compress about as well as source does.
struct Noise(u64);

impl Noise {
    fn text(&mut self) -> String {
        let mut text = String::with_capacity(BYTES_EACH + 80);
        while text.len() < BYTES_EACH {
            text.push_str(&format!("    let value_{:x} = compute(input, {:x});\n", self.next() % 4096, self.next()));
        }
        text
    }

    /// xorshift64: no randomness is wanted, only variety.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
