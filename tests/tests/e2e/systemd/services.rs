//! Services: the recipe writes their units.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use e2e::{Account, Linger, Machine, Project, http_get};

const SERVER: &str = include_str!("../../../fixtures/systemd/server.rb");

/// A project whose service `web` listens on the port, with more lines of its table.
fn web(more: &str) -> (Project, Account, u16) {
    let (mut project, account) = Project::on_machine(Linger::Yes);
    project.repo.write("server.rb", SERVER).commit("Serve");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    configure(&mut project, port, more);
    (project, account, port)
}

fn configure(project: &mut Project, port: u16, more: &str) {
    project.no_tables().tables(&format!(
        "[recipes.systemd]\nuser = true\nsettle = \"300ms\"\n\
         [recipes.systemd.services.web]\ncommand = \"ruby server.rb\"\nport = {port}\n{more}"
    ));
}

/// What systemd tells of a unit, or of itself.
fn property(account: &Account, name: &str, unit: &str) -> String {
    Machine::shared().run_as(account, &format!("systemctl --user show --property {name} --value {unit}"))
}

/// Asks as often as it can, and remembers what was no answer.
struct Visitor {
    leaves: Arc<AtomicBool>,
    visits: JoinHandle<(usize, Vec<String>)>,
}

impl Visitor {
    fn of(port: u16) -> Visitor {
        let leaves = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&leaves);
        let visits = thread::spawn(move || {
            let (mut count, mut failures) = (0, Vec::new());
            while !stops.load(Ordering::Relaxed) {
                count += 1;
                match http_get(port, "/") {
                    Ok(response) if response.status == 200 => {}
                    Ok(response) => failures.push(response.body),
                    Err(error) => failures.push(error.to_string()),
                }
            }
            (count, failures)
        });
        Visitor { leaves, visits }
    }

    /// How often it asked; all of it must have been answered.
    fn leave(self) -> usize {
        self.leaves.store(true, Ordering::Relaxed);
        let (count, failures) = self.visits.join().unwrap();
        assert!(failures.is_empty(), "{} of {count} visits failed: {failures:?}", failures.len());
        count
    }
}

#[test]
fn a_service_starts_with_what_it_was_given_and_its_unit_is_written_once() {
    let (mut project, account, port) = web(
        "environment = { GREETING = \"50% of \\\"$x\\\"\" }\nenvironment_file = \"web.env\"\nstop_timeout = \"7s\"",
    );
    let output = project.xtask("deploy staging").fails_with(1);
    let _ = output.says("the environment_file of web isn't there").says("shared/web.env");
    assert_eq!(project.site.releases(), [""; 0]);

    account.write("www/shared/web.env", "SECRET=swordfish\n");
    let output = project.xtask("deploy staging").success();
    let _ = output.says("the unit shop-web.service has changed").says("+ListenStream=127.0.0.1:");
    let expected = format!("{} 50% of \"$x\" swordfish", project.repo.head());
    assert_eq!(http_get(port, "/").unwrap().body, expected);
    assert_eq!(property(&account, "UnitFileState", "shop-web.service"), "enabled");
    assert_eq!(property(&account, "TimeoutStopUSec", "shop-web.service"), "7s");

    let loaded = property(&account, "UnitsLoadTimestampMonotonic", "");
    project.repo.write("index.html", "two\n").commit("Change something");
    let visitor = Visitor::of(port);
    let output = project.xtask("deploy staging").success();
    let visits = visitor.leave();
    println!("trial: visits during a deploy of a service with a socket that were answered: {visits} of {visits}");
    assert!(!output.to_string().contains("has changed"), "{output}");
    assert!(http_get(port, "/").unwrap().body.starts_with(&project.repo.head()));
    assert_eq!(property(&account, "UnitsLoadTimestampMonotonic", ""), loaded, "systemd loaded what hadn't changed");

    // What changes is shown before, and is all that is done.
    configure(&mut project, port, "environment = { GREETING = \"hello\" }");
    let output = project.xtask("systemd diff staging").success();
    let _ = output.says("the unit shop-web.service would change").says("+Environment=\"GREETING=hello\"");
    let _ = project.xtask("systemd setup staging").success().says("-TimeoutStopSec=");
    project.xtask("systemd restart staging").success();
    assert_eq!(http_get(port, "/").unwrap().body, format!("{} hello ", project.repo.head()));
}

