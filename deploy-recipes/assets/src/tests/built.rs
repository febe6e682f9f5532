//! Builds that empty their folder, or fail, beside a live release that serves what is in it.

use super::*;

/// Builds as Vite does: into a folder that is emptied first, whose names without digests it writes again.
const VITE: &str = "rm -rf public/assets/* public/assets/.[!.]*; mkdir -p public/assets/.vite
name=app-$(cksum <app/assets/app.css | cut -d ' ' -f 1).css
cp app/assets/app.css public/assets/$name; cp app/assets/app.css public/assets/plain.css
printf '{\"app.css\":{\"file\":\"%s\"}}' $name >public/assets/.vite/manifest.json
[ ! -e app/assets/broken ] || exit 1";

fn vite() -> Assets {
    Assets { commands: vec![VITE.to_owned()], ..Assets::default() }
}

/// What the live release serves by the names in its manifest.
fn kept(site: &Site, stamp: &str) -> Vec<String> {
    let names = site.read(&format!("releases/{stamp}/assets_manifest_backup/.deploy_files"));
    names.lines().map(|name| format!("shared/{name}")).collect()
}

/// A link that makes all of `public` shared.
fn share_public(site: &Site, stamp: &str) {
    fs::remove_dir_all(site.at(&format!("releases/{stamp}/public"))).unwrap();
    symlink(site.at("shared/public"), site.at(&format!("releases/{stamp}/public"))).unwrap();
}

#[test]
fn what_the_live_release_serves_is_there_during_and_after_a_build() {
    Site::each(|site| {
        site.deploys(&vite(), "1", "red");
        site.publish("1");
        let old = kept(&site, "1");
        let looks = format!("[ \"$(cat {:?})\" = red ] || exit 7", site.at(&old[0]));
        let mut assets = vite();
        assets.commands.push(looks);
        site.deploys(&assets, "2", "blue");
        assert_eq!(site.read(&old[0]), "red");
        assert_eq!(site.read(&kept(&site, "2")[0]), "blue");
        assert_eq!(site.read("shared/public/assets/plain.css"), "blue");
        assert!(site.at("releases/2/public/assets").is_symlink());
    });
}

#[test]
fn a_build_that_fails_has_changed_nothing_of_the_live_release() {
    Site::each(|site| {
        site.deploys(&vite(), "1", "red");
        site.publish("1");
        let manifest = site.read("shared/public/assets/.vite/manifest.json");
        site.release("2", "blue");
        site.write("releases/2/app/assets/broken", "");
        assert_ne!(site.run(&vite(), "2", vite().compile(&site.place())).status, 0);
        assert_eq!(site.read(&kept(&site, "1")[0]), "red");
        assert_eq!(site.read("shared/public/assets/plain.css"), "red");
        assert_eq!(site.read("shared/public/assets/.vite/manifest.json"), manifest);
    });
}

#[test]
fn where_all_of_public_is_shared_the_rest_of_it_stays_in_place() {
    Site::each(|site| {
        site.write("shared/public/system/upload", "theirs");
        site.deploys(&vite(), "1", "red");
        site.publish("1");
        let old = kept(&site, "1");
        site.release("2", "blue");
        share_public(&site, "2");
        let mut assets = vite();
        assets.commands.push("[ -e public/system/upload ]; echo made >public/made.txt".to_owned());
        let ran = site.run(&assets, "2", assets.compile(&site.place()).then(assets.back_up(&site.place())));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(fs::read_link(site.at("releases/2/public")).unwrap(), site.at("shared/public"));
        assert_eq!(site.read(&old[0]), "red");
        assert_eq!(site.read("shared/public/assets/plain.css"), "blue");
        assert_eq!(site.read("shared/public/made.txt"), "made\n");
        assert_eq!(site.read("shared/public/system/upload"), "theirs");
    });
}

/// Sprockets notes in it which files are old enough to be removed.
#[test]
fn a_build_begins_with_the_manifests_that_are_there() {
    Site::each(|site| {
        site.write("shared/public/assets/.sprockets-manifest-5.json", "{\"files\":{}}");
        site.release("1", "red");
        let assets = recipe("commands = ['cp public/assets/.sprockets-manifest-5.json seen']");
        let ran = site.run(&assets, "1", assets.compile(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(site.read("releases/1/seen"), "{\"files\":{}}");
    });
}

#[test]
fn what_is_live_is_built_where_it_is() {
    Site::each(|site| {
        site.release("1", "red");
        site.publish("1");
        let assets = recipe("commands = ['[ -h public/assets ]; echo x >public/assets/x']");
        assert_eq!(site.run(&assets, "1", assets.compile(&site.place())).status, 0);
        assert_eq!(site.read("shared/public/assets/x"), "x\n");
    });
}

#[test]
fn builds_know_that_nobody_answers_unless_told_otherwise() {
    let variable = |toml: &str| recipe(toml).variables().get("CI").cloned();
    assert_eq!(variable("").as_deref(), Some("true"));
    assert_eq!(variable("preset = 'npm'\nenv = { CI = 'false' }").as_deref(), Some("false"));
}
