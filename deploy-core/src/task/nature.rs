//! What a task is to the stage, and what its output is for.

/// What a task does to the stage, and so what it has to do with the stage's lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// It changes the stage: it waits until the run holds the lock on all servers.
    #[default]
    Changes,
    /// It makes what every run would make, such as folders that are missing. A run of it takes the lock, but on each
    /// server it begins as soon as the lock is held there.
    Prepares,
    /// It only looks: a run of it by its name takes no lock, and in other runs it waits for none.
    Looks,
    /// What it changes is not the stage's: files on this machine, or what has a lock of its own, such as a database. A
    /// run of it by its name takes no lock.
    Elsewhere,
}

/// What the output of a run is for, when a task is run by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// To watch the run.
    #[default]
    Progress,
    /// To read an answer, which [`Local::print`](super::Local::print) gives or a program on the terminal: how it is found
    /// out isn't shown.
    Answer,
    /// To be read by a program: standard output has what [`Local::print`](super::Local::print) printed and nothing else,
    /// and the run is shown on standard error. With `--format json` it is an event.
    Data,
}

/// Which directory a task runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dir {
    /// Where the login shell begins.
    #[default]
    Home,
    /// The release: the one that is being made or reverted to; else the live one.
    Release,
    /// This path.
    Path(String),
}
