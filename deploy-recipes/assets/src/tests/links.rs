//! Releases that ship symlinks where we write: nothing beside the release changes.

use super::*;

/// Somebody else's folder, and what stands in it.
const THEIRS: [(&str, &str); 3] =
    [("else/system", "theirs"), ("else/.deploy_inputs", "theirs"), ("else/assets/app.css", "theirs")];

/// Ships `link`, which leads to somebody else's folder, and runs the script in the release.
fn runs(site: &Site, assets: &Assets, link: &str, script: impl Fn(&Place) -> Script, payload: Option<&[u8]>) -> Ran {
    THEIRS.iter().for_each(|(path, text)| site.write(path, text));
    site.release("1", "one");
    let file = site.at(&format!("releases/1/{link}"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    if file.is_dir() && !file.is_symlink() {
        fs::remove_dir_all(&file).unwrap();
    }
    let _ = fs::remove_file(&file);
    symlink(site.at("else"), file).unwrap();
    let place = Place { is_new: true, fed: payload.is_some(), ..site.place() };
    let ran = site.run_with(assets, "1", script(&place), payload);
    for (path, text) in THEIRS {
        assert_eq!(site.read(path), text, "{link}: {}", ran.told);
    }
    assert_eq!(fs::read_dir(site.at("else")).unwrap().count(), 3, "{link}: {}", ran.told);
    ran
}

#[test]
fn a_build_that_would_write_elsewhere_is_refused() {
    let npm = "preset = 'npm'\noutput = ['public/dist']";
    for (toml, link, told) in [
        ("", "public", "/public` is a symlink to"),
        ("", "public/assets", "/public/assets` is a symlink to"),
        (npm, "public", "and `public/dist/` would be changed"),
        (npm, "public/dist", "/public/dist` is a symlink to"),
        ("skip_unchanged = true", "public", "/public` is a symlink to"),
    ] {
        Site::each(|site| {
            let assets = recipe(toml);
            let ran = runs(&site, &assets, link, |place| assets.compile(place), None);
            assert_ne!(ran.status, 0);
            ran.says(told);
            assert!(site.calls().is_empty(), "nothing is built");
        });
    }
}

#[test]
fn what_is_sent_is_put_nowhere_else() {
    let sent = sent::packed(&[("public/dist/app.js", "new")]);
    for link in ["public", "public/dist", ".deploy_assets"] {
        Site::each(|site| {
            let assets = recipe("preset = 'npm'\nbuild_on = 'controller'\noutput = ['public/dist']");
            let ran = runs(&site, &assets, link, |place| assets.compile(place), Some(&sent));
            assert_eq!(ran.status == 0, link != "public", "{link}: {}", ran.told);
            if ran.status == 0 {
                assert_eq!(site.read("releases/1/public/dist/app.js"), "new");
            }
        });
    }
}

#[test]
fn what_we_keep_in_a_release_is_made_anew() {
    let kept = "assets_manifest_backup";
    for link in [kept, "assets_manifest_backup.new", "assets_manifest_backup/.deploy_inputs"] {
        for toml in ["skip_unchanged = true", unchanged::NPM] {
            Site::each(|site| {
                let assets = recipe(toml);
                let both = |place: &Place| assets.compile(place).then(assets.back_up(place));
                let ran = runs(&site, &assets, link, both, None);
                assert_eq!(ran.status, 0, "{link}: {}", ran.told);
                assert!(!site.at(&format!("releases/1/{kept}")).is_symlink());
            });
        }
    }
}

#[test]
fn a_manifest_that_the_repository_ships_goes_to_no_other_folder() {
    Site::each(|site| {
        let assets = Assets::default();
        site.release("1", "red");
        site.write("shared/log/app.log", "theirs");
        symlink(site.at("shared/log"), site.at("releases/1/log")).unwrap();
        site.write("releases/1/assets_manifest_backup/log/app.log", "shipped");
        site.write("releases/1/assets_manifest_backup/public/assets/manifest.json", "{}");
        let ran = site.run(&assets, "1", assets.publish(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(site.read("shared/log/app.log"), "theirs");
        assert_eq!(site.read("shared/public/assets/manifest.json"), "{}");
    });
}

#[test]
fn a_folder_of_manifests_that_is_a_symlink_is_not_read() {
    Site::each(|site| {
        let assets = Assets::default();
        site.release("1", "red");
        site.write("home/.ssh/id_ed25519", "secret");
        symlink(site.at("home/.ssh"), site.at("releases/1/assets_manifest_backup")).unwrap();
        let ran = site.run(&assets, "1", assets.publish(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert!(!site.has("shared/public/assets/id_ed25519"));
    });
}

#[test]
fn times_of_other_files_stay() {
    Site::each(|site| {
        let assets = recipe("normalize = ['docs', 'public/assets']");
        let ran = runs(&site, &assets, "docs", |place| assets.normalize(place), None);
        assert_ne!(ran.status, 0);
        ran.says("/docs` is a symlink to");
    });
}

#[test]
fn output_is_taken_from_the_live_release_to_the_releases_own_place() {
    Site::each(|site| {
        let assets = recipe(unchanged::NPM);
        site.deploys(&assets, "0", "one");
        site.publish("0");
        let ran = runs(&site, &assets, "dist", |place| assets.compile(place), None);
        assert_eq!(ran.skipped.as_deref(), Some("built from the same as release 0"), "{}", ran.told);
        assert!(site.has("releases/1/dist/index.html") && !site.at("releases/1/dist").is_symlink());
    });
}

#[test]
fn clobbering_links_nothing_elsewhere() {
    Site::each(|site| {
        let assets = Assets::default();
        let ran = runs(&site, &assets, "public", |place| assets.clobber(place), None);
        assert_ne!(ran.status, 0);
        assert!(site.calls().is_empty());
    });
}
