//! A commit's files on the controller.

use super::*;

/// The names of the files below `folder`, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_files_of_a_commit_take_the_place_of_what_was_there() {
    let project = Project::new();
    project.commit(".gitattributes", "secret export-ignore\n");
    project.commit("secret", "x");
    let old = project.commit("a b/page", "old\n");
    project.commit("a b/page", "new\n");
    fs::write(project.repo().join("a b/page"), "not committed\n").unwrap();
    let folder = project.folder.path().join("check out");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("stale"), "").unwrap();
    project.repository().export(&old, None, &folder).unwrap();
    assert_eq!(files(&folder), [".gitattributes", "a b", "file"]);
    assert_eq!(fs::read_to_string(folder.join("a b/page")).unwrap(), "old\n");
}

#[test]
fn a_folder_of_the_repository_stands_for_all_of_it() {
    let project = Project::new();
    let sha = project.commit("services/web/index", "x");
    let folder = project.folder.path().join("out");
    project.repository().export(&sha, Some("services/web"), &folder).unwrap();
    assert_eq!(files(&folder), ["index"]);
}

#[test]
fn what_the_commit_does_not_have_is_an_error() {
    let project = Project::new();
    let (sha, folder) = (project.commit("file", "three\n"), project.folder.path().join("out"));
    let error = project.repository().export(&sha, Some("no/such"), &folder).unwrap_err();
    assert!(error.to_string().contains(&sha), "{error}");
    let nowhere = "0".repeat(40);
    assert!(project.repository().export(&nowhere, None, &folder).is_err());
}
