//! What a deploy costs on the wire, as the servers count it.

use e2e::{Project, Server};

/// Connections and execs of each server during `line`.
fn cost(project: &Project, line: &str) -> Vec<(usize, usize)> {
    let count = |server: &Server| (server.sshd.connections(), server.sshd.execs());
    let before: Vec<_> = project.servers.iter().map(count).collect();
    project.xtask(line).success();
    let after = project.servers.iter().map(count);
    after.zip(before).map(|(after, before)| (after.0 - before.0, after.1 - before.1)).collect()
}

fn project_with(strategy: &str, servers: &[(&str, &str)]) -> Project {
    let mut project = Project::over_ssh(servers);
    project.top("linked_dirs = [\"log\", \"tmp/pids\"]\nlinked_files = [\"config/database.yml\"]");
    project.tables(&format!("[git]\nstrategy = {strategy:?}"));
    project.tables("[tasks.\"cache:clear\"]\nrun = \"true\"\nafter = \"deploy:published\"");
    for site in project.sites() {
        site.write("shared/config/database.yml", "");
    }
    project
}

#[test]
fn a_run_is_one_connection_and_one_command_on_each_server() {
    let several = [("app1", "app"), ("app2", "app web"), ("db1", "db app")];
    for (strategy, servers) in
        [("push", &several[..]), ("fetch", &several[..]), ("fetch", &[("app1", "app web db")][..])]
    {
        let project = project_with(strategy, servers);
        for line in ["deploy staging", "deploy staging", "deploy rollback staging"] {
            project.repo.commit("Change something");
            let costs = cost(&project, line);
            assert!(costs.iter().all(|cost| *cost == (1, 1)), "{strategy}, {line}: {costs:?}");
        }
    }
}

#[test]
fn what_is_reported_is_what_the_servers_counted() {
    let project = project_with("push", &[("app1", "app"), ("app2", "app")]);
    let output = project.xtask("deploy staging --format json").success();
    let events = output.json();
    let finished = events.last().expect("there are events");
    let traffic = finished["traffic"].as_array().expect("the last event tells of the traffic");
    assert_eq!(traffic.len(), 2);
    for (server, reported) in project.servers.iter().zip(traffic) {
        assert_eq!(reported["connections"], server.sshd.connections());
        assert_eq!(reported["execs"], server.sshd.execs());
        assert!(reported["sent"].as_u64().unwrap() > 0 && reported["received"].as_u64().unwrap() > 0);
    }
}

#[test]
fn a_next_deploy_sends_only_what_is_new() {
    let project = project_with("push", &[("app1", "app"), ("app2", "app")]);
    let noise: String = (0..100_000_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    project.repo.write("big", &noise).commit("Add something big");
    project.xtask("deploy staging").success();
    project.repo.write("index.html", "two\n").commit("Say two");
    let events = project.xtask("deploy staging --format json").success().json();
    for traffic in events.last().unwrap()["traffic"].as_array().unwrap() {
        let sent = traffic["sent"].as_u64().unwrap();
        assert!(sent < 20_000, "{sent} bytes for a commit of one line");
    }
}
