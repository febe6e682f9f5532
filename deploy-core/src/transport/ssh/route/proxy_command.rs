//! `ProxyCommand`: a program whose standard streams are the connection.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How much of what the program complains about is kept.
const COMPLAINT: usize = 4096;

/// How long it takes a program that has hung up to finish complaining.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running `ProxyCommand`. Dropping it ends it.
pub(crate) struct ProxyProcess {
    child: Child,
    complaint: Arc<Complaint>,
}

/// What a program writes to its standard error, the last of it.
#[derive(Default)]
struct Complaint {
    /// The text, and whether it is complete.
    state: Mutex<(Vec<u8>, bool)>,
    ended: Condvar,
}

impl ProxyProcess {
    /// Starts `command` in `shell`, and gives our end of the connection.
    ///
    /// It runs in a process group of its own: a Ctrl-C on the terminal must not cut the connection over which the run
    /// is wound up.
    pub(crate) fn start(command: &str, shell: &Path) -> io::Result<(ProxyProcess, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new(shell)
            .args(["-c", &format!("exec {command}")])
            .process_group(0)
            .stdin(OwnedFd::from(theirs.try_clone()?))
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::piped())
            .spawn()?;
        let complaint = Arc::new(Complaint::default());
        if let Some(stderr) = child.stderr.take() {
            let kept = Arc::clone(&complaint);
            thread::spawn(move || kept.listen(stderr));
        }
        Ok((ProxyProcess { child, complaint }, ours))
    }

    /// What the program wrote to its standard error. Waits a little for the rest of it.
    pub(crate) fn complaint(&self) -> String {
        let state = self.complaint.lock();
        let still_talking = |state: &mut (Vec<u8>, bool)| !state.1;
        let (state, _) = self
            .complaint
            .ended
            .wait_timeout_while(state, LAST_WORDS, still_talking)
            .unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.0).trim().to_owned()
    }
}

impl Drop for ProxyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Complaint {
    fn listen(&self, mut stderr: ChildStderr) {
        let mut buffer = [0; 1024];
        while let Ok(bytes @ 1..) = stderr.read(&mut buffer) {
            let text = &mut self.lock().0;
            text.extend_from_slice(&buffer[..bytes]);
            let surplus = text.len().saturating_sub(COMPLAINT);
            text.drain(..surplus);
        }
        self.lock().1 = true;
        self.ended.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_written_goes_through_the_program_and_back() {
        let (process, mut stream) = ProxyProcess::start("cat", Path::new("/bin/sh")).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"hello");
        drop(process);
        assert_eq!(stream.read(&mut back).unwrap(), 0, "dropping it ends it");
    }

    #[test]
    fn the_shell_is_the_users_own() {
        let (_process, mut stream) = ProxyProcess::start("echo $0", Path::new("/bin/bash")).unwrap();
        let mut said = [0; 10];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"/bin/bash\n");
    }

    #[test]
    fn its_complaints_are_kept() {
        let (process, mut stream) = ProxyProcess::start("sh -c 'echo no route >&2'", Path::new("/bin/sh")).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        assert_eq!(process.complaint(), "no route");
    }
}
