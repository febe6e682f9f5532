//! Servers: how they are named, and what they may not have in common.

use insta::assert_snapshot;

use super::*;

/// The server whose `host` is `host`.
fn at(host: &str) -> Server {
    let text = with("").replace("app1", host);
    load(&text).stages.remove(0).servers.remove(0)
}

#[test]
fn a_host_may_bear_user_and_port() {
    for (host, label) in [
        ("app1", "app1"),
        ("deploy@app1", "deploy@app1"),
        ("app1:2222", "app1:2222"),
        ("deploy@app1:2222", "deploy@app1:2222"),
        ("me@corp.example@app1", "me@corp.example@app1"),
        ("[2001:db8::1]:2222", "[2001:db8::1]:2222"),
        ("root@[::1]", "root@[::1]"),
        ("fe80::1%eth0", "[fe80::1%eth0]"),
        ("2001:db8::1", "[2001:db8::1]"),
    ] {
        assert_eq!(at(host).label(), label);
    }
}

#[test]
fn what_is_no_host_is_refused() {
    for host in [
        ":@hello@:",
        "@app1",
        "app1:",
        "app1:0",
        "app1:65536",
        "app1:ssh",
        "-oProxyCommand=x",
        "a b",
        "a/b",
        "[app1]:22",
        "[::1]22",
        "::1:99999",
        "$(id)",
        "a;b",
        "-l@app1",
        ":local",
    ] {
        let text = errors(&with("").replace("app1", host));
        assert!(text.contains(&format!("error: `{host}` is not a host")), "{host}: {text}");
    }
}

