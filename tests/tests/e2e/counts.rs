//! What a run costs each server, in counts that neither the machine nor its load changes: they can't creep up.

use e2e::{Census, Project, Server};

/// The most that a server may be charged by one run. Whoever makes it cheaper lowers the figures.
struct Bound {
    servers: usize,
    step: &'static str,
    commands: usize,
    sessions: usize,
    /// Bytes, everything included: the first program, which stands in the command, the commit of a few lines that the run
    /// may have to send, and paths whose length differs a bit from run to run.
    sent: u64,
    forks: usize,
    programs: usize,
    git: usize,
}

/// Servers, step; then commands, sessions, bytes sent, forks, programs started, and those of git. What a run measures is
/// printed as such a row: `cargo test -p e2e --test e2e -- counts:: --nocapture`.
#[rustfmt::skip]
const BOUNDS: &[Bound] = &[
    bound(1, "first",    1, 1, 24_000,  76,  53, 10),
    bound(1, "next",     1, 1, 13_900,  70,  47,  8),
    bound(1, "rollback", 1, 1, 12_000,  38,  23,  0),
    bound(2, "first",    1, 1, 27_600,  82,  56, 10),
    bound(2, "next",     1, 1, 17_400,  76,  50,  8),
    bound(2, "rollback", 1, 1, 12_400,  44,  26,  0),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table")]
const fn bound(
    servers: usize,
    step: &'static str,
    commands: usize,
    sessions: usize,
    sent: u64,
    forks: usize,
    programs: usize,
    git: usize,
) -> Bound {
    Bound { servers, step, commands, sessions, sent, forks, programs, git }
}

#[test]
fn one_server_is_charged_no_more_than_the_table_says() {
    stay_within(1);
}

#[test]
fn several_servers_are_charged_no_more_than_the_table_says() {
    stay_within(2);
}

fn stay_within(servers: usize) {
    let project = project_with(servers);
    let mut excess = Vec::new();
    for bound in BOUNDS.iter().filter(|bound| bound.servers == servers) {
        let line = prepare(&project, bound.step);
        excess.extend(charge(&project, line).over(bound));
    }
    assert!(excess.is_empty(), "a run costs more than it did:\n{}", excess.join("\n"));
}

/// The settings of an ordinary application: four linked folders, two linked files.
fn project_with(servers: usize) -> Project {
    let mut project = Project::over_ssh(&[]);
    for number in 1..=servers {
        project.add_server(&format!("app{number}"), "app web db", &["LogLevel DEBUG1"]);
    }
    project.top("linked_dirs = [\"log\", \"tmp/pids\", \"tmp/cache\", \"public/system\"]");
    project.top("linked_files = [\"config/database.yml\", \"config/master.key\"]\nkeep_releases = 2");
    for site in project.sites() {
        site.write("shared/config/database.yml", "");
        site.write("shared/config/master.key", "");
    }
    project
}

/// Brings about what the step needs, and says what it is called on the command line.
fn prepare(project: &Project, step: &str) -> &'static str {
    if step == "next" {
        // So that this one has a release to remove.
        project.xtask("deploy staging").success();
        project.repo.write("index.html", "two\n").commit("Say two");
    }
    if step == "rollback" { "deploy rollback staging" } else { "deploy staging" }
}

/// What one run cost the server that paid most.
struct Charge {
    commands: usize,
    sessions: usize,
    sent: u64,
    forks: usize,
    programs: usize,
    git: usize,
}

fn charge(project: &Project, line: &str) -> Charge {
    let logged = |server: &Server| (server.sshd.execs(), sessions(server));
    let before: Vec<_> = project.servers.iter().map(logged).collect();
    let censuses: Vec<_> = project.servers.iter().map(|server| Census::of(&project.sandbox, &server.sshd)).collect();
    let events = project.xtask(&format!("{line} --format json")).success().json();
    let started: Vec<_> = censuses.into_iter().map(Census::finish).collect();
    let after: Vec<_> = project.servers.iter().map(logged).collect();
    let traffic = events.last().expect("there are events")["traffic"].as_array().expect("a list").clone();
    let largest = |counts: &mut dyn Iterator<Item = usize>| counts.max().expect("there are servers");
    Charge {
        commands: largest(&mut after.iter().zip(&before).map(|(after, before)| after.0 - before.0)),
        sessions: largest(&mut after.iter().zip(&before).map(|(after, before)| after.1 - before.1)),
        sent: traffic.iter().map(|server| server["sent"].as_u64().expect("a number")).max().expect("there are servers"),
        forks: largest(&mut started.iter().map(|started| started.forks)),
        programs: largest(&mut started.iter().map(e2e::Started::programs)),
        git: largest(&mut started.iter().map(e2e::Started::git)),
    }
}

/// How many channels for commands were opened, used or not.
fn sessions(server: &Server) -> usize {
    server.sshd.log().matches("server_input_channel_open: ctype session").count()
}

impl Charge {
    /// Where this is more than the bound; and what was measured, for whoever lowers it.
    #[expect(clippy::print_stdout, reason = "a row for the table, shown on request")]
    fn over(&self, bound: &Bound) -> Vec<String> {
        let Bound { servers, step, .. } = bound;
        let Charge { commands, sessions, sent, forks, programs, git } = self;
        println!("bound({servers}, {step:?}, {commands}, {sessions}, {sent}, {forks}, {programs}, {git}),");
        let small = |count: usize| u64::try_from(count).expect("a small number");
        let pairs = [
            ("commands", small(*commands), small(bound.commands)),
            ("sessions", small(*sessions), small(bound.sessions)),
            ("bytes sent", *sent, bound.sent),
            ("forks", small(*forks), small(bound.forks)),
            ("programs started", small(*programs), small(bound.programs)),
            ("programs of git started", small(*git), small(bound.git)),
        ];
        let over = pairs.into_iter().filter(|(_, is, most)| is > most);
        over.map(|(what, is, most)| format!("{step} deploy, {servers} servers: {is} {what}, at most {most}")).collect()
    }
}
