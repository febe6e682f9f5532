//! Running generated programs under the shells that servers have.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use tempfile::TempDir;

use super::{Beginning, Decoder, Opening, Program, Report, Shell, Talk, TaskScript, compile};
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
            "dd", "mkfifo", "timeout", "sleep", "cat", "mkdir", "mv", "ln", "rm", "sort", "readlink", "date", "find",
            "tar", "awk", "grep",
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
    /// The reports of tasks and of the program's end, other than lines of output.
    pub(crate) fn skeleton(&self) -> Vec<Report> {
        let counts = |report: &&Report| !matches!(report, Report::Line { .. } | Report::Greeted | Report::Parted(_));
        self.reports.iter().filter(counts).cloned().collect()
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

/// What the tests' conversations are opened with.
pub(crate) const HELLO: &str = "0123456789abcdef";

/// What a server runs for `opening`, with the programs of the folder `path` before the system's, in a process group of its
/// own as sshd gives one.
pub(crate) fn command(path: &Path, opening: &Opening) -> Command {
    let mut command = Command::new(path.join("sh"));
    command.args(["-c", &opening.command]).env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", path.display()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

/// The word by which whoever runs `command`, which an [`Opening`] made, is recognised.
pub(crate) fn hello_of(command: &str) -> String {
    let packed = BASE64.decode(command.rsplit(' ').next().unwrap()).unwrap();
    let text = io::read_to_string(GzDecoder::new(packed.as_slice())).unwrap();
    text.rsplit("deploy_converse ").next().and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
}

/// The frame that sends `payload` whole.
pub(crate) fn payload_frame(payload: &[u8]) -> Vec<u8> {
    [format!("D {} last\n", payload.len()).as_bytes(), payload].concat()
}

/// Runs `tasks` under `shell` as a server would, in a conversation in which the controller says `said` besides the good end.
pub(crate) fn run(shell: &str, tasks: &[TaskScript], settings: &Shell, said: &[u8]) -> Ran {
    run_on(path_with(shell).path(), tasks, settings, Talk::Programs, said)
}

/// The same with the programs of the folder `path`, which has the shell; and in any kind of talk.
pub(crate) fn run_on(path: &Path, tasks: &[TaskScript], settings: &Shell, talk: Talk, said: &[u8]) -> Ran {
    let program = compile(tasks, settings).unwrap();
    let opening = Opening::new(settings, &program, talk, HELLO, false);
    let mut child = command(path, &opening).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&opening.input).unwrap();
    stdin.write_all(said).unwrap();
    if talk != Talk::DataIn {
        stdin.write_all(b"Q\n").unwrap();
    }
    drop(stdin);
    let mut stderr = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let mut bytes = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    child.wait().unwrap();
    let mut reports = Vec::new();
    let mut decoder = Decoder::new(HELLO, tasks.len());
    if talk == Talk::DataOut {
        decoder = Decoder::of_standard_error(HELLO, tasks.len());
        bytes = Beginning::new(HELLO).pass(&bytes).unwrap().into_owned();
    } else {
        decoder.feed(Stream::Stdout, &std::mem::take(&mut bytes), &mut |report| reports.push(report));
    }
    decoder.feed(Stream::Stderr, &errors.join().unwrap(), &mut |report| reports.push(report));
    decoder.finish(&mut |report| reports.push(report));
    Ran { reports, program, data: bytes }
}
