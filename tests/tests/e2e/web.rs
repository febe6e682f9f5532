//! The web servers of the harness: Apache with Passenger, on an application of one line.

use std::fs;

use e2e::{Apache, Output, Project, Server};

const APPLICATION: &str = r##"
run ->(_) { [200, { "Content-Type" => "text/plain" }, ["#{ENV["GREETING"]} from process #{Process.pid}"]] }
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
