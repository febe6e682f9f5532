//! Assets that each release has its own of.

use super::*;

fn npm() -> Assets {
    recipe("preset = 'npm'")
}

#[test]
fn packages_are_installed_as_locked_before_the_build() {
    Site::each(|site| {
        site.deploys(&npm(), "1", "one");
        assert_eq!(site.calls(), ["npm ci", "npm run build"]);
        assert!(site.has("releases/1/dist/index.html"));
    });
}

#[test]
fn a_build_that_writes_nothing_fails() {
    Site::each(|site| {
        site.release("1", "one");
        site.write("releases/1/src/nothing", "");
        let ran = site.run(&npm(), "1", npm().compile(&site.place()));
        assert_ne!(ran.status, 0);
        ran.says("the build wrote nothing to `dist`").says("see output in [recipes.assets]");
    });
}

#[test]
fn a_rollback_has_nothing_to_do() {
    Site::each(|site| {
        site.deploys(&npm(), "1", "one");
        site.deploys(&npm(), "2", "two");
        site.calls();
        let ran = site.run(&npm(), "1", npm().roll_back(&site.place()));
        assert_eq!(ran.skipped.as_deref(), Some("the release has its own output"));
        assert!(site.calls().is_empty());
    });
}

#[test]
fn a_rollback_builds_again_what_is_gone() {
    Site::each(|site| {
        site.deploys(&npm(), "1", "one");
        let built = site.read("releases/1/dist/index.html");
        fs::remove_dir_all(site.at("releases/1/dist")).unwrap();
        let ran = site.run(&npm(), "1", npm().roll_back(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        ran.says("compiling again, since dist is gone");
        assert_eq!(site.read("releases/1/dist/index.html"), built);
    });
}

#[test]
fn what_is_about_shared_folders_is_left_out() {
    let site = Site::new("dash");
    site.deploys(&npm(), "1", "one");
    site.calls();
    let place = site.place();
    for script in [npm().back_up(&place), npm().restore_live(&place), npm().clean_up(&place), npm().clobber(&place)] {
        let ran = site.run(&npm(), "1", script);
        assert!(ran.status == 0 && ran.skipped.is_some(), "{}", ran.told);
    }
    assert!(site.calls().is_empty());
    assert!(site.has("releases/1/dist/index.html"));
}
