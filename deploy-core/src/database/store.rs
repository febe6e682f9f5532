//! The folder of backups on this machine.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Crc;
use jiff::Timestamp;

use super::adapter::Mark;
use super::manifest::Manifest;
use super::opened;
use crate::error::{Error, Result};

/// Where backups are kept: each a dump and its manifest, readable by their owner alone.
#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

/// A backup that is kept.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    pub(super) path: PathBuf,
    /// Its file's name.
    pub(super) name: String,
    /// The stage that its name says.
    pub(super) stage: String,
    /// When it was made, as its name says.
    pub(super) time: Timestamp,
    pub(super) bytes: u64,
    /// `None`: it has none, or one that can't be read.
    pub(super) manifest: Option<Manifest>,
}

impl Backup {
    /// Whether it is whole, as far as that shows without reading it: it was verified when it was made, and has the size
    /// that it had then.
    pub(super) fn is_verified(&self) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.bytes == self.bytes)
    }

    /// Whether it is that, and nothing of the database was left out of it.
    pub(super) fn is_whole(&self) -> bool {
        self.is_verified() && self.manifest.as_ref().is_some_and(|manifest| manifest.excluded.is_empty())
    }
}

impl Store {
    /// The folder `folder`, which need not exist yet.
    pub(super) fn new(folder: impl Into<PathBuf>) -> Store {
        Store { folder: folder.into() }
    }

    /// The backups, the newest first.
    ///
    /// # Errors
    ///
    /// When the folder is there and can't be read.
    pub(super) fn backups(&self) -> Result<Vec<Backup>> {
        let unreadable = |error| {
            Error::task(format!("failed to read the folder `{}`", self.folder.display()))
                .because(anyhow::Error::from(error))
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut backups = Vec::new();
        for entry in entries {
            backups.extend(backup(&entry.map_err(unreadable)?.path()));
        }
        backups.sort_by(|a, b| b.name.cmp(&a.name));
        Ok(backups)
    }

    /// Begins a backup of `stage` under a temporary name.
    ///
    /// # Errors
    ///
    /// When it can't be written.
    pub(super) fn begin(&self, stage: &str, extension: &str) -> Result<Draft> {
        let failed = |error: io::Error| {
            Error::task(format!("failed to write to the folder `{}`", self.folder.display())).because(error)
        };
        self.make_folder().map_err(failed)?;
        self.sweep();
        let time = Timestamp::now();
        let name = file_name(time, stage, extension);
        let part = self.folder.join(format!(".{name}.{}.part", std::process::id()));
        let file = private().create_new(true).open(&part).map_err(failed)?;
        Ok(Draft {
            path: self.folder.join(name),
            part,
            stage: stage.to_owned(),
            extension: extension.to_owned(),
            file: Some(file),
            bytes: 0,
            sum: Crc::new(),
            time,
        })
    }

    /// Makes the folder, out of reach for others and for git. One that is there already is somebody's, with files of theirs.
    fn make_folder(&self) -> io::Result<()> {
        if self.folder.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        fs::write(self.folder.join(".gitignore"), "*\n")
    }

    /// Removes what runs left behind that were killed.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = name.strip_suffix(".part").and_then(|name| name.rsplit_once('.')?.1.parse::<i32>().ok());
            if pid.and_then(rustix::process::Pid::from_raw).is_some_and(is_gone) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn is_gone(pid: rustix::process::Pid) -> bool {
    rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

fn file_name(time: Timestamp, stage: &str, extension: &str) -> String {
    format!("{}.{stage}.{extension}", time.strftime("%Y%m%d-%H%M%S"))
}

/// How files are opened that nobody else may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// The backup at `path`, if it is called like one.
fn backup(path: &Path) -> Option<Backup> {
    let name = path.file_name()?.to_str()?;
    let (stamp, rest) = name.split_once('.')?;
    let (stage, extension) = rest.rsplit_once('.')?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", stamp).ok()?;
    let time = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && extension != "json")?;
    Some(Backup {
        path: path.to_owned(),
        name: name.to_owned(),
        stage: stage.to_owned(),
        time,
        bytes: metadata.len(),
        manifest: Manifest::of(path).ok().flatten(),
    })
}

/// A backup that is being written. Dropped, it is gone.
pub(super) struct Draft {
    path: PathBuf,
    part: PathBuf,
    stage: String,
    extension: String,
    file: Option<File>,
    bytes: u64,
    /// A quick checksum of what was written.
    sum: Crc,
    /// When it was begun.
    pub(super) time: Timestamp,
}

impl Draft {
    /// How many bytes it has so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hands what is in the file to `read`, which reads all of it.
    ///
    /// # Errors
    ///
    /// When that fails, or what the disk gives back is not what was written.
    pub(super) fn read_back<T>(&self, read: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
        let mut source = Summed { source: File::open(&self.part)?, sum: Crc::new() };
        let answer = read(&mut source)?;
        if (source.sum.amount(), source.sum.sum()) == (self.sum.amount(), self.sum.sum()) {
            Ok(answer)
        } else {
            Err(io::Error::other("the disk gives back something else than what was written"))
        }
    }

    /// Writes `marks` over what was written before.
    ///
    /// # Errors
    ///
    /// When they can't be written.
    pub(super) fn mark(&mut self, marks: &[Mark]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        marks.iter().try_for_each(|mark| file.write_all_at(&mark.bytes, mark.at))
    }

    /// The SHA-256 of the file. `seen` is told how much has been read.
    ///
    /// # Errors
    ///
    /// When it can't be read, or `seen` says so.
    pub(super) fn sha256(&self, seen: &mut dyn FnMut(u64) -> Result<()>) -> Result<String> {
        let failed = |error| self.failed(error);
        opened::sha256(&Arc::new(File::open(&self.part).map_err(failed)?), &failed, seen)
    }

    /// Gives the backup its name, once its manifest stands beside it and both are on the disk.
    ///
    /// # Errors
    ///
    /// When that can't be written.
    pub(super) fn keep(mut self, manifest: &Manifest) -> Result<PathBuf> {
        self.finish(manifest).map_err(|error| write_failed(&self.path, error))?;
        Ok(self.path.clone())
    }

    fn finish(&mut self, manifest: &Manifest) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            file.sync_all()?;
        }
        let (beside, mut file) = self.reserve()?;
        let written = file.write_all(manifest.text().as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| fs::rename(&self.part, &self.path)).inspect_err(|_| drop(fs::remove_file(&beside)))?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Takes the first name that nobody else has, by making the manifest's file.
    fn reserve(&mut self) -> io::Result<(PathBuf, File)> {
        loop {
            let beside = Manifest::path_of(&self.path);
            match private().create_new(true).open(&beside) {
                Ok(file) if !self.path.exists() => return Ok((beside, file)),
                Ok(_) => fs::remove_file(&beside)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            self.time = self.time.checked_add(jiff::Span::new().seconds(1)).map_err(io::Error::other)?;
            self.path = self.path.with_file_name(file_name(self.time, &self.stage, &self.extension));
        }
    }

    /// An error in writing it.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        write_failed(&self.path, error)
    }
}

fn write_failed(path: &Path, error: io::Error) -> Error {
    let full = error.kind() == io::ErrorKind::StorageFull;
    let failed = Error::task(format!("failed to write `{}`", path.display())).because(error);
    if full { failed.hint("make room on this machine, or keep backups elsewhere: database.backup_dir") } else { failed }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        file.write_all(bytes)?;
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.part);
    }
}

/// Sums up what is read from it.
struct Summed<R> {
    source: R,
    sum: Crc,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.sum.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
