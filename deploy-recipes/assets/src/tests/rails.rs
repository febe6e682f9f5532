//! Assets that releases share.

use super::*;

const MANIFEST: &str = "shared/public/assets/.sprockets-manifest-5.json";

/// The stylesheet that the manifest names.
fn named(site: &Site) -> String {
    let manifest = site.read(MANIFEST);
    let (_, name) = manifest.split_once("\"app.css\":\"").unwrap();
    format!("shared/public/assets/{}", name.split('"').next().unwrap())
}

#[test]
fn assets_are_compiled_in_the_environment_that_the_stage_is_named_after() {
    Site::each(|site| {
        site.deploys(&Assets::default(), "1", "red");
        assert_eq!(site.calls(), ["staging assets rake assets:precompile"]);
        site.deploys(&recipe("rails_env = 'production'\nenv = { RAILS_GROUPS = 'all' }"), "2", "red");
        assert_eq!(site.calls(), ["production all rake assets:precompile"]);
    });
}

#[test]
fn own_commands_compile_instead_one_after_the_other() {
    Site::each(|site| {
        let assets = recipe("commands = ['echo one >trace', 'false', 'echo two >>trace']");
        site.release("1", "red");
        assert_ne!(site.run(&assets, "1", assets.compile(&site.place())).status, 0);
        assert_eq!(site.read("releases/1/trace"), "one\n");
        assert!(site.calls().is_empty());
    });
}

#[test]
fn a_manifest_is_kept_in_the_release_at_its_path() {
    Site::each(|site| {
        site.deploys(&Assets::default(), "1", "red");
        let kept = "releases/1/assets_manifest_backup/public/assets/.sprockets-manifest-5.json";
        assert_eq!(site.read(kept), site.read(MANIFEST));
        let names = format!("public/assets/{}\n", named(&site).rsplit('/').next().unwrap());
        assert_eq!(site.read("releases/1/assets_manifest_backup/.deploy_files"), names);
    });
}

