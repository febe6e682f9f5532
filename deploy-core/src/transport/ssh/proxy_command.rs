//! `ProxyCommand`: a program whose standard streams are the connection.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How much of what the program complains about is kept.
const COMPLAINT: usize = 4096;

/// A running `ProxyCommand`. Dropping it ends it.
pub(super) struct ProxyProcess {
    child: Child,
    complaint: Arc<Mutex<Vec<u8>>>,
}

impl ProxyProcess {
    /// Starts `command` in a shell, and gives our end of the connection.
    ///
    /// It runs in a process group of its own: a Ctrl-C on the terminal must not cut the connection over which the run
    /// is wound up.
    pub(super) fn start(command: &str) -> io::Result<(ProxyProcess, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("exec {command}")])
            .process_group(0)
            .stdin(OwnedFd::from(theirs.try_clone()?))
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::piped())
            .spawn()?;
        let complaint = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let kept = Arc::clone(&complaint);
            thread::spawn(move || listen(stderr, &kept));
        }
        Ok((ProxyProcess { child, complaint }, ours))
    }

    /// What the program wrote to its standard error, the last of it.
    pub(super) fn complaint(&self) -> String {
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&complaint).trim().to_owned()
    }
}

impl Drop for ProxyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(mut stderr: ChildStderr, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(bytes @ 1..) = stderr.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..bytes]);
        let surplus = kept.len().saturating_sub(COMPLAINT);
        kept.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_written_goes_through_the_program_and_back() {
        let (process, mut stream) = ProxyProcess::start("cat").unwrap();
        stream.write_all(b"hello").unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"hello");
        drop(process);
        assert_eq!(stream.read(&mut back).unwrap(), 0, "dropping it ends it");
    }

    #[test]
    fn its_complaints_are_kept() {
        let (process, mut stream) = ProxyProcess::start("sh -c 'echo no route >&2'").unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        let started = std::time::Instant::now();
        while process.complaint().is_empty() && started.elapsed().as_secs() < 10 {
            thread::yield_now();
        }
        assert_eq!(process.complaint(), "no route");
    }
}
