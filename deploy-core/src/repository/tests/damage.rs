//! Caches that something has happened to.

use super::*;

/// What is done to the mirror is made good by the next run.
fn is_made_good(damage: impl FnOnce(&Path)) {
    let project = Project::new();
    project.bring("main");
    damage(&project.mirror());
    let sha = project.commit("file", "three\n");
    assert_eq!(project.bring("main").sha, sha);
    Server::new().take(&project.repository().pack(&sha, &[], false).unwrap().unwrap(), &sha, false);
}

fn each_file(dir: &Path, change: &dyn Fn(&Path)) {
    for entry in fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
        if entry.is_dir() { each_file(&entry, change) } else { change(&entry) }
    }
}

#[test]
fn objects_that_are_gone() {
    is_made_good(|mirror| fs::remove_dir_all(mirror.join("objects")).unwrap());
    is_made_good(|mirror| each_file(&mirror.join("objects"), &|file| fs::remove_file(file).unwrap()));
}

#[test]
fn objects_that_are_truncated() {
    is_made_good(|mirror| {
        each_file(&mirror.join("objects"), &|file| {
            fs::remove_file(file).unwrap();
            fs::write(file, "").unwrap();
        });
    });
}

#[test]
fn a_half_made_repository() {
    is_made_good(|mirror| {
        fs::remove_file(mirror.join("HEAD")).unwrap();
        fs::remove_file(mirror.join("config")).unwrap();
    });
    is_made_good(|mirror| {
        fs::remove_dir_all(mirror).unwrap();
        fs::create_dir(mirror).unwrap();
    });
}

#[test]
fn locks_and_temporary_files_of_a_git_that_was_killed() {
    is_made_good(|mirror| {
        for lock in ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"] {
            fs::write(mirror.join(lock), "").unwrap();
        }
        fs::write(mirror.join("objects/pack/tmp_pack_x"), "half").unwrap();
    });
}

#[test]
fn branches_whose_names_stand_in_each_others_way() {
    let project = Project::new();
    project.git(&["branch", "topic"]);
    project.bring("topic");
    project.bring(&project.git(&["rev-parse", "HEAD^"])[..10]);
    project.git(&["branch", "--delete", "--force", "topic"]);
    project.git(&["switch", "--quiet", "--create", "topic/next"]);
    let sha = project.commit("file", "three\n");
    assert_eq!(project.bring("topic/next").sha, sha);
    assert_eq!(project.bring(&sha[..10]).sha, sha);
}

#[test]
fn a_repository_around_us_is_not_taken_for_the_mirror() {
    let project = Project::new();
    let shell = super::super::git::shell(project.folder.path()).unwrap();
    let repo = project.repo().join(".git");
    let around = shell.push_env("GIT_DIR", &repo);
    let told = super::super::git::plain(&shell, &["rev-parse", "--git-dir"]).ignore_status().output().unwrap();
    drop(around);
    assert!(!told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}