#[test]
fn manifests_of_several_pipelines_do_not_get_in_each_others_way() {
    Site::each(|site| {
        let assets = recipe("prefixes = ['assets', 'packs', 'vite']");
        site.release("1", "red");
        site.write("shared/public/assets/.manifest.json", r#"{"a.css":{"digested_path":"a-1.css","integrity":"x"}}"#);
        site.write("releases/1/public/packs/manifest.json", "{\n  \"b.js\": \"/packs/js/b-2.js\"\n}");
        site.write("releases/1/public/vite/.vite/manifest.json", r#"{"c.js":{"file":"assets/c-3.js","src":"c.js"}}"#);
        site.write("releases/1/public/vite/.vite/manifest-assets.json", "{}");
        let files = ["public/assets/a-1.css", "public/packs/js/b-2.js", "public/vite/assets/c-3.js"];
        files.iter().for_each(|file| site.write(&format!("releases/1/{file}"), "x"));
        let ran = site.run(&assets, "1", assets.back_up(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        for kept in ["assets/.manifest.json", "packs/manifest.json", "vite/.vite/manifest.json"] {
            assert!(site.has(&format!("releases/1/assets_manifest_backup/public/{kept}")), "{kept}");
        }
        assert_eq!(site.read("releases/1/assets_manifest_backup/.deploy_files"), files.join("\n") + "\n");
    });
}

#[test]
fn a_release_without_any_manifest_is_refused() {
    Site::each(|site| {
        site.release("1", "red");
        let assets = Assets::default();
        let ran = site.run(&assets, "1", assets.back_up(&site.place()));
        assert_ne!(ran.status, 0);
        ran.says("no manifest of the assets was found in public/assets").says("manifests in [recipes.assets]");
    });
}

#[test]
fn compiling_takes_nothing_away_from_the_live_release() {
    Site::each(|site| {
        site.deploys(&Assets::default(), "1", "red");
        let old = named(&site);
        site.deploys(&Assets::default(), "2", "blue");
        assert_ne!(named(&site), old);
        assert_eq!(site.read(&old), "red");
    });
}

#[test]
fn a_rollback_puts_the_manifest_back_and_compiles_nothing() {
    Site::each(|site| {
        let assets = Assets::default();
        site.deploys(&assets, "1", "red");
        let old = named(&site);
        site.deploys(&assets, "2", "blue");
        site.calls();
        let ran = site.run(&assets, "1", assets.roll_back(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(named(&site), old);
        assert!(site.calls().is_empty());
    });
}

/// Whatever is missing, the earlier release's assets are compiled again, and kept again.
#[test]
fn a_rollback_compiles_again_where_something_is_missing() {
    type Loss = fn(&Site);
    let losses: [(&str, Loss); 4] = [
        ("assets_manifest_backup", |site| {
            fs::remove_dir_all(site.at("releases/1/assets_manifest_backup")).unwrap();
        }),
        ("assets_manifest_backup", |site| {
            fs::remove_dir_all(site.at("releases/1/assets_manifest_backup/public")).unwrap();
        }),
        ("public/assets/.sprockets-manifest-5.json", |site| fs::remove_file(site.at(MANIFEST)).unwrap()),
        ("public/assets/app-", |site| {
            let old = site.read("releases/1/assets_manifest_backup/.deploy_files");
            fs::remove_file(site.at("releases/1").join(old.trim())).unwrap();
        }),
    ];
    for (missing, lose) in losses {
        Site::each(|site| {
            let assets = Assets::default();
            site.deploys(&assets, "1", "red");
            let old = named(&site);
            site.deploys(&assets, "2", "blue");
            site.calls();
            lose(&site);
            let ran = site.run(&assets, "1", assets.roll_back(&site.place()));
            assert_eq!(ran.status, 0, "{}", ran.told);
            ran.says(&format!("compiling again, since {missing}"));
            assert_eq!(site.calls(), ["staging assets rake assets:precompile"]);
            assert_eq!((named(&site), site.read(&old)), (old.clone(), "red".to_owned()));
            assert!(site.has("releases/1/assets_manifest_backup/public/assets/.sprockets-manifest-5.json"));
        });
    }
}

#[test]
fn a_rollback_whose_compiling_fails_fails() {
    Site::each(|site| {
        let assets = Assets::default();
        site.release("1", "red");
        site.write("releases/1/app/assets/broken", "");
        assert_ne!(site.run(&assets, "1", assets.roll_back(&site.place())).status, 0);
    });
}

/// Capistrano keeps the manifest without its path.
#[test]
fn a_release_that_capistrano_made_is_gone_back_to() {
    Site::each(|site| {
        let assets = Assets::default();
        site.release("1", "red");
        site.write("releases/1/assets_manifest_backup/.sprockets-manifest-5.json", "theirs");
        site.deploys(&assets, "2", "blue");
        site.calls();
        assert_eq!(site.run(&assets, "1", assets.roll_back(&site.place())).status, 0);
        assert_eq!(site.read(MANIFEST), "theirs");
        assert!(site.calls().is_empty());
    });
}

#[test]
fn after_a_failure_the_live_release_has_its_manifest() {
    Site::each(|site| {
        let assets = Assets::default();
        site.deploys(&assets, "1", "red");
        let live = site.read(MANIFEST);
        site.publish("1");
        site.deploys(&assets, "2", "blue");
        assert_eq!(site.run(&assets, "2", assets.restore_live(&site.place())).status, 0);
        assert_eq!(site.read(MANIFEST), live);
    });
}

#[test]
fn the_manifest_is_the_live_releases_until_the_next_one_is_published() {
    Site::each(|site| {
        let assets = Assets::default();
        site.deploys(&assets, "1", "red");
        let live = site.read(MANIFEST);
        site.publish("1");
        site.deploys(&assets, "2", "blue");
        let next = site.read(MANIFEST);
        assert_eq!(site.run(&assets, "2", assets.restore_live(&site.place())).status, 0);
        assert_eq!(site.read(MANIFEST), live);
        assert_eq!(site.run(&assets, "2", assets.publish(&site.place())).status, 0);
        assert_eq!(site.read(MANIFEST), next);
    });
}

#[test]
fn a_server_without_assets_has_nothing_to_publish() {
    Site::each(|site| {
        let assets = Assets::default();
        site.release("1", "red");
        assert_eq!(site.run(&assets, "1", assets.publish(&site.place())).status, 0);
    });
}

#[test]
fn after_the_failure_of_a_first_deploy_there_is_nothing_to_put_back() {
    Site::each(|site| {
        let assets = Assets::default();
        site.deploys(&assets, "1", "red");
        let ran = site.run(&assets, "1", assets.restore_live(&site.place()));
        assert_eq!((ran.status, ran.skipped.as_deref()), (0, Some("no live release has manifests")));
    });
}

#[test]
fn times_become_those_of_the_release() {
    Site::each(|site| {
        let assets = recipe("normalize = ['public/assets', 'public/none']");
        site.deploys(&assets, "20261122101530", "red");
        let ran = site.run(&assets, "20261122101530", assets.normalize(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        let modified = fs::metadata(site.at(MANIFEST)).unwrap().modified().unwrap();
        assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_795_342_530);
    });
}

#[test]
fn times_stay_unless_paths_are_named() {
    let site = Site::new("dash");
    let assets = Assets::default();
    site.release("1", "red");
    let ran = site.run(&assets, "1", assets.normalize(&site.place()));
    assert_eq!(ran.skipped.as_deref(), Some("normalize names nothing"));
}

#[test]
fn as_many_versions_stay_as_keep_assets_says() {
    Site::each(|site| {
        site.release("1", "red");
        let assets = recipe("keep_assets = 3");
        assert_eq!(site.run(&assets, "1", assets.clean_up(&site.place())).status, 0);
        assert_eq!(site.calls(), ["staging assets rake assets:clean[3]"]);
        let all = Assets::default();
        assert_eq!(site.run(&all, "1", all.clean_up(&site.place())).skipped.as_deref(), Some("keep_assets is not set"));
    });
}

/// rake removes the link, and leaves what it leads to.
#[test]
fn clobbering_empties_the_shared_folder_and_leaves_the_link() {
    Site::each(|site| {
        let assets = Assets::default();
        site.deploys(&assets, "1", "red");
        let ran = site.run(&assets, "1", assets.clobber(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(fs::read_dir(site.at("shared/public/assets")).unwrap().count(), 0);
        assert_eq!(fs::read_link(site.at("releases/1/public/assets")).unwrap(), site.at("shared/public/assets"));
    });
}