#[test]
fn a_host_and_its_keys_may_not_contradict_each_other() {
    let text = with("").replace("\"app1\"", "\"ann@app1:22\"\nuser = \"bob\"\nport = 2222");
    assert_snapshot!(errors(&text), @r#"
    2 errors in `deploy.toml`
    error: two different values for `user`
     --> deploy.toml:7:8
      |
    6 | host = "ann@app1:22"
      |        ------------- another one here
    7 | user = "bob"
      |        ^^^^^ one here

    error: two different values for `port`
     --> deploy.toml:8:8
      |
    6 | host = "ann@app1:22"
      |        ------------- another one here
    7 | user = "bob"
    8 | port = 2222
      |        ^^^^ one here
    "#);
}

#[test]
fn a_host_and_its_keys_may_say_the_same() {
    let text = with("").replace("\"app1\"", "\"ann@app1:22\"\nuser = \"ann\"\nport = 22");
    assert_eq!(load(&text).stages[0].servers[0].label(), "ann@app1:22");
}

#[test]
fn servers_without_user_and_port_have_those_of_their_stage() {
    let text = with("[ssh]\nuser = \"a\"\nport = 1\n[stages.production.ssh]\nuser = \"b\"");
    assert_eq!(load(&text).stages[0].servers[0].label(), "b@app1:1");
    assert_eq!(load(&text.replace("\"app1\"", "\"c@app1:2\"")).stages[0].servers[0].label(), "c@app1:2");
}

#[test]
fn two_servers_are_not_one_machine() {
    let text = with("[ssh]\nport = 22")
        + "[[stages.production.servers]]\nhost = \"root@APP1:22\"\nroles = []\n\
           [[stages.production.servers]]\nhost = \"app1:2222\"\nroles = []\n";
    assert_snapshot!(errors(&text), @r#"
    1 error in `deploy.toml`
    error: two servers at `app1`, port 22
      --> deploy.toml:10:8
       |
     7 | host = "app1"
       |        ------ the first one
    ...
    10 | host = "root@APP1:22"
       |        ^^^^^^^^^^^^^^ the second one
       |
       = help: name all roles of a machine in one place
    "#);
}

#[test]
fn a_role_has_one_primary_server() {
    let text = with("").replace("\"app1\"", "\"app1\"\nprimary = true")
        + "[[stages.production.servers]]\nhost = \"web1\"\nroles = [\"web\"]\nprimary = true\n\
           [[stages.production.servers]]\nhost = \"db1\"\nroles = [\"db\"]\nprimary = true\n";
    assert_snapshot!(errors(&text), @r#"
    1 error in `deploy.toml`
    error: two primary servers of role `db`
      --> deploy.toml:14:8
       |
     6 | host = "app1"
       |        ------ the first one
    ...
    14 | host = "db1"
       |        ^^^^^ the second one
    "#);
}

#[test]
fn a_stage_needs_servers() {
    let text = with("[stages.staging]\nservers = []\n[stages.qa]\nbranch = \"qa\"\n");
    assert_snapshot!(errors(&text), @r#"
    2 errors in `deploy.toml`
    error: stage `staging` has no servers
     --> deploy.toml:4:9
      |
    4 | [stages.staging]
      |         ^^^^^^^ expected `[[stages.staging.servers]]` below it
      |
      = help: write `transport = "local"` for a stage that is this machine

    error: stage `qa` has no servers
     --> deploy.toml:6:9
      |
    6 | [stages.qa]
      |         ^^ expected `[[stages.qa.servers]]` below it
      |
      = help: write `transport = "local"` for a stage that is this machine
    "#);
}

#[test]
fn servers_are_tables() {
    assert_snapshot!(errors(&with("[stages.staging]\nservers = [\"app1\"]\n[stages.qa]\nservers = \"app1\"\n")), @r#"
    2 errors in `deploy.toml`
    error: wrong type of `servers`
     --> deploy.toml:5:12
      |
    5 | servers = ["app1"]
      |            ^^^^^^ expected a table, found a string

    error: wrong type of `servers`
     --> deploy.toml:7:11
      |
    7 | servers = "app1"
      |           ^^^^^^ expected an array of tables, found a string
    "#);
}

#[test]
fn a_server_needs_a_host_and_one_of_several_needs_roles() {
    let text =
        with("") + "[[stages.production.servers]]\nroles = [\"web\"]\n[[stages.production.servers]]\nhost = \"c\"\n";
    assert_snapshot!(errors(&text), @r#"
    2 errors in `deploy.toml`
    error: a server without `host`
     --> deploy.toml:8:1
      |
    8 | [[stages.production.servers]]
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected `host = "…"` below it

    error: a server without `roles`
      --> deploy.toml:10:1
       |
    10 | [[stages.production.servers]]
       | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ one of several servers
       |
       = help: write what it does, such as `roles = ["app", "web"]`, or `roles = []`
    "#);
}

#[test]
fn a_server_that_is_alone_has_every_role() {
    let text = with("[tasks.\"q:work\"]\nrun = \"x\"\nroles = \"worker\"").replace("roles = [\"app\", \"db\"]", "");
    assert_eq!(load(&text).stages[0].servers[0].roles, ["app", "web", "db", "worker"]);
}

#[test]
fn a_local_stage_is_this_machine() {
    let config = load(&with("[stages.dev]\ntransport = \"local\"\n"));
    let server = &config.stages[0].servers[0];
    assert_eq!((server.label().as_str(), server.roles.len()), ("localhost", 3));
    assert_eq!(server.deploy_to, "/var/www/shop");
}

#[test]
fn the_server_of_a_local_stage_may_have_roles_and_properties_but_no_address() {
    let good = "[stages.dev]\ntransport = \"local\"\nservers = [{ roles = [\"web\"], properties = { a = 1 } }]\n";
    let server = load(&with(good)).stages.remove(0).servers.remove(0);
    assert_eq!((server.roles, server.properties["a"].as_integer()), (vec!["web".to_owned()], Some(1)));

    let bad = "[stages.dev]\ntransport = \"local\"\n[[stages.dev.servers]]\nhost = \"app2\"\nuser = \"x\"\n\
               [[stages.dev.servers]]\nhost = \"app3\"\n";
    assert_snapshot!(errors(&with(bad)), @r#"
    3 errors in `deploy.toml`
    error: host `app2` in a local stage
     --> deploy.toml:7:8
      |
    7 | host = "app2"
      |        ^^^^^^ a local stage is this machine, `localhost`
      |
      = help: leave `transport = "local"` out to deploy over SSH

    error: `user` in a local stage
     --> deploy.toml:8:1
      |
    8 | user = "x"
      | ^^^^ nobody logs in to this machine

    error: local stage `dev` has more than one server
     --> deploy.toml:9:1
      |
    9 | [[stages.dev.servers]]
      | ^^^^^^^^^^^^^^^^^^^^^^ a local stage is this machine alone
    "#);
}

#[test]
fn an_unknown_transport_is_refused() {
    assert_snapshot!(errors(&with("[stages.production]\ntransport = \"telnet\"\n")), @r#"
    1 error in `deploy.toml`
    error: `transport` can't be `telnet`
     --> deploy.toml:5:13
      |
    5 | transport = "telnet"
      |             ^^^^^^^^ expected `ssh` or `local`
    "#);
}

#[test]
fn properties_are_merged_and_free() {
    let text = with("[properties]\na = 1\nb = 1\n[stages.production.properties]\nb = 2\nc = { x = [1] }\n")
        + "properties = { a = 3, \"any key\" = 2026-11-22 }\n";
    let server = load(&text).stages.remove(0).servers.remove(0);
    let expected = "a = 3\nb = 2\n\"any key\" = 2026-11-22\nc = { x = [1] }";
    assert_eq!(server.properties, expected.parse::<toml::Table>().unwrap());
}

#[test]
fn a_setting_of_the_stage_is_not_one_of_a_server() {
    assert_snapshot!(errors(&(with("") + "branch = \"main\"\nrole = \"web\"\n")), @r#"
    2 errors in `deploy.toml`
    error: `branch` stands in the wrong place
     --> deploy.toml:8:1
      |
    8 | branch = "main"
      | ^^^^^^ it is the same for all servers of a stage

    error: unknown key `role`
     --> deploy.toml:9:1
      |
    9 | role = "web"
      | ^^^^ did you mean `roles`?
    "#);
}

#[test]
fn mistakes_of_one_server_hide_none_of_another() {
    let text = with("").replace("\"app1\"", "\"a b\"")
        + "[[stages.production.servers]]\nhost = \"c d\"\nroles = [\"db\"]\nprimary = true\n\
           [[stages.production.servers]]\nhost = \"db1\"\nroles = [\"db\", \"-x\"]\nprimary = true\nport = 0\n\
           [[stages.production.servers]]\nhost = \"db1\"\nroles = []\ndeploy_to = \"shop\"\n";
    assert_snapshot!(errors(&text), @r#"
    7 errors in `deploy.toml`
    error: `a b` is not a host
     --> deploy.toml:6:8
      |
    6 | host = "a b"
      |        ^^^^^ expected `host`, `user@host`, `host:port` or `user@host:port`
      |
      = help: an IPv6 address with a port is written `[2001:db8::1]:22`

    error: `c d` is not a host
     --> deploy.toml:9:8
      |
    9 | host = "c d"
      |        ^^^^^ expected `host`, `user@host`, `host:port` or `user@host:port`
      |
      = help: an IPv6 address with a port is written `[2001:db8::1]:22`

    error: two primary servers of role `db`
      --> deploy.toml:13:8
       |
     9 | host = "c d"
       |        ----- the first one
    ...
    13 | host = "db1"
       |        ^^^^^ the second one

    error: `-x` can't be the name of a role
      --> deploy.toml:14:16
       |
    14 | roles = ["db", "-x"]
       |                ^^^^ expected letters, digits, `_`, `-` and `.`

    error: `port` is out of range
      --> deploy.toml:16:8
       |
    16 | port = 0
       |        ^ expected 1 to 65535

    error: two servers at `db1`, port 22
      --> deploy.toml:18:8
       |
    13 | host = "db1"
       |        ----- the first one
    ...
    18 | host = "db1"
       |        ^^^^^ the second one
       |
       = help: name all roles of a machine in one place

    error: `deploy_to` is relative
      --> deploy.toml:20:13
       |
    20 | deploy_to = "shop"
       |             ^^^^^^ expected an absolute path
    "#);
}

#[test]
fn a_jump_is_a_list_of_hosts() {
    for jump in ["none", "bastion", "me@a:22,b", "ssh://me@a:22", "[::1]:22"] {
        let text = with(&format!("[ssh]\nproxy_jump = \"{jump}\""));
        assert_eq!(load(&text).stages[0].settings.ssh.proxy_jump.as_deref(), Some(jump));
    }
    for jump in ["a,,b", "-oProxyCommand=x", "a b", "$(id)"] {
        let text = errors(&with(&format!("[ssh]\nproxy_jump = \"{jump}\"")));
        assert!(text.contains("error: `proxy_jump` is not a list of hosts"), "{text}");
    }
}

#[test]
fn a_server_that_is_alone_has_the_roles_of_recipes_too() {
    let text = with("[recipes.migrations]\nrole = \"schema\"\n[recipes.bundler]\nroles = [\"app\", \"jobs\"]\n")
        .replace("roles = [\"app\", \"db\"]", "");
    assert_eq!(load(&text).stages[0].servers[0].roles, ["app", "web", "db", "schema", "jobs"]);
}
