use deploy_core::testing::{Call, SHELLS, Site, check_table, refusal};

use super::*;

/// A Bundler whose `check` fails unless all gems are there.
const CHECKS: &str = "case $1 in check) [ -e \"$HOME/deploy/gems\" ] ;; esac";

/// A stage with the recipe, a release, and a `bundle`.
fn site(table: &str) -> Site {
    let site = Site::of::<Bundler>(table);
    site.program("bundle", CHECKS);
    site.release("20260101000000");
    site
}

/// What Bundler was told by a task that succeeded, with what it was told of the Gemfile by a variable.
fn told(site: &Site, task: &str) -> Vec<String> {
    let run = site.run(task);
    run.succeeded();
    let gemfile = |call: &Call| call.var("BUNDLE_GEMFILE").map(|file| format!("BUNDLE_GEMFILE={file} "));
    let shared = site.path("app1", "shared").display().to_string();
    let text = |call| format!("{}{call}", gemfile(call).unwrap_or_default()).replace(&shared, "/s");
    run.calls().iter().map(text).collect()
}

#[test]
fn settings_come_before_the_check_and_the_check_before_the_installation() {
    for shell in SHELLS {
        assert_eq!(
            told(&site("").shell(shell), "deploy:bundle"),
            [
                "bundle config set --local deployment true",
                "bundle config set --local path /s/bundle",
                "bundle config set --local without development:test",
                "bundle check",
                "bundle install --jobs 4 --quiet",
            ]
        );
    }
}

#[test]
fn nothing_is_installed_where_every_gem_is_there_and_a_process_starts() {
    for shell in SHELLS {
        let site = site("").shell(shell);
        site.write("app1", "gems", "");
        assert_eq!(told(&site, "deploy:bundle")[3..], ["bundle check", "bundle exec ruby -e 1"]);
    }
    let site = site("deployment = false");
    site.write("app1", "gems", "");
    assert_eq!(told(&site, "deploy:bundle").last().unwrap(), "bundle check");
}

/// Bundler's `check` is content with it, and says that it can't write the lock file.
#[test]
fn a_gemfile_that_differs_from_its_lock_file_is_refused_by_the_installation() {
    let site = site("");
    site.program("bundle", "case $1 in exec) exit 1 ;; install) echo 'The gemfile changed' >&2; exit 16 ;; esac");
    let failure = site.run("deploy").failure();
    let said = ["`deploy:bundle`: ended with status 16: `bundle install --jobs 4 --quiet`", "The gemfile changed"];
    said.iter().for_each(|text| assert!(failure.contains(text), "{failure}"));
    assert!(site.read("app1", "current/REVISION").unwrap().ends_with("20260101000000\n"));
}

#[test]
fn gems_of_the_system_take_the_place_of_a_folder_and_the_other_way_round() {
    let site = Site::of::<Bundler>("path = 'system'\nwithout = []");
    site.program("bundle", CHECKS);
    site.release("20260101000000");
    site.write("app1", "current/.bundle/config", "BUNDLE_DEPLOYMENT: \"true\"\nBUNDLE_PATH: \"/s/bundle\"\n");
    let settings = [
        "bundle config unset --local deployment",
        "bundle config unset --local path",
        "bundle config set --local frozen true",
        "bundle config set --local path.system true",
    ];
    assert_eq!(told(&site, "deploy:bundle")[..4], settings);
    let site = self::site("without = []");
    site.write("app1", "current/.bundle/config", "BUNDLE_FROZEN: \"true\"\nBUNDLE_PATH__SYSTEM: \"true\"\n");
    let settings = ["bundle config unset --local frozen", "bundle config unset --local path.system"];
    assert_eq!(told(&site, "deploy:bundle")[..2], settings);
}

#[test]
fn gems_of_the_system_are_not_cleaned_away() {
    let mut tasks = Tasks::default();
    Bundler { path: Gems::System, clean: true, ..Bundler::default() }.register(&mut tasks);
    let problems = tasks.check();
    assert!(problems.iter().any(|problem| problem.contains("`clean` would remove gems of others")), "{problems:?}");
}

#[test]
fn every_setting_reaches_bundler() {
    let own = "path = '/opt/my gems'\nwithout = ['ci']\ndeployment = false\ngemfile = 'Gemfile.next'\njobs = 2\nflags = ['--retry', '3']\nbinstubs = 'bin'";
    assert_eq!(
        told(&site(own), "deploy:bundle"),
        [
            "BUNDLE_GEMFILE=Gemfile bundle config set --local gemfile Gemfile.next",
            "bundle config set --local deployment false",
            "bundle config set --local path '/opt/my gems'",
            "bundle config set --local without ci",
            "bundle check",
            "bundle install --jobs 2 --retry 3",
            "bundle binstubs --all --path bin",
        ]
    );
}

