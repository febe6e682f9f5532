//! The recipe `assets`, with a pipeline of our own that adds files with digests and rewrites its manifest, as those of
//! Rails do.

use std::sync::atomic::{AtomicBool, Ordering};

use e2e::{Project, Site};

const COMPILE: &str = r#"#!/bin/sh
set -eu
[ "$(cat app.css)" != broken ] || { echo 'a comma is missing' >&2; exit 3; }
name=app-$(cksum <app.css | cut -d ' ' -f 1).css
mkdir -p public/assets
cp app.css "public/assets/$name"
printf '{"app.css":"%s"}' "$name" >public/assets/.manifest.json.new
mv public/assets/.manifest.json.new public/assets/.manifest.json
"#;

/// A project whose stylesheet is `red`.
fn project(servers: &[(&str, &str)], recipe: &str) -> Project {
    let mut project = Project::over_ssh(servers);
    project.repo.write("compile", COMPILE);
    project.tables(&format!("[recipes.assets]\ncommands = [\"sh compile\"]\n{recipe}"));
    paint(&project, "red");
    project
}

/// Commits another stylesheet.
fn paint(project: &Project, css: &str) {
    project.repo.write("app.css", css).commit(&format!("Make it {css}"));
}

/// The stylesheet that a page of the live release gets, by the manifest that all releases share.
fn served(site: &Site) -> String {
    let manifest = site.read("current/public/assets/.manifest.json");
    let name = manifest.split('"').nth(3).expect("the manifest names the stylesheet");
    site.read(&format!("current/public/assets/{name}"))
}

fn everywhere(project: &Project) -> Vec<String> {
    project.sites().into_iter().map(served).collect()
}

const BOTH: [(&str, &str); 2] = [("web1", "app web"), ("web2", "web")];

#[test]
fn a_rollback_serves_the_old_digests() {
    let project = project(&BOTH, "");
    project.xtask("deploy staging").success();
    paint(&project, "blue");
    project.xtask("deploy staging").success();
    assert_eq!(everywhere(&project), ["blue", "blue"]);
    project.xtask("deploy rollback staging").success();
    assert_eq!(everywhere(&project), ["red", "red"]);
}

/// On the one server where something is missing, and only there.
#[test]
fn a_rollback_compiles_again_what_is_gone() {
    let project = project(&BOTH, "");
    project.xtask("deploy staging").success();
    let first = project.server("web1").site.current();
    paint(&project, "blue");
    project.xtask("deploy staging").success();
    let web1 = &project.server("web1").site;
    std::fs::remove_dir_all(web1.join(format!("releases/{first}/assets_manifest_backup"))).unwrap();
    let output = project.xtask("deploy rollback staging").success();
    let output = output.says("compiling again, since assets_manifest_backup is gone");
    assert_eq!(output.to_string().matches("compiling again").count(), 1, "{output}");
    assert_eq!(everywhere(&project), ["red", "red"]);
    assert!(web1.exists("current/assets_manifest_backup/public/assets/.manifest.json"));
}

#[test]
fn nothing_is_published_when_compiling_fails() {
    let project = project(&BOTH, "");
    project.xtask("deploy staging").success();
    let live = project.server("web2").site.current();
    paint(&project, "broken");
    project.xtask("deploy staging").fails_with(1).says("deploy:compile_assets").says("a comma is missing");
    assert_eq!(project.server("web2").site.current(), live);
    assert_eq!(everywhere(&project), ["red", "red"]);
}

#[test]
fn a_deploy_that_fails_later_leaves_the_live_release_its_manifest() {
    let mut project = project(&BOTH, "");
    project.xtask("deploy staging").success();
    paint(&project, "blue");
    project.tables("[tasks.\"too:bad\"]\nrun = \"false\"\nafter = \"deploy:normalize_assets\"\nroles = [\"app\"]");
    project.xtask("deploy staging").fails_with(1).says("too:bad");
    assert_eq!(everywhere(&project), ["red", "red"]);
}

