use super::*;

/// Writes archives as `pg_dump` does.
struct Writer {
    version: (u8, u8),
    bytes: Vec<u8>,
}

impl Writer {
    fn new(version: (u8, u8)) -> Writer {
        let mut writer = Writer { version, bytes: MAGIC.to_vec() };
        writer.bytes.extend([version.0, version.1, 0, 4, 8, 1]);
        if version >= (1, 15) {
            writer.bytes.push(0)
        } else {
            writer.int(0)
        }
        (0..7).for_each(|time| writer.int(time));
        ["shop", "15.18 (Debian)", "16.2"].iter().for_each(|text| writer.text(Some(text)));
        writer
    }

    fn int(&mut self, value: i32) {
        self.bytes.push(u8::from(value < 0));
        self.bytes.extend(value.unsigned_abs().to_le_bytes());
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            None => self.int(-1),
            Some(text) => {
                self.int(i32::try_from(text.len()).unwrap());
                self.bytes.extend(text.as_bytes());
            }
        }
    }

    fn entry(&mut self, id: i32, has_data: bool, kind: &str, name: &str, definition: &str) {
        self.int(id);
        self.int(i32::from(has_data));
        ["1259", "16384", name, kind].iter().for_each(|text| self.text(Some(text)));
        self.int(2);
        [definition, "DROP", ""].iter().for_each(|text| self.text(Some(text)));
        [Some("public"), None].iter().for_each(|text| self.text(*text));
        if self.version >= (1, 14) {
            self.text(Some("heap"));
        }
        if self.version >= (1, 16) {
            self.int(114);
        }
        [Some("shop"), Some("false"), Some("3"), None].iter().for_each(|text| self.text(*text));
        // As written to a pipe: where the data is can't be said yet.
        self.bytes.push(1);
        self.bytes.extend([0; 8]);
    }

    fn rows(&mut self, id: i32, chunks: &[&str]) {
        self.bytes.push(1);
        self.int(id);
        chunks.iter().for_each(|chunk| self.text(Some(chunk)));
        self.int(0);
    }

    fn large_object(&mut self, id: i32, contents: &str) {
        self.bytes.push(3);
        self.int(id);
        self.int(16500);
        self.text(Some(contents));
        self.int(0);
        self.int(0);
    }
}

fn archive(version: (u8, u8)) -> Vec<u8> {
    let mut writer = Writer::new(version);
    writer.int(5);
    writer.entry(1, false, "ENCODING", "ENCODING", "SET client_encoding = 'UTF8';\n");
    writer.entry(2, false, "EXTENSION", "hstore", "CREATE EXTENSION hstore;\n");
    writer.entry(3, false, "TABLE", "Mixed \"case\"", "CREATE TABLE …;\n");
    writer.entry(4, true, "TABLE DATA", "Mixed \"case\"", "");
    writer.entry(5, true, "BLOBS", "BLOBS", "");
    writer.rows(4, &["1\tone\n", "2\ttwo\n"]);
    writer.large_object(5, "hello");
    writer.bytes
}

fn open(bytes: &[u8]) -> io::Result<(Archive<&[u8]>, Contents)> {
    Archive::open(bytes)
}

#[test]
fn every_known_version_is_read() {
    for minor in 12..=16 {
        let bytes = archive((1, minor));
        let (archive, contents) = open(&bytes).unwrap();
        assert_eq!(contents.tables().collect::<Vec<_>>(), [("public", "Mixed \"case\"")], "1.{minor}");
        assert_eq!(contents.extensions().collect::<Vec<_>>(), ["hstore"]);
        assert_eq!(contents.encoding(), Some("UTF8"));
        assert!(contents.entries.iter().all(|entry| entry.needs == [3] && entry.owner == "shop"), "1.{minor}");
        assert_eq!((contents.compressed, &*contents.dump_version), (false, "16.2"));
        archive.read_all(&contents).unwrap();
    }
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_found_out() {
    let bytes = archive((1, 14));
    for length in 0..bytes.len() {
        let read = open(&bytes[..length]).and_then(|(archive, contents)| archive.read_all(&contents));
        assert!(read.is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn other_files_and_newer_versions_are_told_apart() {
    let why = |bytes: &[u8]| open(bytes).err().unwrap().to_string();
    assert_eq!(why(b"SELECT 1;"), "it doesn't begin as an archive of pg_dump does");
    assert_eq!(why(b"PGDMP\x01\x20\x00\x04\x08"), "it is of version 1.32, which is not known here");
}

#[test]
fn damage_never_asks_for_more_memory_than_the_file_has() {
    let bytes = archive((1, 16));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        // It may still be readable: a byte of a name, say. It must end, and not ask for gigabytes.
        let _ = open(&damaged).and_then(|(archive, contents)| archive.read_all(&contents));
    }
}

#[test]
fn where_the_data_is_can_be_written_down_once_all_of_it_was_read() {
    for minor in 12..=16 {
        let mut bytes = archive((1, minor));
        let (archive, contents) = open(&bytes).unwrap();
        let marks = archive.read_all(&contents).unwrap();
        assert_eq!(marks.len(), 2, "1.{minor}");
        for (mark, (kind, id)) in marks.iter().zip([(1, 4), (3, 5)]) {
            let place = u64::from_le_bytes(mark.bytes[1..].try_into().unwrap()) as usize;
            assert_eq!((mark.bytes[0], &bytes[place..place + 3]), (2, &[kind, 0, id][..]), "1.{minor}");
        }
        for mark in &marks {
            let at = mark.at as usize;
            assert_eq!(bytes[at], 1, "1.{minor}");
            bytes[at..at + mark.bytes.len()].copy_from_slice(&mark.bytes);
        }
        let (archive, same) = open(&bytes).unwrap();
        assert_eq!(same.tables().collect::<Vec<_>>(), contents.tables().collect::<Vec<_>>());
        assert_eq!(archive.read_all(&same).unwrap(), [], "nothing is left to be written");
    }
}
