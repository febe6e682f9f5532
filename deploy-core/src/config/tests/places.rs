//! Where the file and the folders that belong to it are found.

use insta::assert_snapshot;

use super::*;
use crate::config::Project as Found;

fn find(project: &Project, change: impl FnOnce(&mut LoadRequest)) -> Option<Found> {
    let mut request = project.request();
    change(&mut request);
    Config::find(&request).unwrap()
}

#[test]
fn the_file_is_found_from_any_subfolder() {
    let project = Project::new("");
    project.write("app/models/x.rb", "");
    let found = find(&project, |request| request.start.push("app/models")).unwrap();
    assert_eq!((found.root, found.file), (project.root(), project.root().join("deploy.toml")));
    assert_eq!(found.work_dir, project.root().join("target/deploy"));
}

#[test]
fn a_member_of_the_workspace_with_a_file_of_that_name_is_not_the_root() {
    let project = Project::new("");
    project.write("member/Cargo.toml", "[package]\nname = \"member\"\n");
    project.write("member/deploy.toml", "");
    assert_eq!(find(&project, |request| request.start.push("member")).unwrap().root, project.root());
}

#[test]
fn a_workspace_may_name_another_place() {
    let project = Project::new("");
    project.write("Cargo.toml", "[workspace.metadata.deploy]\nconfig = \"config/shop.toml\"\n");
    project.write("config/shop.toml", "");
    let found = find(&project, |_| {}).unwrap();
    assert_eq!((found.root, found.file), (project.root(), project.root().join("config/shop.toml")));
}

#[test]
fn a_place_that_does_not_exist_is_shown() {
    let project = Project::new("");
    project.write("Cargo.toml", "[workspace.metadata.deploy]\nconfig = \"config/shop.toml\"\n");
    assert_snapshot!(shown(Config::find(&project.request()).unwrap_err(), &project), @"
    no file `ROOT/config/shop.toml`
      hint: `[workspace.metadata.deploy] config` of `ROOT/Cargo.toml` names it
    ");
}

#[test]
fn a_named_file_needs_no_workspace() {
    let project = Project::new("");
    project.write("elsewhere/shop.toml", &with(""));
    let mut request = project.request();
    request.file = Some("elsewhere/shop.toml".into());
    let config = Config::load(&request).unwrap();
    assert_eq!(config.root, project.root().join("elsewhere"));
    assert_eq!(config.work_dir, project.root().join("elsewhere/target/deploy"));

    request.start.push("elsewhere");
    request.file = Some("../elsewhere/shop.toml".into());
    assert_eq!(Config::load(&request).unwrap().root, project.root().join("elsewhere").canonicalize().unwrap());
}

#[test]
fn a_named_file_that_does_not_exist_is_shown() {
    let project = Project::new("");
    let mut request = project.request();
    request.file = Some("shop.toml".into());
    assert_snapshot!(shown(Config::load(&request).unwrap_err(), &project), @"
    no file `ROOT/shop.toml`
      hint: give `--config` the path of a file
    ");
}

#[test]
fn a_project_without_a_file_is_no_error_until_it_is_loaded() {
    let project = Project::new("");
    std::fs::remove_file(project.root().join("deploy.toml")).unwrap();
    assert_eq!(find(&project, |_| {}), None);
    assert_snapshot!(shown(Config::load(&project.request()).unwrap_err(), &project), @"
    no `deploy.toml` in `ROOT` or above
      hint: put a `deploy.toml` beside the workspace's `Cargo.toml`, or name one: `--config FILE`
    ");
}

#[test]
fn cargo_is_asked_where_there_is_a_package_without_a_workspace() {
    let project = Project::new("");
    project.write("Cargo.toml", "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    project.write("src/lib.rs", "");
    let found = find(&project, |request| request.start.push("src")).unwrap();
    assert_eq!(found.root.canonicalize().unwrap(), project.root().canonicalize().unwrap());
    assert!(found.work_dir.ends_with("deploy"), "{}", found.work_dir.display());
}

#[test]
fn the_target_directory_is_the_one_of_cargo() {
    let project = Project::new("");
    let work_dir = |env: &[(&str, &str)]| {
        let env: Vec<_> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        find(&project, |request| request.env = env).unwrap().work_dir
    };
    assert_eq!(work_dir(&[("CARGO_TARGET_DIR", "/scratch")]), PathBuf::from("/scratch/deploy"));
    assert_eq!(work_dir(&[("CARGO_TARGET_DIR", "out")]), project.root().join("out/deploy"));
    project.write(".cargo/config.toml", "[build]\ntarget-dir = \"build\"\n");
    assert_eq!(work_dir(&[]), project.root().join("build/deploy"));
    assert_eq!(work_dir(&[("CARGO_BUILD_TARGET_DIR", "/b")]), PathBuf::from("/b/deploy"));
}

#[test]
fn errors_name_the_file_as_seen_from_the_folder() {
    let project = Project::new(&with("brnch = \"x\""));
    project.write("app/x", "");
    let mut request = project.request();
    request.start.push("app");
    let text = shown(Config::load(&request).unwrap_err(), &project);
    assert!(text.contains("--> ROOT/deploy.toml:4:1"), "{text}");
}

#[test]
fn a_workspace_without_a_file_leads_to_the_one_around_it() {
    let project = Project::new("");
    project.write("fixtures/inner/Cargo.toml", "[workspace]\n");
    assert_eq!(find(&project, |request| request.start.push("fixtures/inner")).unwrap().root, project.root());
}

#[test]
fn a_file_that_is_not_utf_8_is_refused() {
    let project = Project::new("");
    std::fs::write(project.root().join("deploy.toml"), b"application = \"\xff\"\n").unwrap();
    assert_snapshot!(shown(Config::load(&project.request()).unwrap_err(), &project), @"
    failed to read `ROOT/deploy.toml`
      cause: stream did not contain valid UTF-8
    ");
}

#[test]
fn a_file_in_a_folder_of_the_workspace_is_pointed_to() {
    for start in ["", "ops"] {
        let project = Project::new("");
        std::fs::remove_file(project.root().join("deploy.toml")).unwrap();
        project.write("ops/deploy.toml", "");
        let mut request = project.request();
        request.start.push(start);
        let text = shown(Config::load(&request).unwrap_err(), &project);
        assert!(text.contains("`ops/deploy.toml` isn't beside the workspace's `Cargo.toml`"), "{text}");
        assert!(text.contains("[workspace.metadata.deploy] config = \"ops/deploy.toml\""), "{text}");
    }
}
