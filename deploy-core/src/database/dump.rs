//! A dump on this machine: what it is, whether it is whole, and what is in it.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::adapter::{Adapter, Form, Inventory};
use super::manifest::Manifest;
use super::opened::{FromStart, Sum, sha256};
use crate::error::{Error, Result};

/// How much of a file shows what it is, in bytes.
const HEAD: usize = 1024;

/// A file that can be restored.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) form: Form,
    /// What it was compressed by as a whole.
    pub(super) compression: Compression,
    pub(super) manifest: Option<Manifest>,
    /// What is read of it, at any time: another file may get its name meanwhile.
    file: Arc<File>,
    opened: Stamp,
}

/// What changes when a file does, or when another one takes its name.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    times: [(i64, i64); 2],
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            file: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            times: [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())],
        }
    }
}

/// A dump that is whole.
#[derive(Debug)]
pub(super) struct Checked {
    /// What is in it.
    pub(super) inventory: Inventory,
    /// The SHA-256 of the file.
    pub(super) sha256: String,
}

/// What a file is compressed by as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    fn reader<'r>(self, source: impl Read + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
        Ok(match self {
            Compression::None => Box::new(source),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(source)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(source)?),
        })
    }
}

impl Dump {
    /// The dump at `path`. Little of it is read.
    ///
    /// # Errors
    ///
    /// When there is none, or nothing that `adapter` could load.
    pub(super) fn open(path: &Path, adapter: &dyn Adapter) -> Result<Dump> {
        let unreadable = |error: io::Error| unreadable(path, error);
        let file = Arc::new(File::open(path).map_err(unreadable)?);
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Error::usage(format!("`{}` is a folder", path.display())).hint(format!(
                "pack a dump of the format `directory` first: tar -C {0} -cf {0}.tar .",
                path.display()
            )));
        }
        let mut head = Vec::new();
        FromStart::of(&file).take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
        let compression = Compression::of(&head);
        if compression != Compression::None {
            let mut reader = compression.reader(BufReader::new(FromStart::of(&file))).map_err(unreadable)?;
            head.clear();
            reader.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(|error| damaged(path, error))?;
        }
        let form = adapter.recognize(&head).ok_or_else(|| {
            Error::task(format!("`{}` is no dump that can be restored", path.display()))
                .hint("what pg_dump writes can be: custom format, SQL (also compressed by gzip or zstd), and tar")
        })?;
        let manifest = Manifest::of(path)?;
        let opened = Stamp::of(&metadata);
        Ok(Dump { path: path.to_owned(), bytes: metadata.len(), form, compression, manifest, file, opened })
    }

    /// How it is called in output: its file's name.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Makes sure that it is whole, and says what is in it. With a manifest that is a matter of size and checksum; without
    /// one the whole dump is read. `seen` is told how many bytes have been read.
    ///
    /// # Errors
    ///
    /// When it is damaged, or cut off.
    pub(super) fn check(&self, adapter: &dyn Adapter, seen: &mut dyn FnMut(u64) -> Result<()>) -> Result<Checked> {
        let known = self.manifest.as_ref().map(|manifest| self.compare(manifest, seen)).transpose()?;
        let sum = Sum::default();
        let source = sum.of(FromStart::of(&self.file));
        let source = Counted { source: BufReader::with_capacity(1 << 17, source), seen, count: 0, stopped: None };
        // Of a text it has to be known what psql would do.
        let inventory = self.read_inventory(adapter, source, self.manifest.is_none() || self.form == Form::Text)?;
        let sha256 = match known {
            Some(sha256) => sha256,
            None => sum.finish(&self.file).map_err(|error| unreadable(&self.path, error))?,
        };
        Ok(Checked { inventory, sha256 })
    }

    /// Makes sure that the file is still the one that was checked, where a program reads it by its name.
    ///
    /// # Errors
    ///
    /// When another one has its name, or it was written to.
    pub(super) fn must_be_untouched(&self) -> Result<()> {
        let now = std::fs::metadata(&self.path).map_err(|error| unreadable(&self.path, error))?;
        if Stamp::of(&now) == self.opened { Ok(()) } else { Err(self.changed()) }
    }

    /// The file is not what it was when it was checked.
    pub(super) fn changed(&self) -> Error {
        Error::task(format!("`{}` was changed while it was being restored: nothing of it is live", self.path.display()))
            .hint("who writes to it? restore it again when it stays as it is")
    }

    fn read_inventory(
        &self,
        adapter: &dyn Adapter,
        mut source: Counted<'_, impl Read + Send>,
        whole: bool,
    ) -> Result<Inventory> {
        let inventory = {
            let mut reader: Box<dyn Read + '_> = match self.compression {
                Compression::None => Box::new(&mut source),
                Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(&mut source)),
                Compression::Zstd => {
                    let decoder = zstd::stream::read::Decoder::new(&mut source);
                    Box::new(decoder.map_err(|error| damaged(&self.path, error))?)
                }
            };
            let inventory = adapter.inspect(self.form, &mut *reader, whole);
            // What compresses has a checksum at the end.
            let rest = if whole && inventory.is_ok() { io::copy(&mut reader, &mut io::sink()) } else { Ok(0) };
            inventory.and_then(|inventory| rest.map(|_| inventory))
        };
        match source.stopped {
            Some(error) => Err(error),
            None => inventory.map_err(|error| damaged(&self.path, error)),
        }
    }

    fn compare(&self, manifest: &Manifest, seen: &mut dyn FnMut(u64) -> Result<()>) -> Result<String> {
        if manifest.bytes != self.bytes {
            return Err(Error::task(format!(
                "`{}` is damaged: it is {} bytes long, and was {} when it was made",
                self.path.display(),
                self.bytes,
                manifest.bytes
            ))
            .hint("take another one: cargo xtask db backup list"));
        }
        let sha256 = sha256(&self.file, &|error| unreadable(&self.path, error), seen)?;
        if sha256 == manifest.sha256 {
            Ok(sha256)
        } else {
            Err(Error::task(format!(
                "`{}` is damaged: its SHA-256 is not the one that it had when it was made",
                self.path.display()
            ))
            .hint("take another one: cargo xtask db backup list"))
        }
    }

    /// Makes sure that what [`reader`](Dump::reader) read, which `sum` knows, is what was checked.
    ///
    /// # Errors
    ///
    /// When it isn't.
    pub(super) fn must_be(&self, sha256: &str, sum: &Sum) -> Result<()> {
        let read = sum.finish(&self.file).map_err(|error| unreadable(&self.path, error))?;
        if read == sha256 { Ok(()) } else { Err(self.changed()) }
    }

    /// What is loaded, to be sent; `seen` is told how many bytes of the file have been read, and `sum` what they are.
    ///
    /// # Errors
    ///
    /// When the file can't be read.
    pub(super) fn reader<'r>(
        &self,
        adapter: &dyn Adapter,
        sum: &Sum,
        seen: impl FnMut(u64) + Send + 'r,
    ) -> Result<Box<dyn Read + Send + 'r>> {
        let source = BufReader::with_capacity(1 << 17, sum.of(FromStart::of(&self.file)));
        let counting = Counting { source, count: 0, seen };
        let reader = self.compression.reader(counting).map_err(|error| unreadable(&self.path, error))?;
        Ok(match self.form {
            Form::Text => adapter.filtered(reader),
            Form::Archive | Form::Tar => reader,
        })
    }

    /// Whether it can be loaded from where it is, on this machine.
    pub(super) fn is_ready(&self) -> bool {
        self.compression == Compression::None && self.form == Form::Archive
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let missing = error.kind() == io::ErrorKind::NotFound;
    let failed = Error::task(format!("failed to read `{}`", path.display())).because(error);
    if missing { failed.hint("see what there is: cargo xtask db backup list") } else { failed }
}

