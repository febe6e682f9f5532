//! Stages and registries for tests, in few words.

use std::sync::OnceLock;
use std::time::Duration;

use crate::config::{Config, GitStrategy, LoadRequest, Server, Stage};
use crate::flow;
use crate::registry::Tasks;
use crate::script::Script;
use crate::task::{Servers, Task, TaskId, When};

use super::{Barrier, Filter, Leg, Plan};

/// A configuration whose only stage is `production`.
pub(crate) fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deploy.toml");
        let text = "application = \"shop\"\nrepo_url = \"git@example.com:shop.git\"\ndeploy_to = \"/var/www/shop\"\n\
                    [[stages.production.servers]]\nhost = \"app1\"\nroles = [\"app\"]\n";
        std::fs::write(&file, text).unwrap();
        Config::load(&LoadRequest { file: Some(file), ..LoadRequest::default() }).unwrap()
    })
}

/// The stage `production` with `servers`, each as its host, its roles, and maybe `primary` and `no_release`.
pub(crate) fn stage(servers: &[&str]) -> Stage {
    let stage = &config().stages[0];
    Stage { servers: servers.iter().map(|text| server(text, &stage.servers[0])).collect(), ..stage.clone() }
}

fn server(text: &str, pattern: &Server) -> Server {
    let mut words = text.split(' ').map(str::to_owned);
    let mut server = Server { host: words.next().unwrap_or_default(), roles: Vec::new(), ..pattern.clone() };
    for word in words {
        match word.as_str() {
            "primary" => server.primary = true,
            "no_release" => server.no_release = true,
            _ => server.roles.push(word),
        }
    }
    server
}

pub(crate) fn id(text: &str) -> TaskId {
    TaskId::parse(text).unwrap()
}

fn ids(text: &str) -> Vec<TaskId> {
    text.split_whitespace().map(id).collect()
}

/// A script that does nothing, on the servers that `on` names: a role, `primary ROLE`, or `all`.
pub(crate) fn script(name: &str, on: &str) -> Task {
    Task::script(id(name), name.to_owned(), servers(on), |_| Script::new())
}

pub(crate) fn servers(on: &str) -> Servers {
    match on.split_once(' ') {
        Some((_, role)) => Servers::primary(role),
        None if on == "all" => Servers::all(),
        None if on == "releases" => Servers::releases(),
        None => Servers::role(on),
    }
}

pub(crate) fn local(name: &str) -> Task {
    Task::local(id(name), name.to_owned(), |_| Ok(()))
}

pub(crate) fn on_host(name: &str, on: &str) -> Task {
    Task::on_host(id(name), name.to_owned(), servers(on), |_| Ok(()))
}

pub(crate) fn group(name: &str, steps: &str) -> Task {
    Task::group(id(name), name.to_owned(), ids(steps))
}

pub(crate) fn rolling(name: &str, on: &str, group: usize) -> Task {
    script(name, on).rolling(group, Duration::from_secs(2))
}

/// Tasks, hooked as `hooks` says, a line each: `task before point`, `task after point`.
pub(crate) fn registry(tasks: impl IntoIterator<Item = Task>, hooks: &str) -> Tasks {
    let mut registry = Tasks::default();
    tasks.into_iter().for_each(|task| registry.task(task));
    add_hooks(&mut registry, hooks);
    registry
}

pub(crate) fn add_hooks(tasks: &mut Tasks, hooks: &str) {
    for line in hooks.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<_> = line.split_whitespace().collect();
        let when = if words[1] == "before" { When::Before } else { When::After };
        tasks.hook(when(id(words[2])), id(words[0]));
    }
}

/// The stock flows, for `strategy`.
pub(crate) fn stock(strategy: GitStrategy) -> Tasks {
    let mut settings = stage(&["app1 app"]).settings;
    settings.git.strategy = strategy;
    let mut tasks = Tasks::default();
    flow::register(&mut tasks);
    flow::git::tune(&mut tasks, &settings);
    tasks
}

pub(crate) fn plan(tasks: &Tasks, root: &str, stage: &Stage) -> Plan {
    Plan::new(tasks, &id(root), stage, &Filter::default()).unwrap()
}

impl Plan {
    /// The steps before the failure path, in order.
    pub(crate) fn order(&self) -> Vec<&str> {
        let count = self.legs.iter().map(|leg| leg.steps().len()).sum();
        self.steps[..count].iter().map(|step| step.task.id.as_str()).collect()
    }

    /// The legs in few words: steps of one program with spaces, barriers as ` | `.
    pub(crate) fn shape(&self) -> String {
        let name = |step: &usize| self.steps[*step].task.id.to_string();
        let leg = |leg: &Leg| {
            let names = leg.steps().iter().map(name).collect::<Vec<_>>().join(" ");
            match leg {
                Leg::Scripts { why: Barrier::Edge(..), .. } => format!("{names} (edge)"),
                Leg::Scripts { .. } => names,
                Leg::OnHost(_) => format!("host:{names}"),
                Leg::Local(_) => format!("local:{names}"),
                Leg::Rolling(_, rolling) => format!("rolling{}:{names}", rolling.group),
            }
        };
        self.legs.iter().map(leg).collect::<Vec<_>>().join(" | ")
    }
}
