//! Assets that the controller has built.

use super::*;

/// A packed folder with these files.
pub(super) fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let names = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    let tar = Command::new("tar").arg("-C").arg(folder.path()).args(["-c", "-z", "--"]).args(names).output().unwrap();
    assert!(tar.status.success());
    tar.stdout
}

fn fed(site: &Site) -> Place {
    Place { fed: true, ..site.place() }
}

#[test]
fn what_is_sent_is_added_to_what_releases_share() {
    Site::each(|site| {
        let assets = recipe("build_on = 'controller'");
        site.release("1", "red");
        site.write("shared/public/assets/app-1.css", "live");
        site.write("shared/public/assets/.sprockets-manifest-aaa.json", "old");
        let sent = packed(&[
            ("public/assets/app-2.css", "new"),
            ("public/assets/img/logo-3.svg", "logo"),
            ("public/assets/.sprockets-manifest-zzz.json", r#"{"assets":{"app.css":"app-2.css"}}"#),
        ]);
        let ran = site.run_with(&assets, "1", assets.compile(&fed(&site)), Some(&sent));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert!(site.calls().is_empty());
        assert_eq!(site.read("shared/public/assets/app-1.css"), "live");
        assert_eq!(site.read("shared/public/assets/app-2.css"), "new");
        assert_eq!(site.read("shared/public/assets/img/logo-3.svg"), "logo");
        // Sprockets would read whichever of two manifests it finds first.
        assert!(site.read("shared/public/assets/.sprockets-manifest-aaa.json").contains("app-2.css"));
        assert!(!site.has("shared/public/assets/.sprockets-manifest-zzz.json"));
        assert!(!site.has("releases/1/.deploy_assets"));
    });
}

#[test]
fn a_releases_own_output_is_replaced() {
    Site::each(|site| {
        let assets = recipe("preset = 'npm'\nbuild_on = 'controller'");
        site.release("1", "one");
        site.write("releases/1/dist/stale", "");
        let sent = packed(&[("dist/index.html", "new")]);
        let ran = site.run_with(&assets, "1", assets.compile(&fed(&site)), Some(&sent));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(site.read("releases/1/dist/index.html"), "new");
        assert!(!site.has("releases/1/dist/stale"));
    });
}

#[test]
fn what_does_not_arrive_whole_fails() {
    Site::each(|site| {
        let assets = recipe("build_on = 'controller'");
        site.release("1", "red");
        let sent = packed(&[("public/assets/app-2.css", "new")]);
        let half = &sent[..sent.len() / 2];
        assert_ne!(site.run_with(&assets, "1", assets.compile(&fed(&site)), Some(half)).status, 0);
    });
}

#[test]
fn a_rollback_takes_what_is_sent_and_else_what_is_there() {
    Site::each(|site| {
        let assets = recipe("build_on = 'controller'");
        site.release("1", "red");
        let manifest = r#"{"assets":{"app.css":"app-2.css"}}"#;
        let sent = packed(&[("public/assets/app-2.css", "x"), ("public/assets/.sprockets-manifest-a.json", manifest)]);
        let ran = site.run_with(&assets, "1", assets.roll_back(&fed(&site)), Some(&sent));
        assert_eq!(ran.status, 0, "{}", ran.told);
        site.write("shared/public/assets/.sprockets-manifest-a.json", "of a later release");
        let ran = site.run(&assets, "1", assets.roll_back(&site.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        assert_eq!(site.read("shared/public/assets/.sprockets-manifest-a.json"), manifest);
        assert!(site.calls().is_empty());
    });
}

#[test]
fn servers_tell_what_they_have() {
    Site::each(|site| {
        let assets = recipe("skip_unchanged = true");
        site.deploys(&assets, "1", "red");
        site.write("releases/1/REVISION", "abc\n");
        site.publish("1");
        let inputs = site.read("releases/1/assets_manifest_backup/.deploy_inputs");
        let ran = site.run(&assets, "1", assets.survey(&site.place()));
        ran.says("assets_revision=abc").says("assets_whole=yes").says(&format!("assets_live={}", inputs.trim()));
        site.release("2", "red");
        site.run(&assets, "2", assets.survey(&site.place())).says("assets_whole=no").says("assets_revision=\n");
    });
}