fn damaged(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::Unsupported {
        return Error::task(format!("`{}` is more than data, and is not loaded", path.display()))
            .because(error)
            .hint("make it anew by pg_dump, without --create, and not by pg_dumpall");
    }
    let cut_off = error.kind() == io::ErrorKind::UnexpectedEof;
    let error = if cut_off {
        Error::task(format!("`{}` is damaged: it is cut off", path.display()))
    } else {
        Error::task(format!("`{}` is damaged", path.display())).because(error)
    };
    error.hint("take another one: cargo xtask db backup list")
}

/// Tells how far a source has been read, and stops reading when it is told to.
struct Counted<'s, R> {
    source: R,
    seen: &'s mut dyn FnMut(u64) -> Result<()>,
    count: u64,
    stopped: Option<Error>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let before = self.count;
        self.count += read as u64;
        // An archive is read in small pieces; nobody wants to hear of each.
        if before >> 20 != self.count >> 20
            && let Err(error) = (self.seen)(self.count)
        {
            self.stopped = Some(error);
            return Err(io::ErrorKind::Other.into());
        }
        Ok(read)
    }
}

/// Tells how far a source has been read.
struct Counting<R, F> {
    source: R,
    count: u64,
    seen: F,
}

impl<R: Read, F: FnMut(u64)> Read for Counting<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count += read as u64;
        (self.seen)(self.count);
        Ok(read)
    }
}
