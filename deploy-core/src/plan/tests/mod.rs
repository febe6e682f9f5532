//! What is planned, in which order, where, and with how many waits.

mod legs;
mod lock;
mod order;
mod places;
mod problems;
mod stock_flows;

use std::time::Duration;

use super::testing::{add_hooks, group, id, local, on_host, plan, registry, rolling, script, stage, stock};
use super::{Filter, Plan};
use crate::config::GitStrategy;
use crate::error::ErrorKind;
use crate::registry::Tasks;
use crate::task::{Phase, Servers, Task};

fn one() -> crate::config::Stage {
    stage(&["app1 app web db"])
}

fn three() -> crate::config::Stage {
    stage(&["app1 app", "app2 app", "db1 db no_release"])
}

fn refused(tasks: &Tasks, root: &str, stage: &crate::config::Stage) -> String {
    Plan::new(tasks, &id(root), stage, &Filter::default()).unwrap_err().to_string()
}

fn only(hosts: &[&str]) -> Filter {
    Filter { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), roles: Vec::new() }
}