#[test]
fn what_is_set_no_more_is_unset() {
    let site = site("without = []");
    site.write("app1", "gems", "");
    site.write("app1", "current/.bundle/config", "---\nBUNDLE_GEMFILE: \"Gemfile.next\"\nBUNDLE_WITHOUT: \"ci\"\n");
    assert_eq!(
        told(&site, "deploy:bundle"),
        [
            "BUNDLE_GEMFILE=Gemfile bundle config unset --local gemfile",
            "bundle config set --local deployment true",
            "bundle config set --local path /s/bundle",
            "bundle config unset --local without",
            "bundle check",
            "bundle exec ruby -e 1",
        ]
    );
}

#[test]
fn releases_share_the_settings() {
    let site = site("");
    site.run("deploy").succeeded();
    let linked = std::fs::read_link(site.path("app1", "current/.bundle")).unwrap();
    assert_eq!(linked, site.path("app1", "shared/.bundle"));
}

#[test]
fn bundle_exec_stands_inside_of_a_version_manager() {
    let rake = |_: &ServerCx<'_>| Script::new().run(Cmd::new("rake").arg("stats")).run(Cmd::new("ruby").arg("-v"));
    let stats = Task::script(TaskId::new("stats"), "Count lines", Servers::releases(), rake);
    let xtask = Xtask::new().recipe::<Bundler>().task(stats);
    let site = Site::new(xtask, "[recipes.bundler]\n[command_prefix]\nrake = 'rbenv exec'\nbundle = 'rbenv exec'");
    site.program("rbenv", "");
    site.program("ruby", "");
    site.release("20260101000000");
    assert_eq!(site.run("stats").calls(), ["rbenv exec bundle exec rake stats", "ruby -v"]);
    assert!(site.script("deploy:bundle", "app1").contains("rbenv exec bundle check"));
}

#[test]
fn an_installation_that_fails_fails_the_deploy_and_nothing_is_published() {
    let site = site("");
    site.program("bundle", "case $1 in check | install) exit 7 ;; esac");
    let failure = site.run("deploy").failure();
    assert!(failure.contains("`deploy:bundle`: ended with status 7: `bundle install --jobs 4 --quiet`"), "{failure}");
    assert!(site.read("app1", "current/REVISION").unwrap().ends_with("20260101000000\n"));
}

#[test]
fn cleaning_knows_the_settings() {
    let calls = told(&site("clean_flags = ['--dry-run']"), "bundle:clean");
    assert_eq!(calls[1], "bundle config set --local path /s/bundle");
    assert_eq!(calls.last().unwrap(), "bundle clean --dry-run");
}

#[test]
fn it_stands_before_updated_and_before_a_release_is_reverted_to() {
    let site = site("clean = true");
    let is_before = |flow: &str, first: &str, then: &str| {
        let order = site.order(flow);
        let at =
            |id: &str| order.iter().position(|known| known == id).unwrap_or_else(|| panic!("no {id} in {order:?}"));
        at(first) < at(then)
    };
    assert!(is_before("deploy", "deploy:symlink:linked_dirs", "deploy:bundle"));
    assert!(is_before("deploy", "deploy:bundle", "deploy:symlink:release"));
    assert!(is_before("deploy", "deploy:cleanup", "bundle:clean"));
    assert!(is_before("deploy:rollback", "deploy:choose_release", "deploy:bundle"));
    assert!(is_before("deploy:rollback", "deploy:bundle", "deploy:revert_release"));
}

#[test]
fn a_release_that_is_rolled_back_to_gets_its_gems_again() {
    let site = site("");
    site.release("20260102000000");
    let run = site.run("deploy:rollback");
    run.succeeded();
    let dir = site.path("app1", "releases/20260101000000").display().to_string();
    assert!(run.calls().iter().all(|call| call.dir() == dir), "{dir}");
    assert_eq!(run.calls().last().unwrap(), &"bundle install --jobs 4 --quiet");
}

#[test]
fn its_scripts_pass_shellcheck() {
    site("gemfile = 'Gemfile.next'").shellcheck("deploy:bundle");
    site("").shellcheck("bundle:clean");
}

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().recipe::<Bundler>().check().unwrap();
}

#[test]
fn a_wrong_key_is_shown_with_the_nearest() {
    let refusal = refusal::<Bundler>("job = 3");
    assert!(refusal.contains("did you mean `jobs`?"), "{refusal}");
}

#[test]
fn the_table_of_settings_is_complete() {
    check_table::<Bundler>(include_str!("lib.rs"));
}
