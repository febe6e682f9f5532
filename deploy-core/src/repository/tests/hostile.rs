//! Checkouts that carry what would run commands here.

use super::*;

/// What a command that must not run would leave behind.
fn trap(project: &Project) -> PathBuf {
    project.folder.path().join("ran")
}

/// A mirror as somebody else would make it: with hooks, and settings that name programs.
fn plant(project: &Project, mirror: &Path) {
    let command = format!("touch '{}'", trap(project).display());
    fs::create_dir_all(mirror.join("hooks")).unwrap();
    git(mirror, &["init", "--quiet", "--bare"]);
    for hook in ["reference-transaction", "post-update", "pre-auto-gc", "post-index-change"] {
        let file = mirror.join("hooks").join(hook);
        fs::write(&file, format!("#!/bin/sh\n{command}\n")).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let repo = project.repo();
    let settings = format!(
        "[protocol \"ext\"]\nallow = always\n[url \"ext::sh -c \\\"{command}\\\" \"]\ninsteadOf = {}\n\
         [core]\nfsmonitor = \"{command}\"\nsshCommand = \"{command}\"\n",
        repo.display()
    );
    let config = fs::read_to_string(mirror.join("config")).unwrap();
    fs::write(mirror.join("config"), config + &settings).unwrap();
}

/// All that a deploy does with the repository.
fn deploy(project: &Project) -> String {
    let sha = project.commit("file", "three\n");
    let repository = project.repository();
    let resolved = repository.resolve("main").unwrap();
    repository.bring(&resolved, false).unwrap();
    repository.pack(&sha, &[], false).unwrap().unwrap();
    repository.export(&sha, None, &project.folder.path().join("files")).unwrap();
    assert!(repository.resolve(&sha[..10]).is_ok());
    sha
}

#[test]
fn a_mirror_of_somebody_elses_runs_nothing_and_is_made_anew() {
    let project = Project::new();
    project.bring("main");
    fs::remove_dir_all(project.mirror()).unwrap();
    plant(&project, &project.mirror());
    deploy(&project);
    assert!(!trap(&project).exists(), "a command was run");
    assert!(!project.mirror().join("hooks").exists());
}

#[test]
fn hooks_in_a_mirror_of_ours_are_not_run() {
    let project = Project::new();
    project.bring("main");
    let config = fs::read(project.mirror().join("config")).unwrap();
    plant(&project, &project.mirror());
    fs::write(project.mirror().join("config"), config).unwrap();
    deploy(&project);
    assert!(!trap(&project).exists(), "a command was run");
}

#[test]
fn the_hooks_of_the_repository_itself_are_not_run() {
    let project = Project::new();
    let config = fs::read(project.repo().join(".git/config")).unwrap();
    plant(&project, &project.repo().join(".git"));
    fs::write(project.repo().join(".git/config"), config).unwrap();
    let sha = project.git(&["rev-parse", "HEAD"]);
    // Making the trap may have sprung it.
    let _ = fs::remove_file(trap(&project));
    assert_eq!(project.bring("main").sha, sha);
    assert_eq!(project.repository().uncommitted().unwrap().note(), None);
    assert!(!trap(&project).exists(), "a command was run");
}

#[test]
fn no_checkout_can_carry_the_cache() {
    let project = Project::new();
    project.bring("main");
    let cache = project.cache();
    let inside = cache.strip_prefix(project.folder.path()).unwrap().join("mirror.git/hooks/post-update");
    let file = project.repo().join("file");
    let id = project.git(&["hash-object", "-w", &file.display().to_string()]);
    let entry = format!("100755,{id},{}", inside.display());
    let mut added = Command::new("git");
    added.arg("-C").arg(project.repo()).args(["update-index", "--add", "--cacheinfo", &entry]);
    let added = added.output().unwrap();
    assert!(!added.status.success(), "git took {entry}");
}

#[test]
fn what_is_no_id_in_full_reaches_no_git() {
    let project = Project::new();
    project.bring("main");
    for name in ["--output=x", "main", "HEAD", "", "1234567"] {
        assert!(project.repository().pack(name, &[], false).is_err(), "{name}");
        assert!(project.repository().export(name, None, &project.folder.path().join("files")).is_err(), "{name}");
        assert!(project.repository().verify(name).is_err(), "{name}");
    }
}

#[test]
fn the_cache_may_be_no_symlink() {
    let project = Project::new();
    project.bring("main");
    let cache = project.cache();
    let elsewhere = project.folder.path().join("elsewhere");
    fs::rename(&cache, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &cache).unwrap();
    assert!(project.repository().bring(&project.repository().resolve("main").unwrap(), false).is_err());
}
