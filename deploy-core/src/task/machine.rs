//! Servers as a task on the controller sees them.

use std::collections::BTreeMap;
use std::io::Read;

use crate::config::{Server, Stage};
use crate::error::Result;
use crate::script::{Hold, Script, WorkDir};

/// What a program found out: facts, by their names.
pub(crate) type Found = BTreeMap<String, String>;

/// Leads to servers of any stage.
pub(crate) trait Reach: Sync {
    /// The server `server` of `stage`, logged in to. One that the run works with already needs no other connection.
    ///
    /// # Errors
    ///
    /// When it can't be logged in to.
    fn reach(&self, stage: &Stage, server: &Server) -> Result<Box<dyn Machine + '_>>;
}

/// A server, logged in to. What it runs ends when the controller is gone.
pub(crate) trait Machine: Sync {
    /// How it is called in output.
    fn label(&self) -> &str;

    /// Runs `jobs` one after the other, as one program, until one fails. `on_fact` is told each fact as it comes.
    ///
    /// # Errors
    ///
    /// Says why a job failed; the detail has its last lines.
    fn run(&self, jobs: Vec<Job>, on_fact: &mut dyn FnMut(&str, &str)) -> Result<Found>;

    /// Runs `job`, and then keeps its program, until what is returned is given up.
    ///
    /// # Errors
    ///
    /// Says why the job failed.
    fn hold(&self, job: Job, hold: Hold, on_fact: &mut dyn FnMut(&str, &str)) -> Result<(Found, Box<dyn Held>)>;

    /// Runs `job` and hands what it writes to its standard output to `sink`.
    ///
    /// # Errors
    ///
    /// Says why the job failed, or what the sink said.
    fn read(&self, job: Job, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Found>;

    /// Lends `command` the user's terminal, and returns its exit status.
    ///
    /// # Errors
    ///
    /// When it was killed, or the connection was lost.
    fn talk(&self, command: &str) -> Result<i32>;

    /// Runs `job`, which takes all of `source` by `deploy_input`.
    ///
    /// # Errors
    ///
    /// Says why the job failed.
    fn write(&self, job: Job, source: &mut (dyn Read + Send)) -> Result<Found>;
}

/// A program that holds something on a server. Dropping it gives that up too, without looking whether it worked.
pub(crate) trait Held: Send {
    /// Whether the server still holds it, as far as is known.
    fn is_there(&self) -> bool;

    /// Gives it up, and waits until it is.
    fn give_up(self: Box<Self>);
}

/// A script and where it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    pub(crate) script: Script,
    pub(crate) dir: WorkDir,
}

impl From<Script> for Job {
    fn from(script: Script) -> Job {
        Job { script, dir: WorkDir::Home }
    }
}
