//! Restarts an application that [Passenger](https://www.phusionpassenger.com) runs, as the gem `capistrano-passenger`
//! does, and makes sure that it answers again.
//!
//! Register it in `xtask/src/main.rs` with `.recipe::<Passenger>()`, and turn it on in `deploy.toml`:
//!
//! ```toml
//! [recipes.passenger]
//! health_url = "/up"
//! ```
//!
//! | key | type | default | meaning |
//! | --- | --- | --- | --- |
//! | `roles` | list of roles | `["app"]` | Where the application is restarted |
//! | `method` | `"auto"`, `"touch"`, `"config"` | `"auto"` | How: `touch` touches `tmp/restart.txt`, `config` calls `passenger-config restart-app`, and `auto` asks the Passenger of each server for its version |
//! | `app_path` | path | `deploy_to` | The folder below which Passenger has the application; it holds `current` |
//! | `command` | path | `"passenger-config"` | The program, where it is not on the `PATH` |
//! | `flags` | list | `[]` | More flags for `passenger-config restart-app`, such as `--rolling-restart` of Passenger Enterprise |
//! | `sudo` | boolean | `false` | Whether root restarts the application, through sudo: needed where Passenger runs it as another user than the one that deploys |
//! | `instances` | list of names | every one that runs | The instances of Passenger that have the application, as `passenger-config list-instances` names them |
//! | `env` | table of strings | `{}` | Variables for Passenger's program, such as `PASSENGER_INSTANCE_REGISTRY_DIR` |
//! | `rolling` | boolean | `true` | Whether the servers restart one group after the other; the next one waits until all is well |
//! | `group` | integer | `1` | How many servers a group has |
//! | `wait` | time | `5` | How long to wait between two groups |
//! | `health_url` | path or URL | none | What each server asks of itself once it has restarted. A path is asked of `127.0.0.1`, in the name of the server's host; `{host}` stands for that host. Example: `"/up"`, `"https://{host}:8443/up"` |
//! | `health_status` | integer | `200` | The status that means that all is well |
//! | `health_revision` | a header's name, or `"body"` | none | Where the answer tells the commit that it is of, in full or by seven digits or more: the new release's is waited for. Example: `"X-Revision"` |
//! | `health_headers` | list | `[]` | Headers for the request. Example: `["Host: shop.example.com", "X-Forwarded-Proto: https"]` |
//! | `health_timeout` | time | `30` | How long an answer may take. The first one waits for the application to boot |
//! | `health_retries` | integer | `3` | How often to ask again |
//! | `health_wait` | time | `2` | How long to wait before asking again |
//!
//! What it adds: `passenger:restart`, as a part of `deploy:restart`, which every deploy and every rollback runs after
//! publishing.
//!
//! With `config`, what Passenger runs below `app_path` restarts, and nothing beside it: `/srv/shop` is not `/srv/shop2`.
//! Where nothing runs there, as on the first deploy, that is told and is no failure.
//!
//! **What answers after the restart is of the release that is live**, or the task fails: where a process that Passenger
//! runs below `app_path` still is in an earlier release, and the restart didn't reach it, no other server restarts. A
//! process of another user counts as the earlier one's if it was there before the restart. What finishes a request is
//! given `health_timeout`, and 5 seconds once a new process is there; then it is told. Processes are seen in `/proc`
//! by the title that Passenger gives to those of Ruby and Node.js. For what can't be seen so, a run says before it
//! begins that nothing will be proven; the sure way is `health_revision`, with an application that tells its commit:
//!
//! ```ruby
//! REVISION = File.read("REVISION").strip          # once, when the application starts
//! use(Class.new do
//!   def initialize(app) = @app = app
//!   def call(env) = @app.call(env).tap { |_, headers, _| headers["X-Revision"] = REVISION }
//! end)
//! ```
//!
//! Passenger lets a user restart what runs as that user. For `sudo = true`, allow it in `/etc/sudoers.d`:
//!
//! ```text
//! deploy ALL=(root) NOPASSWD:SETENV: /usr/bin/passenger-config restart-app *
//! ```
//!
//! A Passenger that is in the Gemfile is called with `bundle exec` where `[recipes.bundler]` has `passenger-config` among
//! its `bins`; sudo stands before that.

mod health;
mod proof;

use std::collections::BTreeMap;

use deploy_core::config::Time;
use deploy_core::prelude::*;
use deploy_core::task::ServerCx;
use health::{HealthUrl, Revision};
use serde::Deserialize;

/// Restarts the application.
pub const RESTART: TaskId = TaskId::new("passenger:restart");

/// Says where nobody will be able to tell which release answers after the restart.
pub const CHECK: TaskId = TaskId::new("passenger:check");

/// The shell that talks with Passenger.
const LIBRARY: &str = include_str!("passenger.sh");

