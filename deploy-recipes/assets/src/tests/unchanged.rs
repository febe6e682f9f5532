//! `skip_unchanged`: what counts as the same.

use super::*;

const RAILS: &str = "skip_unchanged = true";
pub(super) const NPM: &str = "preset = 'npm'\nskip_unchanged = true\ninputs = ['src', 'package-lock.json']";

/// Whether the release `2`, with `text`, is compiled, when `1` is live and had the text `same`.
fn compiles(site: &Site, toml: &str, change: impl Fn(&Site)) -> bool {
    let assets = recipe(toml);
    site.deploys(&assets, "1", "same");
    site.publish("1");
    site.release("2", "same");
    change(site);
    site.calls();
    let ran = site.run(&assets, "2", assets.compile(&site.place()));
    assert_eq!(ran.status, 0, "{}", ran.told);
    assert_eq!(ran.skipped.is_none(), !site.calls().is_empty(), "{}", ran.told);
    ran.skipped.is_none()
}

#[test]
fn nothing_is_compiled_where_nothing_has_changed() {
    Site::each(|site| {
        assert!(!compiles(&site, RAILS, |_| {}));
        let assets = recipe(RAILS);
        assert_eq!(site.run(&assets, "2", assets.back_up(&site.place())).status, 0);
        let kept = |release: &str, name: &str| site.read(&format!("releases/{release}/assets_manifest_backup/{name}"));
        for name in ["public/assets/.sprockets-manifest-5.json", ".deploy_inputs", ".deploy_files"] {
            assert_eq!(kept("1", name), kept("2", name));
        }
    });
}

#[test]
fn a_release_that_was_not_compiled_can_stand_for_the_next_one() {
    Site::each(|site| {
        assert!(!compiles(&site, RAILS, |_| {}));
        let assets = recipe(RAILS);
        site.run(&assets, "2", assets.back_up(&site.place()));
        site.publish("2");
        let ran = site.deploys(&assets, "3", "same");
        assert_eq!(ran.skipped.as_deref(), Some("built from the same as release 2"));
    });
}

#[test]
fn by_default_everything_is_compiled() {
    Site::each(|site| assert!(compiles(&site, "", |_| {})));
}

#[test]
fn any_change_of_what_the_build_reads_counts() {
    type Change = fn(&Site);
    let changes: [(&str, Change); 6] = [
        ("contents", |site| site.write("releases/2/app/assets/app.css", "other")),
        ("a new file", |site| site.write("releases/2/app/assets/new.css", "same")),
        ("another name", |site| {
            fs::rename(site.at("releases/2/app/assets/app.css"), site.at("releases/2/app/assets/app.scss")).unwrap();
            site.write("releases/2/app/assets/app.css", "");
        }),
        ("a lock file", |site| site.write("releases/2/Gemfile.lock", "rails")),
        ("a linked file", |site| {
            site.write("shared/master.key", "key");
            fs::create_dir_all(site.at("releases/2/config")).unwrap();
            symlink(site.at("shared/master.key"), site.at("releases/2/config/master.key")).unwrap();
        }),
        ("the lock file of Yarn", |site| site.write("releases/2/yarn.lock", "")),
    ];
    for (name, change) in changes {
        Site::each(|site| assert!(compiles(&site, RAILS, change), "{name}"));
    }
}

#[test]
fn other_files_do_not_count() {
    Site::each(|site| assert!(!compiles(&site, RAILS, |site| site.write("releases/2/app/models/user.rb", "class"))));
}

#[test]
fn what_is_not_as_the_live_release_needs_it_is_compiled() {
    type Loss = fn(&Site);
    let losses: [(&str, Loss); 3] = [
        ("nothing is live", |site| fs::remove_file(site.at("current")).unwrap()),
        ("no manifest", |site| {
            fs::remove_file(site.at("shared/public/assets/.sprockets-manifest-5.json")).unwrap();
        }),
        ("no asset", |site| {
            let asset = site.read("releases/1/assets_manifest_backup/.deploy_files");
            fs::remove_file(site.at("releases/1").join(asset.trim())).unwrap();
        }),
    ];
    for (name, lose) in losses {
        Site::each(|site| assert!(compiles(&site, RAILS, lose), "{name}"));
    }
}

#[test]
fn other_settings_or_another_environment_are_a_change() {
    Site::each(|site| {
        let assets = recipe(RAILS);
        site.deploys(&assets, "1", "same");
        site.publish("1");
        let other = recipe("skip_unchanged = true\nenv = { NODE_ENV = 'production' }");
        assert_eq!(site.deploys(&other, "2", "same").skipped, None);
        site.release("3", "same");
        let place = Place { environment: "{\"RELATIVE_URL_ROOT\": \"/shop\"}".to_owned(), ..site.place() };
        assert_eq!(site.run(&assets, "3", assets.compile(&place)).skipped, None);
    });
}

#[test]
fn a_release_is_not_compared_with_itself() {
    Site::each(|site| {
        let assets = recipe(RAILS);
        site.deploys(&assets, "1", "same");
        site.publish("1");
        let ran = site.run(&assets, "1", assets.compile(&site.place()));
        assert_eq!((ran.status, ran.skipped), (0, None), "called alone, it compiles");
    });
}

#[test]
fn output_of_a_releases_own_is_copied_from_the_live_one() {
    Site::each(|site| {
        assert!(!compiles(&site, NPM, |site| site.write("releases/2/dist/stale", "")));
        assert_eq!(site.read("releases/2/dist/index.html"), site.read("releases/1/dist/index.html"));
        assert!(!site.has("releases/2/dist/stale"));
    });
}

#[test]
fn output_that_is_not_as_it_was_built_is_built_again() {
    Site::each(|site| assert!(compiles(&site, NPM, |site| site.write("releases/1/dist/index.html", "by hand"))));
    Site::each(|site| assert!(compiles(&site, NPM, |site| fs::remove_dir_all(site.at("releases/1/dist")).unwrap())));
}

#[test]
fn inputs_of_which_none_is_there_tell_nothing() {
    Site::each(|site| assert!(compiles(&site, "skip_unchanged = true\ninputs = ['no', 'such']", |_| {})));
}
