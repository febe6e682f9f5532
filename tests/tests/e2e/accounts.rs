//! Two people with accounts of their own on a server, and one deployment that they share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use e2e::{Group, Output, Project, User};

/// A server on which two users, who have a group in common, deploy to one folder.
struct Shared {
    project: Project,
    users: [User; 2],
    group: Group,
}

impl Shared {
    fn new() -> Shared {
        let users = [User::fresh(), User::fresh()];
        users.iter().for_each(User::may_log_in);
        let group = Group::of(&[&users[0], &users[1]]);
        let project = Project::over_ssh(&[("app1", "app")]);
        for (folder, mode) in [("", 0o755), ("tmp", 0o1777)] {
            fs::set_permissions(project.sandbox.join(folder), fs::Permissions::from_mode(mode)).unwrap();
        }
        let root = project.server("app1").site.path().to_owned();
        fs::create_dir_all(&root).unwrap();
        group.share(&root);
        Shared { project, users, group }
    }

    fn root(&self) -> &Path {
        self.project.server("app1").site.path()
    }

    /// Deploys something new as one of the two.
    fn deploy(&mut self, number: usize) -> Output {
        self.project.ssh(&format!("user = {:?}", self.users[number].name()));
        let text = format!("{number}\n{}", self.project.repo.head());
        self.project.repo.write("index.html", &text).commit("Change");
        self.project.xtask("deploy staging")
    }
}

#[test]
fn two_users_deploy_in_turn_and_clean_up_after_each_other() {
    for strategy in ["push", "fetch"] {
        let mut shared = Shared::new();
        shared.project.top(&format!("umask = \"0002\"\nkeep_releases = 1\ngit.strategy = {strategy:?}"));
        // The repository is root's here, and servers read it by its path.
        let trust = fs::read_to_string(shared.project.sandbox.join("gitconfig")).unwrap_or_default();
        fs::write(shared.project.sandbox.join("gitconfig"), trust + "[safe]\n\tdirectory = *\n").unwrap();
        shared.deploy(0).success();
        for number in [1, 0] {
            shared.deploy(number).success().says("removed 1 release");
        }
        let site = &shared.project.server("app1").site;
        assert_eq!((site.releases().len(), site.revisions().len()), (1, 3));
        let config = site.read("repo/config").to_lowercase();
        assert!(config.contains("sharedrepository"), "{config}");
    }
}

#[test]
fn what_a_colleague_shut_us_out_of_is_named_before_anything_is_published() {
    let mut shared = Shared::new();
    shared.project.top("keep_releases = 1");
    shared.deploy(0).success().says("set umask = \"0002\" in deploy.toml");
    let before = shared.project.server("app1").site.current();

    let output = shared.deploy(1).fails_with(1);
    let output = output.says("may not write to").says("/.deploy` (drwx").says("/revisions.log` (-rw-r--r-- ");
    let output = output.says(&format!("sudo chgrp -R {} ", shared.group.name())).says("umask = \"0002\"");
    let output = output.says_not("disk full").says_not("chown");
    assert_eq!(shared.project.server("app1").site.current(), before);
    shared.project.xtask("doctor staging -q").fails_with(1).says("chgrp -R").says_not("chown");

    // As it is printed, but for sudo.
    let hint = output.stderr().lines().find_map(|line| line.trim().strip_prefix("hint: sudo chgrp ")).unwrap();
    let line = format!("chgrp {hint}").replace("sudo ", "");
    let line = line.replace("$SANDBOX", &shared.project.sandbox.path().display().to_string());
    let mut shell = shared.project.sandbox.command("sh");
    shell.args(["-c", &line]);
    shared.project.sandbox.run(shell).success();
    shared.project.top("umask = \"0002\"");
    shared.deploy(1).success().says("removed 1 release");
    shared.deploy(0).success();
}

#[test]
fn a_release_that_can_not_be_removed_is_named_and_not_counted() {
    let mut shared = Shared::new();
    shared.project.top("umask = \"0002\"\nkeep_releases = 1");
    shared.deploy(0).success();
    let old = shared.project.server("app1").site.current();
    fs::set_permissions(shared.root().join("releases").join(&old), fs::Permissions::from_mode(0o755)).unwrap();
    let output = shared.deploy(1).success();
    output.says("can't remove RELEASE1 (drwxr-xr-x").says_not("removed");
    shared.deploy(0).success().says("removed 2 releases");
}
