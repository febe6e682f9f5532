//! Servers that are folders of this machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Server, Stage};
use crate::error::Error;
use crate::script::{Arg, Cmd};
use crate::transport::local::Local;
use crate::transport::{Connect, Output, Process, Traffic, Transport};

/// Logs in to the servers of the site in a folder.
pub(super) struct Machines {
    folder: PathBuf,
}

impl Machines {
    pub(super) fn new(folder: &Path) -> Machines {
        Machines { folder: folder.to_owned() }
    }

    /// The home of the user on the server `host`, in the site in `folder`.
    pub(super) fn home(folder: &Path, host: &str) -> PathBuf {
        folder.join("servers").join(host)
    }

    /// What begins a command with a login's environment: nothing is left of that of the tests.
    fn login(&self, host: &str) -> String {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let first = format!("{}:{}:{}", path("programs"), path("shell"), path("undeclared"));
        let set = |name: &str, value: &str| Arg::from(format!("{name}={value}")).to_string();
        let home = Machines::home(&self.folder, host).display().to_string();
        format!(
            "exec env -i {} {} USER=deploy PATH={}:\"$PATH\"",
            set("HOME", &home),
            set("SERVER", host),
            Arg::from(first)
        )
    }

    /// What `command` writes when it reads `input`, on no server.
    pub(super) fn pipe(&self, input: &str, command: &str) -> String {
        let machine = Local::new(&self.folder).machine();
        let mut process = machine.exec(command);
        process.stdin.send(input.as_bytes().to_vec());
        process.stdin.close();
        let mut written = Vec::new();
        loop {
            match process.next(Instant::now() + Duration::from_secs(60)) {
                Some(Output::Stdout(bytes) | Output::Stderr(bytes)) => written.extend(bytes),
                Some(Output::Exit(_)) => return String::from_utf8_lossy(&written).into_owned(),
                Some(Output::Lost(error)) => panic!("`{command}`: {error}"),
                None => panic!("`{command}` doesn't end"),
            }
        }
    }
}

impl Connect for Machines {
    fn connect(&self, _: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error> {
        let home = Machines::home(&self.folder, &server.host);
        fs::create_dir_all(&home).expect("the home of a server");
        Ok(Arc::new(Machine { login: self.login(&server.host), local: Local::new(home).machine() }))
    }
}

/// A server, logged in to.
struct Machine {
    login: String,
    local: Arc<dyn Transport>,
}

impl Transport for Machine {
    fn exec(&self, command: &str) -> Process {
        self.local.exec(&format!("{} {}", self.login, Cmd::new("sh").args(["-c", command])))
    }

    fn traffic(&self) -> Traffic {
        self.local.traffic()
    }
}

/// Has `shell` for `sh` in the folder `path`, and the tools of busybox where it is that.
pub(super) fn link_shell(path: &Path, shell: &str) {
    let tools = ["awk", "cat", "cut", "date", "dd", "find", "grep", "head", "ln", "mkdir", "mv", "readlink", "rm"];
    let more = ["sed", "sleep", "sort", "tar", "timeout", "tr", "wc"];
    let folders = ["/bin", "/usr/bin"].iter().map(Path::new);
    let program = folders.map(|folder| folder.join(shell)).find(|file| file.exists());
    let program = program.unwrap_or_else(|| panic!("`{shell}` isn't installed"));
    let names = tools.into_iter().chain(more).filter(|_| shell == "busybox").chain(["sh"]);
    for name in names {
        symlink(&program, path.join(name)).expect("a link to the shell");
    }
}

/// Writes a file, and makes the folders that it stands in.
pub(super) fn write(file: &Path, text: &str) {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
    written.unwrap_or_else(|error| panic!("`{}`: {error}", file.display()));
}
