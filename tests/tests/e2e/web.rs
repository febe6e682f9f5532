//! Apache with Passenger, on an application of a few lines: the harness itself, and restarts that reach the application
//! or don't.

use std::fs;

use e2e::{Apache, Output, Project, Server, User, is_root};

const APPLICATION: &str = r##"
REVISION = (File.read("REVISION").strip rescue "none")
run(lambda do |_|
  headers = { "Content-Type" => "text/plain", "X-Revision" => REVISION }
  [200, headers, ["#{ENV["GREETING"]} from process #{Process.pid} of #{REVISION}"]]
end)
"##;

/// A server with a live release of the application, and a web server beside it.
fn site() -> (Project, Apache) {
    let mut project = Project::as_ordinary_user(&[("app1", "app web")]);
    let site = &project.server("app1").site;
    site.write("releases/20260101000000/config.ru", APPLICATION);
    site.write("releases/20260101000000/public/robots.txt", "welcome");
    std::os::unix::fs::symlink(site.join("releases/20260101000000"), site.join("current")).unwrap();
    if let Some(user) = project.user() {
        user.own(site.path());
    }
    let apache = Apache::start(&project.sandbox, "app1", site, &[("GREETING", "hello".to_owned())]);
    let registry = apache.registry().display().to_string();
    project.server_mut("app1").sshd.set_env("PASSENGER_INSTANCE_REGISTRY_DIR", &registry);
    (project, apache)
}

/// What OpenSSH's own client gets from `server`.
fn ssh(project: &Project, server: &Server, command: &str) -> Output {
    project.sandbox.run(project.openssh(server, command))
}

#[test]
fn an_application_is_served_and_restarted_from_a_session() {
    let (project, apache) = site();
    assert_eq!(apache.get("/robots.txt").body, "welcome");
    let before = apache.get("/").body;
    assert!(before.starts_with("hello from process "), "{before}");
    assert_eq!(apache.get("/").body, before);
    let app1 = project.server("app1");
    let restart = format!("passenger-config restart-app {}", app1.site.path().display());
    ssh(&project, app1, &restart).success().says("Restarting");
    assert_ne!(apache.get("/").body, before);
}

#[test]
fn nothing_of_a_web_server_is_left() {
    let (project, apache) = site();
    apache.get("/");
    let folder = project.sandbox.path().display().to_string();
    let before = running(&folder);
    assert!(before.iter().any(|line| line.contains("/current")), "an application bears its folder: {before:?}");
    drop((apache, project));
    assert_eq!(running(&folder), [""; 0]);
}

/// The command lines of the machine that have `text`.
fn running(text: &str) -> Vec<String> {
    let lines =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).filter(|line| line.contains(text)).collect()
}

/// A deployed application that answers, a newer commit, and the recipe with `table`. `runner` runs the application.
fn shop(runner: Option<&User>, table: &str) -> (Project, Apache) {
    let mut project = Project::as_ordinary_user(&[("app1", "app web")]);
    project.repo.write("config.ru", APPLICATION).write("public/robots.txt", "welcome").commit("Greet");
    project.stage("linked_dirs = []");
    project.xtask("deploy staging").success();
    let apache = Apache::start_as(&project.sandbox, "app1", &project.server("app1").site, &[], runner);
    project.server_mut("app1").sshd.set_env("http_proxy", &format!("http://127.0.0.1:{}", apache.port()));
    project.tables(&format!(
        "[recipes.passenger]\nhealth_url = \"/\"\nhealth_retries = 0\nhealth_wait = 0\nwait = 0\n{table}"
    ));
    assert!(apache.get("/").body.ends_with(&project.repo.head()));
    project.repo.write("public/robots.txt", "welcome back").commit("Greet again");
    (project, apache)
}

/// A line of `[recipes.passenger]` by which Passenger's program finds the instance.
fn found(apache: &Apache) -> String {
    format!("env = {{ PASSENGER_INSTANCE_REGISTRY_DIR = {:?} }}\n", apache.registry())
}

#[test]
fn a_restart_that_reaches_no_instance_is_a_failure_while_an_earlier_release_answers() {
    let (mut project, apache) = shop(None, "");
    let output = project.xtask("deploy staging").fails_with(1);
    let output = output.says("Passenger warns: Phusion Passenger(R) doesn't seem to be running");
    let output = output.says("the restart didn't reach the application, which still runs from an earlier release");
    let _ = output.says("PASSENGER_INSTANCE_REGISTRY_DIR").says("cargo xtask deploy rollback staging");
    assert!(!apache.get("/").body.ends_with(&project.repo.head()));

    // The same, where the answer itself tells.
    project.tables("health_revision = \"X-Revision\"");
    let output = project.xtask("deploy restart staging").fails_with(1);
    let _ = output.says("is not of this release: its X-Revision is ");

    project.tables(&found(&apache));
    let output = project.xtask("deploy restart staging").success();
    assert!(!output.to_string().contains("note"), "{output}");
    assert!(apache.get("/").body.ends_with(&project.repo.head()));
}

/// What runs as somebody else shows its age and not its folder.
#[test]
fn sudo_restarts_what_another_user_runs_and_the_restart_is_proven() {
    assert!(is_root(), "this test needs root, who can have an application run as another user");
    let runner = User::fresh();
    let (mut project, apache) = shop(Some(&runner), "sudo = true");
    project.user().expect("it was made").may_sudo(false);
    let output = project.xtask("deploy staging").fails_with(1);
    let _ = output.says("which was there before the restart");

    project.tables(&found(&apache));
    let output = project.xtask("deploy restart staging").success();
    assert!(!output.to_string().contains("note"), "{output}");
    assert!(apache.get("/").body.ends_with(&project.repo.head()));
    assert!(process(&apache).1.contains(runner.name()), "{:?}", process(&apache));

    // The restart is asked for without sudo, which Passenger refuses and calls a success.
    project.repo.write("public/robots.txt", "welcome for good").commit("Greet for good");
    project.no_tables().tables("[recipes.passenger]\nhealth_url = \"/\"\nwait = 0").tables(&found(&apache));
    let _ = project.xtask("deploy staging").fails_with(1).says("[recipes.passenger] sudo = true");
}

/// The process that answers, and the users that processes of its title belong to.
fn process(apache: &Apache) -> (String, String) {
    let body = apache.get("/").body;
    let pid = body.split(' ').nth(3).expect("it tells its process").to_owned();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()).expect("a user");
    let users = fs::read_to_string("/etc/passwd").expect("everybody may read it");
    let name = users.lines().find(|line| line.split(':').nth(2) == Some(uid)).expect("it has a name");
    (pid, name.to_owned())
}