#[test]
fn a_reader_of_the_live_release_never_misses_its_assets() {
    let project = project(&[("web1", "web")], "");
    project.xtask("deploy staging").success();
    let site = &project.server("web1").site;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut pages = 0;
            while !done.load(Ordering::Relaxed) {
                let css = served(site);
                assert!(["red", "blue", "green"].contains(&css.as_str()), "half a stylesheet: {css:?}");
                pages += 1;
            }
            pages
        });
        for css in ["blue", "green"] {
            paint(&project, css);
            project.xtask("deploy staging").success();
            project.xtask("deploy rollback staging").success();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn assets_are_compiled_where_the_role_is() {
    let project = project(&[("web1", "web"), ("app1", "app")], "");
    project.xtask("deploy staging").success();
    assert_eq!(served(&project.server("web1").site), "red");
    assert!(!project.server("app1").site.exists("current/public/assets/.manifest.json"));
}

#[test]
fn what_is_built_here_is_built_once_and_sent_everywhere() {
    let mut project = project(&BOTH, "build_on = \"controller\"");
    project.top("default_env = { SHADE = \"as $HOME says, $$\" }");
    let mark = project.folder().join("built");
    let compile = format!("{COMPILE}echo \"built $SHADE $CI\" >>{}\n", mark.display());
    let built = format!("built as {} says, $ true\n", project.sandbox.join("home").display());
    project.repo.write("compile", &compile);
    paint(&project, "red, committed");
    project.repo.write("app.css", "not committed");
    project.xtask("deploy staging").success();
    assert_eq!(everywhere(&project), ["red, committed", "red, committed"]);
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), built);
    paint(&project, "blue");
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success();
    assert_eq!(everywhere(&project), ["red, committed", "red, committed"]);
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), built.repeat(2), "a rollback has all that it needs");
}

#[test]
fn what_was_built_here_and_is_gone_is_built_here_again() {
    let project = project(&BOTH, "build_on = \"controller\"");
    project.xtask("deploy staging").success();
    paint(&project, "blue");
    project.xtask("deploy staging").success();
    std::fs::remove_dir_all(project.server("web2").site.join("shared/public/assets")).unwrap();
    project.server("web2").site.make_folder("shared/public/assets");
    project.xtask("deploy rollback staging").success();
    assert_eq!(everywhere(&project), ["red", "red"]);
}

#[test]
fn a_build_that_fails_here_leaves_every_server_as_it_was() {
    let project = project(&BOTH, "build_on = \"controller\"");
    project.xtask("deploy staging").success();
    paint(&project, "broken");
    project.xtask("deploy staging").fails_with(1).says("deploy:build_assets").says("a comma is missing");
    assert_eq!(everywhere(&project), ["red", "red"]);
}

#[test]
fn what_has_not_changed_is_not_compiled_again() {
    for place in ["server", "controller"] {
        let recipe = format!("build_on = {place:?}\nskip_unchanged = true\ninputs = [\"app.css\", \"compile\"]");
        let project = project(&BOTH, &recipe);
        project.xtask("deploy staging").success();
        project.repo.write("index.html", "two\n").commit("Change the page only");
        project.xtask("deploy staging").success().says("skipped: built from the same as release RELEASE1");
        paint(&project, "blue");
        project.xtask("deploy staging").success();
        assert_eq!(everywhere(&project), ["blue", "blue"], "{place}");
        project.xtask("deploy rollback staging").success();
        assert_eq!(everywhere(&project), ["red", "red"], "{place}");
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_before_anything_changes() {
    let project = project(&BOTH, "preset = \"npm\"\nskip_unchanged = true");
    project.xtask("deploy staging").fails_with(3).says("inputs = [");
    assert!(project.server("web1").site.releases().is_empty());
}

#[test]
fn a_dry_run_shows_the_scripts_of_both_flows() {
    for place in ["server", "controller"] {
        let project = project(&BOTH, &format!("build_on = {place:?}\nskip_unchanged = true\nkeep_assets = 2"));
        project.xtask("deploy staging --dry-run").success().says("assets_back_up public/assets");
        project.xtask("deploy rollback staging --dry-run").success().says("deploy:rollback_assets");
        assert_eq!(project.server("web1").sshd.connections(), 0);
    }
}
