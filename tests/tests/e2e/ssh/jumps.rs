//! Servers behind other servers.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use deploy_core::transport::{Exit, Output};
use e2e::{Key, Sshd};
use rustix::net;

use super::lab::{Lab, run};

/// Two jump hosts and a server, with names in an ssh_config.
fn three_servers(lab: &mut Lab, more: &str) -> (Sshd, Sshd, Sshd) {
    let servers = (lab.sshd("outer", &["MaxSessions 0"]), lab.sshd("inner", &["MaxSessions 0"]), lab.sshd("app", &[]));
    let host = |name: &str, sshd: &Sshd| format!("Host {name}\n  HostName 127.0.0.1\n  Port {}\n", sshd.port());
    let config = [
        host("outer", &servers.0),
        host("inner", &servers.1),
        host("app", &servers.2),
        format!("Host *\n  IdentityFile {}\n", lab.key.path().display()),
        format!("  UserKnownHostsFile {}\n  IdentityAgent none\n{more}", lab.sandbox.join("known_hosts").display()),
    ];
    lab.configure(&config.concat());
    servers
}

#[test]
fn one_jump_host_carries_all_its_servers_over_one_login() {
    let mut lab = Lab::new();
    let (outer, _, app) = three_servers(&mut lab, "");
    lab.settings.proxy_jump = Some("outer".into());
    let connections: Vec<_> = (0..5).map(|_| lab.try_to_log_in("app", None).1.unwrap()).collect();
    for connection in &connections {
        let done = run(connection, "echo arrived; exit 3");
        assert_eq!(done.text(), "arrived\n");
        assert!(matches!(done.end, Output::Exit(Exit::Status(3))));
        assert_eq!(connection.login().jumps[0].port, outer.port());
    }
    assert_eq!((outer.connections(), app.connections()), (1, 5));
}

#[test]
fn two_jump_hosts_in_a_row_lead_to_the_server() {
    let mut lab = Lab::new();
    let (outer, inner, _app) = three_servers(&mut lab, "");
    lab.settings.proxy_jump = Some("outer,inner".into());
    let connection = lab.try_to_log_in("app", None).1.unwrap();
    let jump = &connection.login().jumps[0];
    assert_eq!((jump.port, jump.jumps[0].port), (inner.port(), outer.port()));
    let done = run(&connection, "head -c 20000000 /dev/zero");
    assert_eq!(done.stdout.len(), 20_000_000);
    drop(connection);
    lab.start_over();
    let (_, again) = lab.try_to_log_in("app", None);
    assert!(again.is_ok(), "everything was logged out in order");
}

#[test]
fn a_jump_host_is_checked_as_every_server_is() {
    let mut lab = Lab::new();
    let (outer, _, app) = three_servers(&mut lab, "");
    lab.settings.proxy_jump = Some("outer".into());
    std::fs::write(lab.sandbox.join("known_hosts"), "").unwrap();
    lab.know(app.port(), &app.host_key());
    let error = lab.try_to_log_in("app", None).1.err().unwrap().to_string();
    assert!(error.contains("through the jump host `outer`") && error.contains("is not known"), "{error}");
    assert!(!outer.log().contains("Accepted"));

    std::fs::write(lab.sandbox.join("known_hosts"), "").unwrap();
    lab.know(outer.port(), &outer.host_key());
    lab.know(app.port(), &Key::ed25519(lab.sandbox.join("other")).public());
    lab.start_over();
    let error = lab.try_to_log_in("app", None).1.err().unwrap().to_string();
    assert!(error.contains("the host key of `app` has changed"), "{error}");
}

#[test]
fn a_jump_host_that_fails_is_tried_once_for_all_its_servers() {
    let mut lab = Lab::new();
    let (outer, _, _app) = three_servers(&mut lab, "");
    lab.settings.proxy_jump = Some("outer".into());
    std::fs::write(lab.sandbox.join("authorized_keys"), "").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let error = lab.try_to_log_in("app", None).1.err().unwrap().to_string();
                assert!(error.contains("failed to reach `app` through the jump host `outer`"), "{error}");
                assert!(error.contains("refused"), "{error}");
            });
        }
    });
    assert_eq!(outer.connections(), 1);
}

