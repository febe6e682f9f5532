//! One server of a run: the way to it, what it reports, and how many may be inside of a task at a time.

mod host;
pub(super) mod limits;
pub(super) mod link;
pub(super) mod watch;
