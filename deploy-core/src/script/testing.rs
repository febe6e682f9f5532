//! Running generated programs under the shells that servers have.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Decoder, Program, Report, Shell, TaskScript, compile};
use crate::event::Stream;

/// dash, bash as `sh`, and busybox ash, as argument lists. The tests need all three.
pub(crate) fn shells() -> Vec<Vec<&'static str>> {
    vec![vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "ash"]]
}

/// A folder whose `sh` is `shell`. For busybox the tools that programs use are busybox's too.
pub(crate) fn path_with(shell: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let link = |name: &str, target: &str| {
        let target = ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(target)).into_iter().find(|path| path.exists());
        std::os::unix::fs::symlink(target.expect("the shell is installed"), dir.path().join(name)).unwrap();
    };
    link("sh", shell);
    if shell == "busybox" {
        for tool in [
            "dd", "timeout", "sleep", "cat", "mkdir", "mv", "ln", "rm", "sort", "readlink", "date", "find", "tar",
            "awk", "grep",
        ] {
            link(tool, shell);
        }
    }
    dir
}

/// What a program reported, and its output outside of the protocol.
pub(crate) struct Ran {
    pub(crate) reports: Vec<Report>,
    pub(crate) program: Program,
    /// What went to standard output, where that is data.
    pub(crate) data: Vec<u8>,
}

impl Ran {
    /// The reports other than lines of output.
    pub(crate) fn skeleton(&self) -> Vec<Report> {
        self.reports.iter().filter(|report| !matches!(report, Report::Line { .. })).cloned().collect()
    }

    /// The lines of `stream`, as text.
    pub(crate) fn lines(&self, wanted: Stream) -> Vec<String> {
        let line = |report: &Report| match report {
            Report::Line { stream, line, .. } if *stream == wanted => Some(String::from_utf8_lossy(line).into_owned()),
            _ => None,
        };
        self.reports.iter().filter_map(line).collect()
    }

    /// The status with which the last task ended.
    pub(crate) fn status(&self) -> Option<i32> {
        self.reports.iter().rev().find_map(|report| match report {
            Report::Ended(_, status) => Some(*status),
            _ => None,
        })
    }

    /// The command that failed, as an error report would show it.
    pub(crate) fn culprit(&self) -> Option<&str> {
        let mut task = 0;
        for report in &self.reports {
            match report {
                Report::Began(number) => task = *number,
                Report::FailedAt(step, _) => {
                    return self.program.steps[task].get(step.wrapping_sub(1)).map(String::as_str);
                }
                _ => {}
            }
        }
        None
    }
}

/// What reads `program` from its standard input and runs it, as a server's login shell would, with the programs of the
/// folder `path` before the system's.
pub(crate) fn command(path: &Path, program: &Program) -> Command {
    let mut command = Command::new(path.join("sh"));
    command.args(["-c", &program.command()]).env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", path.display()));
    command
}

/// Runs `tasks` under `shell` as a server would, with `input` behind the program.
pub(crate) fn run(shell: &str, tasks: &[TaskScript], settings: &Shell, input: &[u8]) -> Ran {
    run_on(path_with(shell).path(), tasks, settings, input)
}

/// The same with the programs of the folder `path`, which has the shell.
pub(crate) fn run_on(path: &Path, tasks: &[TaskScript], settings: &Shell, input: &[u8]) -> Ran {
    let program = compile(tasks, settings).unwrap();
    let mut child =
        command(path, &program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&program.text).unwrap();
    stdin.write_all(input).unwrap();
    // A task that takes all of its input waits for the end.
    let stdin = (!tasks.iter().any(|task| task.input)).then_some(stdin);
    let mut stderr = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut bytes = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    drop(stdin);
    child.wait().unwrap();
    let mut reports = Vec::new();
    let mut decoder = Decoder::new(&settings.nonce);
    if settings.data {
        decoder = Decoder::of_standard_error(&settings.nonce);
    } else {
        decoder.feed(Stream::Stdout, &std::mem::take(&mut bytes), &mut |report| reports.push(report));
    }
    decoder.feed(Stream::Stderr, &errors.join().unwrap(), &mut |report| reports.push(report));
    decoder.finish(&mut |report| reports.push(report));
    Ran { reports, program, data: bytes }
}
