//! What the doctor looks at for a recipe.

use super::{Dir, Effect, ServerCx, Servers, Task, TaskId};
use crate::script::Script;

/// A question that the doctor asks of servers where a recipe is on. It changes nothing.
///
/// The script runs in the live release, or where there is none in the folder of the deployment, with the stage's
/// environment. It says what it found by one of `look_ok TEXT`, `look_warning TEXT` and `look_problem TEXT`; if it says
/// nothing, there is nothing to be told. A command of it that fails ends all questions to the server, so what may fail
/// stands in a condition.
///
/// ```
/// use deploy_core::prelude::*;
/// use deploy_core::task::Look;
///
/// let look = Look::new("node", Servers::role("app"), |_| {
///     sh!("if command -v node >/dev/null; then look_ok \"$(node --version)\"; else look_problem 'node is missing'; fi")
/// })
/// .mend("sudo apt-get install nodejs");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Look {
    pub(crate) what: &'static str,
    pub(crate) task: Task,
    pub(crate) mend: Vec<String>,
}

impl Look {
    /// Looks at `what`, one word or several joined by `_`, on the servers `on`.
    pub fn new(
        what: &'static str,
        on: Servers,
        body: impl Fn(&ServerCx<'_>) -> Script + Send + Sync + 'static,
    ) -> Look {
        let task = Task::script(TaskId::new("doctor:look"), what, on, body).dir(Dir::Release).effect(Effect::Looks);
        Look { what, task, mend: Vec::new() }
    }

    /// Sets variables for the script.
    pub fn envs<N: Into<String>, V: Into<String>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Look {
        Look { task: self.task.envs(variables), ..self }
    }

    /// Adds a command that mends it when it is typed on the server; `{current}` is the live release there. Nothing that a server said may stand in it.
    pub fn mend(mut self, command: impl Into<String>) -> Look {
        self.mend.push(command.into());
        self
    }
}
