//! PostgreSQL's programs, watched or broken.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::release::Release;
use crate::sandbox::Sandbox;

/// A folder for `bin_dir`, in which PostgreSQL's programs write down how they are called.
pub struct Tools {
    folder: PathBuf,
    real: PathBuf,
}

impl Tools {
    /// The client programs of `release`.
    pub fn new(sandbox: &Sandbox, release: &Release) -> Tools {
        let tools = Tools { folder: sandbox.join("tools"), real: release.bin().to_owned() };
        fs::create_dir_all(&tools.folder).expect("a folder can be made");
        for program in ["pg_dump", "pg_restore", "psql", "pg_isready", "createdb", "dropdb", "pg_config"] {
            tools.replace(program, "exec \"$real\" \"$@\"");
        }
        tools
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has `program` be this script, in which `$real` is the real one.
    pub fn replace(&self, program: &str, script: &str) {
        let (log, real) = (self.log(), self.real.join(program));
        let text = format!(
            "#!/bin/sh\nprintf '{program} %s\\n' \"$*\" >>'{}'\nreal='{}'\n{script}\n",
            log.display(),
            real.display()
        );
        let file = self.folder.join(program);
        fs::write(&file, text).expect("a file can be written");
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("modes can be set");
    }

    /// Has `program` not be there.
    pub fn remove(&self, program: &str) {
        fs::remove_file(self.folder.join(program)).expect("a file can be removed");
    }

    /// How they were called, a line for each call.
    pub fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.log()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("calls")
    }
}
