//! `deploy:status`: what is live, since when and by whom, what else there is, and who holds the lock.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::ServerNo;
use crate::registry::Tasks;
use crate::script::Script;
use crate::sh;
use crate::task::names::beginning;
use crate::task::{Effect, Kind, Opt, Output, Servers, Task, TaskId};
use crate::task::{Local, ServerCx};

const STATUS: TaskId = TaskId::new("deploy:status");
const READ: TaskId = TaskId::new("deploy:status:read");

/// What a line of the server's records may be.
const LINE: Kind = Kind::Line(4096);

/// How many releases of a server are shown to people.
const SHOWN: usize = 10;

pub(super) fn register(tasks: &mut Tasks) {
    let json = Opt { name: "json", value: None, about: "As JSON" };
    tasks.task(
        Task::script(READ, "Read what is live, and what else there is", Servers::releases(), read)
            .hidden()
            .reports("live", Kind::Maybe(&Kind::Release))
            .reports("live_revision", LINE)
            .reports("releases", Kind::List(&LINE))
            .reports("lock", LINE)
            .effect(Effect::Looks),
    );
    let about = "Show what is live, which releases there are, and who holds the lock";
    tasks.task(
        Task::local(STATUS, about, status)
            .needs([READ])
            .option(json)
            .output(Output::Answer)
            .effect(Effect::Looks)
            .partial(),
    );
}

fn read(cx: &ServerCx<'_>) -> Script {
    Script::new().uses(super::RELEASES).then(sh!(
        r#"root={}
if [ ! -d "$root" ]; then deploy_skip 'nothing was ever deployed here'; fi
live_release
revision=''
if [ -r "$root/current/REVISION" ]; then read -r revision <"$root/current/REVISION" || :; fi
deploy_fact live "$live"
deploy_fact live_revision "$revision"
table=yes
deploy_fact releases "$(release_classes)"
lock=''
if [ -r "$root/.deploy/lock" ]; then { read -r _ && read -r lock; } <"$root/.deploy/lock" || :; fi
deploy_fact lock "$lock""#,
        cx.layout().root()
    ))
}

/// What is known of one server.
struct Server {
    label: String,
    live: String,
    revision: String,
    lock: String,
    releases: Vec<Release>,
    /// Why nothing is known of it.
    lost: Option<String>,
}

/// A line of `release_classes` with `table`.
struct Release {
    stamp: String,
    state: String,
    revision: String,
    branch: String,
    published: Option<i64>,
    by: String,
}

impl Release {
    fn parse(line: &str) -> Option<Release> {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        let name = next();
        let (stamp, state) = name.split_once('/')?;
        let (stamp, state) = (stamp.to_owned(), state.to_owned());
        let (revision, branch) = (next(), next());
        let (_, published, by) = (next(), next().parse().ok(), next());
        (!stamp.is_empty()).then_some(Release { stamp, state, revision, branch, published, by })
    }

    fn json(&self) -> Value {
        json!({
            "release": self.stamp, "state": self.state, "revision": self.revision, "branch": self.branch,
            "published": self.published.and_then(time), "by": self.by,
        })
    }
}

impl Server {
    fn of(local: &Local<'_>, number: ServerNo) -> Server {
        let fact = |name: &str| local.fact(number, name).unwrap_or_default();
        let lock = fact("lock");
        let mut releases: Vec<_> = fact("releases").lines().filter_map(Release::parse).collect();
        // Where nobody holds the lock nobody builds: what was begun was left behind.
        for release in releases.iter_mut().filter(|release| release.state == "building" && lock.is_empty()) {
            release.state = "unfinished".to_owned();
        }
        let label = local.server(number).label();
        let lost = local.lost.get(&number).cloned();
        Server { label, live: fact("live"), revision: fact("live_revision"), lock, releases, lost }
    }

    fn live_release(&self) -> Option<&Release> {
        self.releases.iter().find(|release| release.state == "live")
    }

    fn json(&self) -> Value {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let releases: Vec<_> = self.releases.iter().map(Release::json).collect();
        json!({
            "server": self.label, "live": some(&self.live), "revision": some(&self.revision), "lock": some(&self.lock),
            "releases": releases, "error": self.lost,
        })
    }
}

fn status(local: &mut Local<'_>) -> anyhow::Result<()> {
    let numbers = local.servers.iter().copied().filter(|number| !local.server(*number).no_release);
    let servers: Vec<_> = numbers.map(|number| Server::of(local, number)).collect();
    let text = match local.option("json") {
        Some(_) => format!("{:#}\n", Value::from(servers.iter().map(Server::json).collect::<Vec<_>>())),
        None => servers.iter().map(describe).collect::<String>() + &differences(&servers),
    };
    local.print(&text);
    Ok(())
}

fn time(seconds: i64) -> Option<String> {
    Some(Timestamp::from_second(seconds).ok()?.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn describe(server: &Server) -> String {
    let mut text = format!("{}\n", server.label);
    if let Some(why) = &server.lost {
        return format!("{text}  not known   {}\n", why.replace('\n', " "));
    }
    let revision = beginning(&server.revision, 10);
    let _ = match server.live_release() {
        None => writeln!(text, "  live        nothing"),
        Some(release) => {
            let since = release.published.and_then(time).map(|time| format!(", since {time}")).unwrap_or_default();
            let by = if release.by.is_empty() { String::new() } else { format!(", by {}", release.by) };
            let branch = if release.branch.is_empty() { String::new() } else { format!("{} at ", release.branch) };
            writeln!(text, "  live        {} ({branch}{revision}){since}{by}", release.stamp)
        }
    };
    if !server.lock.is_empty() {
        let _ = writeln!(text, "  locked      by {}", server.lock);
    }
    let others: Vec<_> = server.releases.iter().filter(|release| release.state != "live").collect();
    for release in others.iter().take(SHOWN) {
        let revision = beginning(&release.revision, 10);
        let _ = writeln!(text, "  {:11} {} {revision}", release.state.replace('_', " "), release.stamp);
    }
    if others.len() > SHOWN {
        let _ = writeln!(text, "  and {} more", others.len() - SHOWN);
    }
    text
}

/// What isn't the same on all servers.
fn differences(servers: &[Server]) -> String {
    let mut live: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for server in servers.iter().filter(|server| server.lost.is_none()) {
        live.entry(if server.live.is_empty() { "nothing" } else { &server.live }).or_default().push(&server.label);
    }
    if live.len() < 2 {
        return String::new();
    }
    let each: Vec<_> = live.iter().map(|(release, servers)| format!("  {release}: {}\n", servers.join(", "))).collect();
    format!("\nthe servers don't have the same release live:\n{}", each.concat())
}
