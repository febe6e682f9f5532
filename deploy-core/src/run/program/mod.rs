//! The programs of a run: made for one server and leg, and shown by `--dry-run`.

mod compose;
pub(super) mod prepare;
pub(super) mod preview;
pub(super) mod shown;
