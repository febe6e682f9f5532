//! Which commit a name means.

use super::*;

#[test]
fn a_name_is_a_branch_a_tag_a_ref_or_a_commit() {
    let project = Project::new();
    project.git(&["tag", "light", "HEAD^"]);
    project.git(&["-c", "tag.gpgSign=false", "tag", "--annotate", "--message", "x", "heavy", "HEAD^"]);
    project.git(&["branch", "feature/x", "HEAD^"]);
    let [old, new] = ["HEAD^", "HEAD"].map(|name| project.git(&["rev-parse", name]));
    let sha = |name: &str| project.bring(name).sha;
    assert_eq!((sha("main"), sha("HEAD"), sha("refs/heads/main")), (new.clone(), new.clone(), new));
    for name in ["light", "heavy", "refs/tags/heavy", "feature/x", old.as_str(), &old[..9], &old.to_uppercase()[..12]] {
        assert_eq!(sha(name), old, "{name}");
    }
}

#[test]
fn a_detached_head_is_what_is_checked_out() {
    let project = Project::new();
    let old = project.git(&["rev-parse", "HEAD^"]);
    project.git(&["checkout", "--quiet", "--detach", &old]);
    assert_eq!(project.bring("HEAD").sha, old);
}

#[test]
fn the_project_itself_may_be_the_repository() {
    let project = Project::new();
    let root = project.repo();
    let repository = Repository::new(".", &root, &root.join("target/deploy"));
    assert_eq!(repository.resolve("HEAD").unwrap().sha, project.git(&["rev-parse", "HEAD"]));
}

#[test]
fn hostile_names_are_unknown_names() {
    let project = Project::new();
    let proof = project.folder.path().join("proof");
    let exec = format!("--upload-pack=touch {}", proof.display());
    for name in
        ["-x", "--help", exec.as_str(), "a b", "a;b", "$(x)", "main\nmain", "*", "", "HEAD^", "main:file", "@{u}"]
    {
        let error = project.repository().resolve(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Task, "{name:?}: {error}");
    }
    assert!(!proof.exists());
}

#[test]
fn an_unknown_branch_is_answered_with_near_ones() {
    let project = Project::new();
    let error = project.repository().resolve("mian").unwrap_err().to_string();
    assert!(error.contains("did you mean `main`?"), "{error}");
    let error = project.repository().resolve("abcdef1").unwrap_err().to_string();
    assert!(error.contains("no branch, tag or commit `abcdef1`"), "{error}");
}

#[test]
fn a_commit_that_no_branch_has_any_more_is_found_where_the_repository_gives_it() {
    let project = Project::new();
    let lost = project.git(&["rev-parse", "HEAD"]);
    project.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    assert_eq!(project.bring(&lost).sha, lost);
}

#[test]
fn a_branch_that_moves_between_two_questions_is_followed_or_said() {
    let project = Project::new();
    let resolved = project.repository().resolve("main").unwrap();
    project.commit("file", "three\n");
    project.repository().bring(&resolved, false).unwrap();
    let resolved = project.repository().resolve("main").unwrap();
    project.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    project.commit("file", "forced\n");
    let error = project.repository().bring(&Resolved { sha: "1".repeat(40), ..resolved }, false).unwrap_err();
    assert!(error.message().contains("has moved on"), "{error}");
}
