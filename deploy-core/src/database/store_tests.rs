use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::database::manifest::Purpose;

fn manifest(bytes: u64) -> Manifest {
    Manifest {
        stage: "qa".into(),
        database: "shop".into(),
        purpose: Purpose::Backup,
        created: "2026-11-22T10:15:00Z".into(),
        by: "ada".into(),
        bytes,
        sha256: String::new(),
        seconds: 1.0,
        server_version: "15.18".into(),
        database_bytes: 10,
        tables: 1,
        revision: None,
        schema: None,
        system: String::new(),
        settings: Vec::new(),
        invalid_indexes: None,
        excluded: Vec::new(),
        warnings: Vec::new(),
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("backups"));
    (folder, store)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nobody_else_can_read_what_is_kept() {
    let (folder, store) = store();
    let mut draft = store.begin("qa", "pgdump").unwrap();
    draft.write_all(b"data").unwrap();
    let path = draft.keep(&manifest(4)).unwrap();
    let backups = folder.path().join("backups");
    assert_eq!((mode(&backups), mode(&path), mode(&Manifest::path_of(&path))), (0o700, 0o600, 0o600));
    assert_eq!(fs::read_to_string(backups.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    let (folder, store) = store();
    let mut draft = store.begin("qa", "pgdump").unwrap();
    draft.write_all(b"half").unwrap();
    drop(draft);
    assert_eq!(names(&folder.path().join("backups")), [".gitignore"]);
}

#[test]
fn what_a_killed_run_left_behind_is_removed_by_the_next_one() {
    let (folder, store) = store();
    drop(store.begin("qa", "pgdump").unwrap());
    let backups = folder.path().join("backups");
    // No process has this number: it is larger than any system allows.
    fs::write(backups.join(".20260101-000000.qa.pgdump.2000000000.part"), "half").unwrap();
    fs::write(backups.join(format!(".20260101-000001.qa.pgdump.{}.part", std::process::id())), "ours").unwrap();
    drop(store.begin("qa", "pgdump").unwrap());
    assert_eq!(
        names(&backups),
        [format!(".20260101-000001.qa.pgdump.{}.part", std::process::id()), ".gitignore".to_owned()]
    );
}

#[test]
fn two_backups_in_one_second_have_two_names() {
    let (_folder, store) = store();
    let keep = || store.begin("qa", "pgdump").unwrap().keep(&manifest(0)).unwrap();
    assert_ne!(keep(), keep());
    assert_eq!(store.backups().unwrap().len(), 2);
}

#[test]
fn backups_are_known_by_their_names_the_newest_first() {
    let (folder, store) = store();
    let backups = folder.path().join("backups");
    fs::create_dir(&backups).unwrap();
    for name in
        ["20260101-101500.qa.pgdump", "20260102-101500.eu.west.pgdump", "notes.txt", "20260101-101500.qa.pgdump.json"]
    {
        fs::write(backups.join(name), "").unwrap();
    }
    let found: Vec<_> =
        store.backups().unwrap().into_iter().map(|backup| (backup.stage, backup.time.to_string())).collect();
    assert_eq!(
        found,
        [("eu.west".into(), "2026-01-02T10:15:00Z".to_owned()), ("qa".into(), "2026-01-01T10:15:00Z".to_owned())]
    );
}

#[test]
fn a_backup_is_verified_as_long_as_it_has_the_size_that_it_had() {
    let (_folder, store) = store();
    let mut draft = store.begin("qa", "pgdump").unwrap();
    draft.write_all(b"data").unwrap();
    let path = draft.keep(&manifest(4)).unwrap();
    assert!(store.backups().unwrap()[0].is_verified());
    fs::write(path, "dat").unwrap();
    assert!(!store.backups().unwrap()[0].is_verified());
}

#[test]
fn a_folder_that_does_not_exist_has_no_backups() {
    let (_folder, store) = store();
    assert!(store.backups().unwrap().is_empty());
}

#[test]
fn a_folder_that_was_there_before_is_left_to_git() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::new(folder.path()).begin("qa", "pgdump").unwrap());
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[test]
fn what_is_marked_counts_in_the_checksum() {
    let (_folder, store) = store();
    let mut draft = store.begin("qa", "pgdump").unwrap();
    draft.write_all(b"a dump").unwrap();
    draft.read_back(|source| io::copy(source, &mut io::sink())).unwrap();
    let sum = |draft: &Draft| draft.sha256(&mut |_| Ok(())).unwrap();
    assert_eq!(sum(&draft), "ec0836540d7066a2b80056c56b74878dd942e8bf826f1b27b5b66ca6fb8bdd1a");
    draft.mark(&[Mark { at: 2, bytes: b"D".to_vec() }]).unwrap();
    assert_eq!(sum(&draft), "6b877d35c4584188675d867c10c2b9fc14d003ee46b73ec3658a7ac513b859ec");
    let path = draft.keep(&manifest(6)).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "a Dump");
}

#[test]
fn a_disk_that_gives_back_something_else_is_found_out() {
    let (_folder, store) = store();
    let mut draft = store.begin("qa", "pgdump").unwrap();
    draft.write_all(b"a dump").unwrap();
    draft.mark(&[Mark { at: 2, bytes: b"D".to_vec() }]).unwrap();
    let error = draft.read_back(|source| io::copy(source, &mut io::sink())).unwrap_err();
    assert!(error.to_string().contains("gives back something else"), "{error}");
}
