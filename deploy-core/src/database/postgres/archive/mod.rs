//! Reads what `pg_dump` writes: the header, the table of contents, and whether all data is there.
//!
//! The layout is that of `pg_backup_archiver.c` and `pg_backup_custom.c`, versions 1.12 (PostgreSQL 9.0) to 1.16
//! (PostgreSQL 17). So the controller needs no programs of PostgreSQL to look into a dump.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use crate::database::adapter::Mark;

pub(super) mod passes;

/// What every archive begins with.
pub(super) const MAGIC: &[u8; 5] = b"PGDMP";

/// The versions that are known here, as major and minor number.
const KNOWN: std::ops::RangeInclusive<(u8, u8)> = (1, 12)..=(1, 16);

/// The longest text that is believed: a longer one is a sign of damage, not of a long function.
const LONGEST: u64 = 1 << 30;

/// What stands before the place of an entry's data: it isn't known, as where `pg_dump` writes to a pipe, or it is.
const UNKNOWN_PLACE: u8 = 1;
const KNOWN_PLACE: u8 = 2;

/// How much is read at a time, in bytes.
const BUFFER: usize = 1 << 17;

/// How an archive is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One file with everything.
    Custom,
    /// The `toc.dat` of a tar file.
    Tar,
    /// The `toc.dat` of a folder.
    Directory,
}

/// The head of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// The version of the format: `(1, 14)`.
    pub(super) version: (u8, u8),
    pub(super) layout: Layout,
    /// Whether the data is compressed inside.
    pub(super) compressed: bool,
    /// The version of the server that was dumped.
    server_version: String,
    /// The version of the `pg_dump` that wrote it.
    pub(super) dump_version: String,
    pub(super) entries: Vec<Entry>,
}

/// A line of the table of contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i64,
    /// Whether data belongs to it.
    pub(super) has_data: bool,
    /// What it is: `TABLE`, `EXTENSION`, `TABLE DATA`.
    pub(super) kind: String,
    pub(super) schema: String,
    pub(super) name: String,
    /// The role that owned it.
    pub(super) owner: String,
    /// The statement that makes it.
    pub(super) definition: String,
    /// The ids of what has to be there first.
    pub(super) needs: Vec<i64>,
    /// Where the file has room for the place of its data, if nothing stands there yet.
    pub(super) blank: Option<u64>,
}

impl Contents {
    /// The tables, as schema and name.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &str)> {
        let tables = self.entries.iter().filter(|entry| matches!(&*entry.kind, "TABLE" | "FOREIGN TABLE"));
        tables.map(|entry| (&*entry.schema, &*entry.name))
    }

    /// The major version of the server that was dumped, if it says.
    pub(super) fn server(&self) -> Option<u32> {
        major(&self.server_version)
    }

    /// The major version of the `pg_dump` that wrote it, if it says.
    pub(super) fn writer(&self) -> Option<u32> {
        major(&self.dump_version)
    }

    /// The names of the extensions.
    pub(super) fn extensions(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| entry.kind == "EXTENSION").map(|entry| &*entry.name)
    }

    /// The encoding of the dumped database.
    pub(super) fn encoding(&self) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.kind == "ENCODING")?;
        entry.definition.split('\'').nth(1)
    }
}

fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Reads an archive from its beginning.
pub(super) struct Archive<R> {
    source: BufReader<R>,
    /// How many bytes have been read.
    position: u64,
    version: (u8, u8),
    int_size: usize,
    offset_size: usize,
}

impl<R: Read> Archive<R> {
    /// Reads the head.
    ///
    /// # Errors
    ///
    /// When it is no archive, of a version that isn't known, or damaged.
    pub(super) fn open(source: R) -> io::Result<(Archive<R>, Contents)> {
        let source = BufReader::with_capacity(BUFFER, source);
        let mut archive = Archive { source, position: 0, version: (0, 0), int_size: 0, offset_size: 0 };
        let mut magic = [0; 5];
        archive.exact(&mut magic)?;
        if &magic != MAGIC {
            return Err(damaged("it doesn't begin as an archive of pg_dump does"));
        }
        let [major, minor, _revision] = [archive.byte()?, archive.byte()?, archive.byte()?];
        archive.version = (major, minor);
        if !KNOWN.contains(&archive.version) {
            return Err(damaged(format!("it is of version {major}.{minor}, which is not known here")));
        }
        archive.int_size = archive.byte()?.into();
        archive.offset_size = archive.byte()?.into();
        if !(1..=8).contains(&archive.int_size) || !(1..=8).contains(&archive.offset_size) {
            return Err(damaged("its numbers have an impossible size"));
        }
        let contents = archive.contents()?;
        Ok((archive, contents))
    }

    fn contents(&mut self) -> io::Result<Contents> {
        let layout = match self.byte()? {
            1 => Layout::Custom,
            3 => Layout::Tar,
            5 => Layout::Directory,
            other => return Err(damaged(format!("its layout has the number {other}, which is not known here"))),
        };
        let compressed = if self.version >= (1, 15) { self.byte()? != 0 } else { self.int()? != 0 };
        for _time in 0..7 {
            self.int()?;
        }
        let (_database, server_version, dump_version) = (self.text()?, self.text()?, self.text()?);
        let count = self.int()?;
        let entries = (0..count).map(|_| self.entry(layout)).collect::<io::Result<_>>()?;
        let version = self.version;
        Ok(Contents { version, layout, compressed, server_version, dump_version, entries })
    }