#[test]
fn a_socket_moves_with_its_service_and_a_place_that_is_taken_is_told() {
    let (mut project, _account, port) = web("");
    project.xtask("deploy staging").success();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&mut project, other.local_addr().unwrap().port(), "");
    let live = project.site.current();
    let _ = project.xtask("deploy staging").fails_with(1).says("something else listens on 127.0.0.1:");
    assert_eq!(project.site.current(), live);
    drop(other);
    project.no_tables().tables(
        "[recipes.systemd]\nuser = true\n\
         [recipes.systemd.services.web]\ncommand = \"ruby server.rb\"\nsocket = \"/proc/web.sock\"",
    );
    let output = project.xtask("systemd setup staging").fails_with(1);
    let _ = output.says("the socket shop-web.socket can't be opened");
    project.no_tables().tables(
        "[recipes.systemd]\nuser = true\nsettle = 0\n\
         [recipes.systemd.services.web]\ncommand = \"ruby server.rb\"\nsocket = \"web.sock\"",
    );
    project.xtask("deploy restart staging").success();
    assert!(http_get(port, "/").is_err());
    let mut stream = std::os::unix::net::UnixStream::connect(project.site.join("shared/web.sock")).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    assert!(answer.contains(&project.repo.head()), "{answer}");
}

#[test]
fn a_unit_of_somebody_elses_is_left_alone_and_an_edited_one_is_put_right() {
    let (project, account, _port) = web("");
    let file = ".config/systemd/user/shop-web.service";
    account.write(file, "[Service]\nExecStart=/bin/sleep 600\n");
    let output = project.xtask("deploy staging").fails_with(1);
    let _ = output.says("shop-web.service is there, and wasn't written for this deployment");
    assert_eq!(std::fs::read_to_string(account.home.join(file)).unwrap(), "[Service]\nExecStart=/bin/sleep 600\n");

    std::fs::remove_file(account.home.join(file)).unwrap();
    project.xtask("deploy restart staging").success();
    let good = std::fs::read_to_string(account.home.join(file)).unwrap();
    account.write(file, &good.replace("RestartSec=1", "RestartSec=99"));
    let _ = project.xtask("deploy restart staging").success().says("-RestartSec=99").says("+RestartSec=1");
    assert_eq!(std::fs::read_to_string(account.home.join(file)).unwrap(), good);
}

#[test]
fn a_reload_takes_up_the_new_release_or_is_found_out() {
    let (mut project, account, port) = web("");
    let current = format!("environment = {{ CURRENT = \"{}\" }}\n", project.site.join("current").display());
    configure(&mut project, port, &format!("{current}reload = \"kill -HUP $MAINPID\""));
    project.xtask("deploy staging").success();
    let process = property(&account, "MainPID", "shop-web.service");
    project.repo.write("index.html", "two\n").commit("Change something");
    let visitor = Visitor::of(port);
    project.xtask("deploy staging").success();
    visitor.leave();
    assert!(http_get(port, "/").unwrap().body.starts_with(&project.repo.head()));
    assert_eq!(property(&account, "MainPID", "shop-web.service"), process);

    configure(&mut project, port, &format!("{current}reload = \"true\""));
    let output = project.xtask("deploy staging").fails_with(1);
    let _ = output.says("the unit shop-web.service still runs from an earlier release");
}

#[test]
fn a_service_that_says_when_it_is_ready_is_waited_for() {
    let (project, account, _port) = web("type = \"notify\"");
    project.xtask("deploy staging").success();
    assert_eq!(property(&account, "StatusText", "shop-web.service"), "open for business");
}

#[test]
fn services_are_looked_at_stopped_and_started_by_hand() {
    let (mut project, account) = Project::on_machine(Linger::Yes);
    project.tables(
        "[recipes.systemd]\nuser = true\nsettle = 0\n\
         [recipes.systemd.services.mild]\ncommand = \"sleep 600\"\n\
         [recipes.systemd.services.stubborn]\nstop_timeout = \"300ms\"\n\
         command = \"sh -c 'trap \\\"\\\" TERM; echo at work; while :; do sleep 0.1; done'\"\n\
         [recipes.systemd.services.elsewhere]\nroles = [\"job\"]\ncommand = \"sleep 600\"",
    );
    project.xtask("deploy staging").success();
    let _ = project.xtask("systemd status staging").success().says("shop-mild.service").says("active (running)");
    let _ = project.xtask("systemd logs staging --unit stubborn --lines 5").success().says("at work");
    let doctor = project.xtask("doctor staging --verbose");
    let _ = doctor.says("shop-mild.service shop-stubborn.service").says("live on without a login");
    let output = project.xtask("systemd stop staging").success();
    let _ = output.says("the unit shop-stubborn.service didn't stop in time and was killed");
    assert_eq!(property(&account, "ActiveState", "shop-mild.service"), "inactive");
    let _ = project.xtask("systemd status staging --unit mild").success().says("inactive (dead)");
    project.xtask("systemd start staging --unit mild").success();
    assert_eq!(property(&account, "ActiveState", "shop-mild.service"), "active");
    assert_eq!(property(&account, "ActiveState", "shop-stubborn.service"), "failed");
    let _ = project.xtask("systemd start staging --unit elsewhere").fails_with(1).says("there is no unit `elsewhere`");
}
