//! The switch: everywhere or nowhere.

use e2e::Project;

use super::scene::{Sum, deploys_again, is_free, lives, revise, shop};

/// What keeps a server from switching, and what takes the obstacle away again. Both run in the folder of the deployment.
struct Obstacle {
    name: &'static str,
    put: &'static str,
    take: &'static str,
}

const OBSTACLES: [Obstacle; 2] = [
    Obstacle { name: "current is a folder", put: "rm -f current; mkdir current", take: "rmdir current" },
    Obstacle {
        name: "a folder in the way of the new link",
        put: "mv current kept 2>/dev/null || :; mkdir -p current/x",
        take: "rm -r current; mv kept current 2>/dev/null || :",
    },
];

fn sh(project: &Project, server: &str, script: &str) {
    let status = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(project.server(server).site.path())
        .status()
        .expect("sh runs");
    assert!(status.success(), "{script}");
}

/// A deploy that fails to switch app2: what is live on app1 afterwards.
fn fails_to_switch(obstacle: &Obstacle, is_first: bool) -> Result<(), String> {
    let mut project = shop(&[("app1", "app"), ("app2", "app"), ("app3", "app")]);
    if !is_first {
        project.xtask("deploy staging").success();
    }
    let before: Vec<_> = project.sites().iter().map(|site| site.link("current")).collect();
    let put = format!("case $PWD in *app2*) cd ../..; {} ;; esac", obstacle.put);
    project.tables(&format!("[tasks.\"put:obstacle\"]\nrun = '''{put}'''\nbefore = \"deploy:symlink:release\""));
    revise(&project, "two");
    let output = project.xtask("deploy staging").fails_with(1).says("app2");
    let after: Vec<_> = project.sites().iter().map(|site| site.link("current")).collect();
    for others in [0, 2] {
        if after[others] != before[others] {
            return Err(format!("app{} was left with {:?}:\n{output}", others + 1, after[others]));
        }
    }
    is_free(&project, std::time::Duration::ZERO)?;
    sh(&project, "app2", obstacle.take);
    project.no_tables();
    deploys_again(&project, "three")
}

#[test]
fn where_one_server_fails_to_switch_the_others_are_switched_back() {
    let mut sum = Sum::default();
    for obstacle in &OBSTACLES {
        for is_first in [true, false] {
            let name = format!("{}, {}", obstacle.name, if is_first { "first" } else { "next" });
            sum.add(&name, fails_to_switch(obstacle, is_first));
        }
    }
    sum.tell("switches that fail on one server of three");
}

/// The connection is lost in the middle of the switch: whether it took place is not known, and is found out.
#[test]
fn a_server_that_is_lost_while_it_switches_is_asked_again() {
    let mut project = shop(&[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    let before = lives(&project).unwrap();
    let proxy = e2e::Proxy::to(project.server("app2").port);
    project.server_mut("app2").behind(&proxy);
    project.tables("[tasks.\"take:long\"]\nrun = \"echo asleep; sleep 2\"\nafter = \"deploy:symlink:release\"");
    revise(&project, "two");
    let run = project.start("deploy staging --verbose");
    run.wait_for("asleep");
    proxy.cut();
    let output = run.wait().fails();
    assert_eq!(lives(&project).unwrap(), before, "{output}");
    project.no_tables();
    deploys_again(&project, "three").unwrap();
}

#[test]
fn leftover_links_of_a_switch_that_was_killed_are_removed() {
    let project = shop(&[("app1", "app")]);
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    std::os::unix::fs::symlink(site.join("releases"), site.join("current.deploy-4711")).unwrap();
    site.write(".deploy/trash/20200101000000.1/half", "");
    deploys_again(&project, "two").unwrap();
    assert!(site.link("current.deploy-4711").is_none());
    assert!(!site.exists(".deploy/trash"), "{:?}", site.list(".deploy"));
}
