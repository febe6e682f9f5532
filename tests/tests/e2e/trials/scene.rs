//! What the trials share: a shop whose releases can prove that they are whole, runs that are watched marker by marker,
//! and a judge that knows nothing of the tool.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use e2e::Project;

/// How soon the lock must be free after its holder is gone.
pub(super) const FREE_WITHIN: Duration = Duration::from_secs(2);

/// How soon everything that a run started must have ended when the run is gone: commands get five seconds to obey.
const ENDED_WITHIN: Duration = Duration::from_secs(8);

/// A project with linked folders, whose releases have a `MANIFEST` with the checksum of every file.
pub(super) fn shop(servers: &[(&str, &str)]) -> Project {
    shop_of(Project::over_ssh(servers))
}

/// The same with the servers of `project`.
pub(super) fn shop_of(mut project: Project) -> Project {
    project.top("linked_dirs = [\"log\"]");
    for number in 0..40 {
        project.repo.write(&format!("pages/{number}.html"), &format!("page {number}\n").repeat(200));
    }
    revise(&project, "one");
    project
}

/// Commits a new version of the shop, which says `text`.
pub(super) fn revise(project: &Project, text: &str) {
    project.repo.write("index.html", &format!("{text}\n"));
    let list = "git add --all && git ls-files | grep -v MANIFEST | xargs sha256sum >MANIFEST";
    let mut sh = project.sandbox.command("sh");
    sh.args(["-c", list]).current_dir(project.repo.path());
    assert!(sh.status().expect("sh runs").success());
    project.repo.commit(&format!("Say {text}"));
}

/// Reports a trial's sum, past the test harness's capture.
pub(super) fn tell(what: &str, passed: usize, total: usize) {
    let _ = writeln!(std::io::stderr(), "trial: {what}: {passed} of {total}");
    assert_eq!(passed, total, "{what}");
}

/// Every `n`th of a trial's cases, or all of them at full length.
pub(super) fn step(n: usize) -> usize {
    if e2e::full() { 1 } else { n }
}

/// As many rounds as asked for.
pub(super) fn rounds(bounded: usize, full: usize) -> usize {
    if e2e::full() { full } else { bounded }
}

/// A run whose markers are counted as they come.
pub(super) struct Watched {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// What came so far.
    pub(super) text: String,
}

impl Watched {
    pub(super) fn start(project: &Project, line: &str) -> Watched {
        let words: Vec<_> = line.split_whitespace().chain(["--format", "json"]).collect();
        let mut command = project.command(&words);
        let errors = File::create(project.sandbox.join("errors")).expect("a file can be made");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let mut child = command.spawn().expect("the tool starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Watched { child, lines, text: String::new() }
    }

    /// Reads until `count` tasks have begun or ended; false if the run ended before.
    pub(super) fn until(&mut self, count: usize) -> bool {
        let mut seen = 0;
        while seen < count {
            let Some(Ok(line)) = self.lines.next() else { return false };
            seen += usize::from(is_marker(&line));
            self.text.push_str(&line);
            self.text.push('\n');
        }
        true
    }

    /// Reads until a line has `text`; false if the run ended before.
    pub(super) fn until_says(&mut self, text: &str) -> bool {
        while let Some(Ok(line)) = self.lines.next() {
            self.text.push_str(&line);
            self.text.push('\n');
            if line.contains(text) {
                return true;
            }
        }
        false
    }

    /// The last marker that came.
    pub(super) fn last(&self) -> &str {
        self.text.lines().rev().find(|line| is_marker(line)).unwrap_or("the beginning")
    }

    /// Ends the controller, and nothing else, with SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("a running process can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// What the run last started wrote to its standard error.
    pub(super) fn errors(&self, project: &Project) -> String {
        std::fs::read_to_string(project.sandbox.join("errors")).expect("the file was made")
    }

    /// The controller's process id.
    pub(super) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for the run's own end.
    pub(super) fn finish(&mut self, within: Duration) -> ExitStatus {
        let start = Instant::now();
        while let Some(Ok(line)) = self.lines.next() {
            self.text.push_str(&line);
            self.text.push('\n');
        }
        let status = self.child.wait().expect("a child can be waited for");
        assert!(start.elapsed() < within, "the run took {:?} to end:\n{}", start.elapsed(), self.text);
        status
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_marker(line: &str) -> bool {
    line.contains("\"type\":\"task_")
}

/// How many markers a whole run has.
pub(super) fn markers(project: &Project, line: &str) -> usize {
    let mut run = Watched::start(project, line);
    assert!(run.finish(Duration::from_secs(60)).success(), "{}", run.text);
    run.text.lines().filter(|line| is_marker(line)).count()
}

/// Whether `current` leads to a release in which every file is as it was committed, and all links are made.
const IS_WHOLE: &str = r#"
cd "$1" || exit 9
if [ ! -L current ] && [ ! -e current ]; then echo nothing; exit 0; fi
to=$(readlink current) || { echo "current is no link"; exit 1; }
case $to in "$1"/releases/??????????????) ;; *) echo "current leads to $to"; exit 1 ;; esac
cd "$to" || exit 1
sha256sum --quiet --check MANIFEST || exit 1
[ -s REVISION ] || { echo "no REVISION"; exit 1; }
[ -L log ] && [ -d log/. ] || { echo "log is not linked"; exit 1; }
basename "$to"
"#;

fn sh(script: &str, folder: &Path) -> Result<String, String> {
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(folder).output().expect("sh runs");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr))) }
}

