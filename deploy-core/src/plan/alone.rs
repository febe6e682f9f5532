//! Tasks that do nothing alone.

use crate::error::{Error, Result};
use crate::registry::Tasks;
use crate::task::{Task, TaskId};

/// Fails where `id` does something only in a run of a flow, which is named with `stage`.
pub(crate) fn must_stand_alone(tasks: &Tasks, id: &TaskId, stage: &str) -> Result<()> {
    let Some(flow) = tasks.get(id).and_then(|task| flow_of(tasks, task)) else { return Ok(()) };
    let call = flow.words().collect::<Vec<_>>().join(" ");
    Err(Error::usage(format!("`{id}` does nothing alone: it is a part of `{flow}`"))
        .hint(format!("did you mean `cargo xtask {call} {stage}`?"))
        .hint(format!("`cargo xtask tasks --flow {flow}` shows what that consists of")))
}

/// The flow that `task`, or a step of it, is a part of. What is hooked on it counts no less alone.
fn flow_of<'t>(tasks: &'t Tasks, task: &'t Task) -> Option<&'t TaskId> {
    let own = task.command.part_of.as_ref();
    own.or_else(|| {
        let steps = task.steps.iter().filter(|_| !task.is_flow()).filter_map(|step| tasks.get(step));
        steps.filter(|step| !step.is_flow()).find_map(|step| flow_of(tasks, step))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GitStrategy;
    use crate::plan::testing::{id, stock};

    fn refusal(task: &str) -> Option<String> {
        must_stand_alone(&stock(GitStrategy::Push), &id(task), "staging").err().map(|error| error.to_string())
    }

    #[test]
    fn parts_of_a_flow_and_phases_with_one_name_the_flow() {
        insta::assert_snapshot!(refusal("deploy:new_release").unwrap(), @r"
        `deploy:new_release` does nothing alone: it is a part of `deploy`
          hint: did you mean `cargo xtask deploy staging`?
          hint: `cargo xtask tasks --flow deploy` shows what that consists of
        ");
        for (task, flow) in [
            ("deploy:lock", "`deploy`"),
            ("deploy:ensure_stage", "`deploy`"),
            ("deploy:symlink:release", "`deploy`"),
            ("deploy:publishing", "`deploy`"),
            ("deploy:updating", "`deploy`"),
            ("deploy:reverting", "`deploy:rollback`"),
        ] {
            let refusal = refusal(task).unwrap_or_else(|| panic!("{task}"));
            assert!(refusal.contains(&format!("it is a part of {flow}")), "{refusal}");
        }
    }

    #[test]
    fn flows_and_what_works_alone_may_run() {
        for task in ["deploy", "deploy:rollback", "deploy:check", "deploy:starting", "deploy:cleanup", "git:check"] {
            assert_eq!(refusal(task), None, "{task}");
        }
    }
}