/// `[recipes.passenger]`. The crate's page explains each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the table above is their documentation, and a test holds it complete")]
pub struct Passenger {
    pub roles: Vec<String>,
    pub method: Method,
    pub app_path: Option<String>,
    pub command: String,
    pub flags: Vec<String>,
    pub sudo: bool,
    pub instances: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub rolling: bool,
    #[serde(deserialize_with = "deploy_core::config::at_least_one")]
    pub group: usize,
    pub wait: Time,
    pub health_url: Option<HealthUrl>,
    pub health_status: u16,
    pub health_revision: Option<Revision>,
    pub health_headers: Vec<String>,
    pub health_timeout: Time,
    pub health_retries: usize,
    pub health_wait: Time,
}

/// How Passenger is told to restart the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// As its version wants it.
    #[default]
    Auto,
    /// By touching `tmp/restart.txt`.
    Touch,
    /// By `passenger-config restart-app`.
    Config,
}

impl Default for Passenger {
    fn default() -> Passenger {
        Passenger {
            roles: vec!["app".to_owned()],
            method: Method::Auto,
            app_path: None,
            command: "passenger-config".to_owned(),
            flags: Vec::new(),
            sudo: false,
            instances: Vec::new(),
            env: BTreeMap::new(),
            rolling: true,
            group: 1,
            wait: Time::seconds(5),
            health_url: None,
            health_status: 200,
            health_revision: None,
            health_headers: Vec::new(),
            health_timeout: Time::seconds(30),
            health_retries: 3,
            health_wait: Time::seconds(2),
        }
    }
}

impl Recipe for Passenger {
    const NAME: &'static str = "passenger";

    fn register(self, tasks: &mut Tasks) {
        if self.method == Method::Touch {
            tasks.made_path("tmp/restart.txt");
        }
        if self.health_revision.is_some() && self.health_url.is_none() {
            tasks
                .problem("[recipes.passenger] `health_revision` compares an answer: say what is asked by `health_url`");
        }
        tasks.task(self.task());
        tasks.step(&flow::RESTART, RESTART);
        tasks.task(self.check());
        tasks.hook(When::After(flow::CHECK), CHECK);
    }
}

impl Passenger {
    fn task(&self) -> Task {
        let own = self.clone();
        let on = Servers::roles(&self.roles).with_releases();
        let restart = move |cx: &ServerCx<'_>| {
            let app = own.app(cx);
            proof::begin(&app).then(own.restart(cx, &app)).then(own.health(cx)).then(own.prove(cx, &app))
        };
        let task = Task::script(RESTART, "Restart the application under Passenger", on, restart);
        let task = task.dir(Dir::Release).envs(&self.env);
        if self.rolling { task.rolling(self.group, self.wait.0) } else { task }
    }

    /// The folder below which Passenger has the application.
    fn app(&self, cx: &ServerCx<'_>) -> String {
        let app = self.app_path.as_deref().unwrap_or(&cx.server.deploy_to);
        app.trim_end_matches('/').to_owned()
    }

    fn restart(&self, cx: &ServerCx<'_>, app: &str) -> Script {
        let prefixes = cx.stage.settings.command_prefix.get(&self.command).map_or(&[][..], Vec::as_slice);
        self.script(app, prefixes)
    }

    /// Restarts what is in the folder `app`; `prefixes` stand before Passenger's program, and sudo before them.
    fn script(&self, app: &str, prefixes: &[String]) -> Script {
        let method = match self.method {
            Method::Touch => return sh!("passenger_touch {}", app).uses(LIBRARY).uses(flow::INSIDE),
            Method::Auto => "auto",
            Method::Config => "config",
        };
        let restart = Cmd::new("passenger_restart").unprefixed().args([method, app]).args(&self.instances);
        self.programs(prefixes).run(restart)
    }

    /// The functions by which the library asks Passenger's program something, and has it do something.
    fn programs(&self, prefixes: &[String]) -> Script {
        let prefix = prefixes.iter().flat_map(|prefix| prefix.split_whitespace());
        let program: Vec<&str> = prefix.chain([self.command.as_str()]).collect();
        let sudo = if self.sudo { vec!["sudo", "-n"] } else { Vec::new() };
        // sudo begins with an environment of its own.
        let env = self.env.keys().filter(|_| self.sudo).map(|name| format!("{name}=\"${name}\""));
        let ask = vec!["{}"; program.len()];
        let plain = vec!["{}"; sudo.len()];
        let call = [plain.join(" "), env.collect::<Vec<_>>().join(" "), ask.join(" ")].join(" ");
        let text = format!(
            "passenger_ask() {{ {} \"$@\"; }}\npassenger_config() {{ {} \"$@\"{}; }}",
            ask.join(" "),
            call.trim_start(),
            " {}".repeat(self.flags.len())
        );
        let args = program.iter().chain(&sudo).chain(&program).map(|word| Arg::from(*word));
        let args: Vec<Arg> = args.chain(self.flags.iter().map(Arg::from)).collect();
        Script::shell(&text, &args).uses(LIBRARY).uses(flow::INSIDE)
    }
}

#[cfg(test)]
mod tests;
