use deploy_core::testing::{SHELLS, Site, check_table};

use super::*;

/// Says that nothing is pending, and starts the application unless the release has a file `broken`.
const RAKE: &str = "case $* in *xtask:boot*) if [ -e broken ]; then cat broken >&2; exit 1; fi ;; esac";

/// A stage with the bundle and nothing but the bundle, but for what has to be compiled or restarted.
fn site(table: &str) -> Site {
    let off = "[recipes.assets]\nenabled = false\n[recipes.passenger]\nenabled = false\n";
    let site = Site::new(Xtask::new().bundle::<Rails>(), &format!("[recipes.rails]\n{table}\n{off}"));
    site.program("bundle", "case $1 in exec) shift; exec \"$@\" ;; esac");
    site.program("ruby", "");
    site.program("rake", RAKE);
    site.release("20260101000000");
    site
}

/// The servers on which `site` starts the application in a deploy.
fn booted(site: &Site) -> Vec<String> {
    let run = site.run("deploy");
    run.succeeded();
    let boots = run.calls().iter().filter(|call| call.program() == "rake" && call.to_string().contains("xtask:boot"));
    boots.map(|call| call.server().to_owned()).collect()
}

#[test]
fn it_goes_with_the_flows() {
    Xtask::new().bundle::<Rails>().check().unwrap();
}

#[test]
fn its_recipes_may_be_there_already() {
    Xtask::new().recipe::<Passenger>().bundle::<Rails>().recipe::<Bundler>().check().unwrap();
}

#[test]
fn the_application_starts_once_in_the_new_release_before_that_is_live() {
    for shell in SHELLS {
        let site = site("rails_env = 'qa'").shell(shell);
        let run = site.run("deploy");
        run.succeeded();
        let order = run.order();
        let at = |id: &str| order.iter().position(|known| *known == id).unwrap_or_else(|| panic!("{id}: {order:?}"));
        assert!(at("deploy:bundle") < at("deploy:migrate") && at("deploy:migrate") < at("deploy:boot"));
        assert!(at("deploy:boot") < at("deploy:symlink:release"));
        let call = run.calls().iter().rfind(|call| call.program() == "bundle").unwrap();
        assert_eq!(call, &"bundle exec rake -E 'eval ENV.fetch('\\''XTASK_BOOT'\\'')' xtask:boot");
        assert_eq!((call.var("RAILS_ENV"), call.var("XTASK_BOOT")), (Some("qa"), Some(include_str!("boot.rb"))));
        let release = format!("releases/{}", run.fact("app1", "release").unwrap());
        assert_eq!(call.dir(), site.path("app1", &release).display().to_string());
    }
}

#[test]
fn a_release_that_does_not_start_never_goes_live() {
    let site = site("").servers(&["app1 app db", "app2 app"]);
    site.release("20260101000000");
    site.file("broken", "uninitialized constant Shop\n");
    let run = site.run("deploy");
    let failure = run.failure();
    for said in ["`deploy:boot`: the application does not start", "uninitialized constant Shop", "boot_check = false"] {
        assert!(failure.contains(said), "{failure}");
    }
    assert!(!run.order().contains(&"deploy:symlink:release"), "{:?}", run.order());
    for host in ["app1", "app2"] {
        assert!(site.read(host, "current/REVISION").unwrap().ends_with("20260101000000\n"));
    }
}

#[test]
fn it_starts_where_the_application_runs_once_the_database_is_migrated() {
    let servers = ["app1 app", "app2 app", "db1 db"];
    assert_eq!(booted(&site("").servers(&servers)).len(), 2);
    assert_eq!(booted(&site("boot_roles = ['db']").servers(&servers)), ["db1"]);
    assert_eq!(booted(&site("boot_check = false").servers(&servers)), [""; 0]);
    let with = |table: &str| site(table).servers(&servers).execs("deploy", "app1");
    assert_eq!(with("") - with("boot_check = false"), 1, "what migrates elsewhere is waited for");
    assert_eq!(site("").execs("deploy", "app1"), site("boot_check = false").execs("deploy", "app1"));
}

#[test]
fn a_rollback_starts_nothing_and_the_live_release_can_be_tried_alone() {
    let site = site("");
    site.release("20260102000000");
    assert!(!site.order("deploy:rollback").iter().any(|id| id == "deploy:boot"));
    let run = site.run("deploy:boot");
    run.succeeded();
    assert_eq!(run.order(), ["deploy:boot"]);
    site.shellcheck("deploy:boot");
}

#[test]
fn the_table_of_settings_is_complete() {
    check_table::<Rails>(include_str!("lib.rs"));
}