    fn entry(&mut self, layout: Layout) -> io::Result<Entry> {
        let (id, has_data) = (self.int()?, self.int()? != 0);
        let _table_oid = self.text()?;
        let _oid = self.text()?;
        let (name, kind) = (self.text()?, self.text()?);
        let _section = self.int()?;
        let definition = self.text()?;
        let _drop = self.text()?;
        let _copy = self.text()?;
        let schema = self.text()?;
        let _tablespace = self.text()?;
        if self.version >= (1, 14) {
            let _access_method = self.text()?;
        }
        if self.version >= (1, 16) {
            let _relation_kind = self.int()?;
        }
        let owner = self.text()?;
        let _with_oids = self.text()?;
        let needs = self.needs()?;
        let blank = match layout {
            Layout::Custom => self.place()?,
            Layout::Tar | Layout::Directory => self.text().map(|_file| None)?,
        };
        Ok(Entry { id, has_data, kind, schema, name, owner, definition, needs, blank })
    }

    /// Where an entry's data is. Returns the position of that, where it is not known.
    fn place(&mut self) -> io::Result<Option<u64>> {
        let position = self.position;
        let is_known = self.byte()? != UNKNOWN_PLACE;
        self.skip(self.offset_size as u64)?;
        Ok((!is_known).then_some(position))
    }

    /// Numbers, each as a text, up to a text that isn't there.
    fn needs(&mut self) -> io::Result<Vec<i64>> {
        let mut needs = Vec::new();
        while let Some(id) = self.maybe_text()? {
            needs.push(id.parse().map_err(|_| damaged("what an entry depends on is no number"))?);
        }
        Ok(needs)
    }

    /// Reads the data of an archive in one file to its end. Returns what `pg_dump` would have written into the table of
    /// contents if it could have gone back: where the data is.
    ///
    /// # Errors
    ///
    /// When it is cut off, damaged in its structure, or lacks the data of an entry.
    pub(super) fn read_all(mut self, contents: &Contents) -> io::Result<Vec<Mark>> {
        let mut places = BTreeMap::new();
        loop {
            let place = self.position;
            let Some(kind) = self.next_block()? else { break };
            let id = self.int()?;
            match kind {
                1 => self.chunks()?,
                3 => {
                    while self.int()? != 0 {
                        self.chunks()?;
                    }
                }
                other => return Err(damaged(format!("a block has the kind {other}, which is not known here"))),
            }
            places.entry(id).or_insert(place);
        }
        let lacks = |entry: &&Entry| entry.has_data && !places.contains_key(&entry.id);
        match contents.entries.iter().find(lacks) {
            None => Ok(self.marks(contents, &places)),
            Some(entry) => {
                let Entry { kind, schema, name, .. } = entry;
                Err(damaged(format!("it has no data for {kind} {schema} {name}: it is cut off, or damaged")))
            }
        }
    }

    fn marks(&self, contents: &Contents, places: &BTreeMap<i64, u64>) -> Vec<Mark> {
        let mark = |entry: &Entry| {
            let (at, place) = (entry.blank?, places.get(&entry.id)?);
            let bytes = place.to_le_bytes().into_iter().take(self.offset_size);
            Some(Mark { at, bytes: std::iter::once(KNOWN_PLACE).chain(bytes).collect() })
        };
        contents.entries.iter().filter(|entry| entry.has_data).filter_map(mark).collect()
    }

    /// The kind of the next block; `None` at the end of the file.
    fn next_block(&mut self) -> io::Result<Option<u8>> {
        let mut kind = [0];
        loop {
            return match self.source.read(&mut kind) {
                Ok(0) => Ok(None),
                Ok(_) => {
                    self.position += 1;
                    Ok(Some(kind[0]))
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    fn chunks(&mut self) -> io::Result<()> {
        loop {
            match self.int()? {
                0 => return Ok(()),
                length if length > 0 => self.skip(length.unsigned_abs())?,
                _ => return Err(damaged("a block has a negative length")),
            }
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.exact(&mut byte)?;
        Ok(byte[0])
    }

    fn exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.source.read_exact(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// A sign, and so many bytes, the lowest first.
    fn int(&mut self) -> io::Result<i64> {
        let size = self.int_size + 1;
        // Each row of a table has one of these: most are read from the buffer as they stand there.
        if let Some(bytes) = self.source.buffer().get(..size) {
            let value = int_of(bytes);
            self.source.consume(size);
            self.position += size as u64;
            return value;
        }
        let mut bytes = [0; 9];
        self.exact(&mut bytes[..size])?;
        int_of(&bytes[..size])
    }

    fn text(&mut self) -> io::Result<String> {
        Ok(self.maybe_text()?.unwrap_or_default())
    }

    fn maybe_text(&mut self) -> io::Result<Option<String>> {
        let Ok(length) = u64::try_from(self.int()?) else { return Ok(None) };
        if length > LONGEST {
            return Err(damaged("a text has an impossible length"));
        }
        let mut bytes = Vec::new();
        self.source.by_ref().take(length).read_to_end(&mut bytes)?;
        self.position += bytes.len() as u64;
        if (bytes.len() as u64) < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            let there = self.source.fill_buf()?.len();
            if there == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(there);
            self.source.consume(skipped);
            left -= skipped as u64;
        }
        self.position += bytes;
        Ok(())
    }
}

fn int_of(bytes: &[u8]) -> io::Result<i64> {
    let value = bytes[1..].iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let value = i64::try_from(value).map_err(|_| damaged("a number is too large"))?;
    Ok(if bytes[0] == 0 { value } else { -value })
}

fn damaged(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
mod tests;
