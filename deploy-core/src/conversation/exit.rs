//! How a command ended.

use crate::transport::Exit;

/// How a command ended, in words.
pub(super) fn how(exit: &Exit) -> String {
    match exit {
        Exit::Status(status) => format!("with status {status}"),
        Exit::Signal(signal) => format!("by signal {signal}"),
        Exit::Unknown => "without saying how".to_owned(),
    }
}