#[test]
fn a_jump_host_that_can_not_reach_the_server_says_so() {
    let mut lab = Lab::new();
    let (_outer, _, mut app) = three_servers(&mut lab, "");
    lab.settings.proxy_jump = Some("outer".into());
    app.kill();
    let error = lab.try_to_log_in("app", None).1.err().unwrap().to_string();
    assert!(error.contains("from the jump host `127.0.0.1`") && error.contains("connect failed"), "{error}");
}

#[test]
fn a_jump_host_that_dies_takes_its_servers_with_it() {
    let mut lab = Lab::new();
    let (mut outer, _, _app) = three_servers(&mut lab, "");
    lab.settings.proxy_jump = Some("outer".into());
    let connection = lab.try_to_log_in("app", None).1.unwrap();
    assert_eq!(run(&connection, "echo on").text(), "on\n");
    outer.kill();
    assert!(matches!(run(&connection, "sleep 610").end, Output::Lost(_)));
}

#[test]
fn jump_hosts_that_lead_in_a_circle_are_refused() {
    let mut lab = Lab::new();
    let config = "Host one\n  ProxyJump two\nHost two\n  ProxyJump one\n";
    lab.configure(config);
    let error = lab.try_to_log_in("one", None).1.err().unwrap().to_string();
    assert!(error.contains("lead in a circle"), "{error}");
}

#[test]
fn a_proxy_command_carries_the_connection_and_ends_with_it() {
    let mut lab = Lab::new();
    let (outer, _inner, _app) = three_servers(&mut lab, "");
    let config = lab.sandbox.join("ssh_config");
    let text = std::fs::read_to_string(&config).unwrap();
    let command = format!("ssh -F {} -W %h:%p outer", config.display());
    lab.configure(&format!("Match originalhost app\n  ProxyCommand {command}\n{text}"));
    // Its jump host has to allow a session for `ssh -W`.
    drop(outer);
    let error = lab.try_to_log_in("app", None).1.err().unwrap().to_string();
    assert!(error.contains("its ProxyCommand says") && error.contains("refused"), "{error}");

    let inner = format!("ssh -F {} -W %h:%p inner", config.display());
    lab.start_over();
    lab.configure(&format!("Match originalhost app\n  ProxyCommand {inner}\n{text}"));
    let connection = lab.try_to_log_in("app", None).1.unwrap();
    assert_eq!(run(&connection, "echo arrived").text(), "arrived\n");
    drop(connection);
    super::lab::wait_until("the command ended", || !lab.sandbox.processes().iter().any(|line| line.contains("-W")));
}

#[test]
fn a_server_that_does_not_answer_its_jump_host_holds_up_no_other() {
    let mut lab = Lab::new();
    let (_outer, _, _app) = three_servers(&mut lab, "");
    let deaf = DeafPort::new();
    lab.settings.proxy_jump = Some("outer".into());
    lab.settings.connect_timeout = Some(Duration::from_secs(12));
    std::thread::scope(|scope| {
        let held_up = scope.spawn(|| lab.try_to_log_in("127.0.0.1", Some(deaf.port())).1.err());
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..3 {
            let started = Instant::now();
            let connection = lab.try_to_log_in("app", None).1.unwrap();
            assert_eq!(run(&connection, "echo arrived").text(), "arrived\n");
            assert!(started.elapsed() < Duration::from_secs(10));
        }
        let error = held_up.join().unwrap().expect("nobody answers there").to_string();
        assert!(error.contains("no answer in time"), "{error}");
    });
}

/// A port that swallows connection attempts: its listener never accepts, and has no room for more.
struct DeafPort {
    port: u16,
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl DeafPort {
    fn new() -> DeafPort {
        let listener = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
        net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        net::listen(&listener, 0).unwrap();
        let address = SocketAddr::try_from(net::getsockname(&listener).unwrap()).unwrap();
        let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let waiting = std::iter::from_fn(knock).collect();
        DeafPort { port: address.port(), _listener: listener, _waiting: waiting }
    }

    fn port(&self) -> u16 {
        self.port
    }
}
