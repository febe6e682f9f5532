//! All talk with the user: renderers for [`Event`]s, prompts, and the one place that prints.

use std::time::Duration;

use crate::event::Event;

/// Turns events into output.
pub trait Renderer: Send {
    /// Shows `event`, which happened `at` after the run's start.
    fn event(&mut self, at: Duration, event: &Event);
}

/// Questions to the user, answered on the terminal. Without a terminal every answer is `None`.
///
/// Questions of parallel logins are asked one after the other.
pub trait Ask: Send + Sync {
    /// Asks for a text.
    fn text(&self, question: &str) -> Option<String>;

    /// Asks for a text that is not echoed.
    fn secret(&self, question: &str) -> Option<String>;

    /// Asks a question whose answer is yes or no; an empty answer is no.
    fn confirm(&self, question: &str) -> Option<bool>;
}