/// What is live on each server; an error if any of it isn't whole.
pub(super) fn lives(project: &Project) -> Result<Vec<String>, String> {
    project.sites().iter().map(|site| sh(IS_WHOLE, site.path())).collect()
}

/// Whether nobody holds the lock on any server, `within` this time.
pub(super) fn is_free(project: &Project, within: Duration) -> Result<(), String> {
    let until = Instant::now() + within;
    for site in project.sites() {
        let wait = format!(
            "n=0; while [ -e \"$1/.deploy/lock\" ]; do n=$((n + 1)); [ $n -lt {} ] || {{ cat \"$1/.deploy/lock\"; exit 1; }}; sleep 0.05; done",
            until.saturating_duration_since(Instant::now()).as_millis() / 50 + 1
        );
        sh(&wait, site.path()).map_err(|holder| format!("the lock is held by {holder}"))?;
    }
    Ok(())
}

/// Whether nothing runs any more in the project's environment, on any server.
pub(super) fn is_quiet(project: &Project) -> Result<(), String> {
    let until = Instant::now() + ENDED_WITHIN;
    loop {
        let left = project.sandbox.processes();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("still running: {left:#?}"));
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A plain deploy of something new, which must succeed and be live on every server.
pub(super) fn deploys_again(project: &Project, text: &str) -> Result<(), String> {
    revise(project, text);
    let output = project.xtask("deploy staging");
    if output.ending() != "exit status: 0" {
        return Err(format!("the next deploy failed:\n{output}"));
    }
    let lives = lives(project)?;
    let is_new = |site: &&e2e::Site| site.read("current/index.html").trim() == text;
    if project.sites().iter().all(is_new) && lives.iter().all(|live| *live == lives[0]) {
        Ok(())
    } else {
        Err(format!("the next deploy is not live everywhere: {lives:?}"))
    }
}

/// Adds up the cases of a trial: how many passed, and what was wrong with the others.
#[derive(Default)]
pub(crate) struct Sum {
    passed: usize,
    problems: Vec<String>,
}

impl Sum {
    pub(crate) fn add(&mut self, case: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(problem) => self.problems.push(format!("{case}: {problem}")),
        }
    }

    /// Prints the sum, and fails unless every case passed.
    pub(crate) fn tell(self, what: &str) {
        let total = self.passed + self.problems.len();
        for problem in &self.problems {
            let _ = writeln!(std::io::stderr(), "trial: {what}: {problem}");
        }
        assert!(total > 0, "{what}: no case was tried");
        tell(what, self.passed, total);
    }
}
