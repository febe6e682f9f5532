//! Gems, by the real Bundler.

use e2e::{Project, rails};

const GEMFILE: &str = "source \"https://rubygems.org\"\ngem \"rack\"\n";

/// A project with a Gemfile, its lock file, and the recipe with `table`.
fn project(table: &str) -> Project {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.repo.write("Gemfile", GEMFILE);
    lock(&project);
    project.repo.commit("Name the gems");
    project.tables(&format!("[recipes.bundler]\n{table}"));
    project
}

/// Writes the lock file of the Gemfile.
fn lock(project: &Project) {
    let mut bundle = project.sandbox.command("bundle");
    bundle.args(["lock", "--local"]).current_dir(project.repo.path());
    project.sandbox.run(bundle).success();
}

/// `bundle check` is content with such a release, and no process of it would start.
#[test]
fn a_gemfile_that_differs_from_its_lock_file_never_goes_live() {
    let project = project("");
    let site = &project.server("app1").site;
    let gems = project.sandbox.join("gems");
    rails::install_gems(&project.sandbox, &gems);
    site.make_folder("shared");
    std::os::unix::fs::symlink(&gems, site.join("shared/bundle")).unwrap();
    project.xtask("deploy staging").success();
    let live = site.current();

    project.repo.write("Gemfile", &format!("{GEMFILE}gem \"rake\"\n")).commit("Forget the lock file");
    let output = project.xtask("deploy staging").fails_with(1);
    let _ = output.says("deploy:bundle").says("You have added to the Gemfile").says("rake");
    assert_eq!(site.current(), live);

    lock(&project);
    project.repo.commit("Remember it");
    project.xtask("deploy staging").success();
    assert_ne!(site.current(), live);
}

#[test]
fn gems_of_the_system_do_and_a_folder_can_follow_them() {
    let mut project = project("path = \"system\"");
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    assert!(site.read("shared/.bundle/config").contains("BUNDLE_FROZEN: \"true\"\nBUNDLE_PATH__SYSTEM"));
    project.repo.write("Gemfile", &format!("{GEMFILE}gem \"rake\"\n")).commit("Forget the lock file");
    project.xtask("deploy staging").fails_with(1).says("You have added to the Gemfile");

    lock(&project);
    project.repo.commit("Remember it");
    project.no_tables().tables("[recipes.bundler]\npath = \"gems\"");
    let site = &project.server("app1").site;
    let gems = project.sandbox.join("gems");
    rails::install_gems(&project.sandbox, &gems);
    std::os::unix::fs::symlink(&gems, site.join("shared/gems")).unwrap();
    project.xtask("deploy staging").success();
    assert!(!site.read("shared/.bundle/config").contains("SYSTEM"));
}
