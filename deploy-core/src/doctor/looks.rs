//! What recipes have the doctor look at.

use std::cell::RefCell;

use super::by_hand::{ByHand, word};
use super::facts::Facts;
use super::finding::{Finding, Severity};
use crate::config::{Config, Server, Stage};
use crate::event::ServerNo;
use crate::layout::Layout;
use crate::run::task_script;
use crate::script::{Script, TaskScript};
use crate::sh;
use crate::task::{Facts as Known, Look, Options, ServerCx};

/// The scripts of the looks that are taken on `server`, each with its number.
pub(super) fn scripts(looks: &[Look], config: &Config, stage: &Stage, server: &Server) -> Vec<TaskScript> {
    let Some(number) = stage.servers.iter().position(|own| std::ptr::eq(own, server)) else { return Vec::new() };
    let own = looks.iter().enumerate().filter(|(_, look)| look.task.on.of(stage, |_| true).contains(&number));
    own.filter_map(|(look_number, look)| script(look, look_number, config, stage, number)).collect()
}

fn script(look: &Look, look_number: usize, config: &Config, stage: &Stage, number: ServerNo) -> Option<TaskScript> {
    let cx = ServerCx {
        stage,
        server: &stage.servers[number],
        number,
        facts: &Known::default(),
        options: &Options::new(),
        root: &config.root,
        work_dir: &config.work_dir,
        preview: false,
        missing: RefCell::default(),
        payload: None,
        servers: stage.servers.len(),
    };
    let body = (look.task.script_work()?.run)(&cx);
    let start = Script::new().uses(include_str!("look.sh")).then(sh!("look={}", look_number));
    Some(task_script(&look.task, start.then(body), &cx))
}

/// What came of them.
pub(super) fn findings(looks: &[Look], facts: &Facts, by_hand: ByHand<'_>) -> Vec<Finding> {
    let told = looks.iter().enumerate().map(|(number, look)| (look, facts.get(&format!("look_{number}"))));
    told.filter_map(|(look, told)| finding(look, told?, by_hand)).collect()
}

fn finding(look: &Look, told: &str, by_hand: ByHand<'_>) -> Option<Finding> {
    let (name, value) = told.split_once(' ').unwrap_or((told, ""));
    let all = [Severity::Ok, Severity::Warning, Severity::Problem];
    let severity = all.into_iter().find(|severity| severity.name() == name)?;
    let finding = Finding { severity, ..Finding::ok(look.what, value) };
    let current = word(&Layout::new(&by_hand.server.deploy_to).current());
    let mend = look.mend.iter().filter(|_| severity != Severity::Ok);
    let mend = mend.map(|command| by_hand.on_server(&command.replace("{current}", &current)));
    Some(mend.fold(finding, Finding::or))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::{by_hand, stage};
    use crate::task::Servers;

    #[test]
    fn a_look_is_told_with_what_mends_it() {
        let looks = [Look::new("node", Servers::all(), |_| Script::new()).mend("sudo apt-get install nodejs")];
        let stage = stage(&[]);
        let told = |text: &str| findings(&looks, &Facts::of(&[("look_0", text)]), by_hand(&stage));
        assert_eq!(told("ok v22"), [Finding::ok("node", "v22")]);
        let [bad] = &*told("problem node is missing") else { panic!("one finding") };
        assert_eq!((bad.severity, bad.value.as_str()), (Severity::Problem, "node is missing"));
        assert!(bad.mend[0].contains("sudo apt-get install nodejs"), "{:?}", bad.mend);
        assert_eq!(told("nonsense"), []);
    }
}
