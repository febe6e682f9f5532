//! Logging in by answering questions: the last resort, and only on a terminal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ssh2::{KeyboardInteractivePrompt, Prompt};

use crate::ui::Ask;

/// The passwords that were typed in this run, by user: who has one password on ten servers types it once.
#[derive(Default)]
pub(super) struct Passwords {
    typed: Mutex<HashMap<String, String>>,
}

impl Passwords {
    /// The password of `user`; asked for at the first time, while others wait. `None` without a terminal.
    pub(super) fn get(&self, user: &str, server: &str, ask: &dyn Ask) -> Option<String> {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(password) = typed.get(user) {
            return Some(password.clone());
        }
        let password = ask.secret(&format!("Password of `{user}` on `{server}` (others get the same): "))?;
        typed.insert(user.to_owned(), password.clone());
        Some(password)
    }

    /// Forgets a password that a server refused.
    pub(super) fn forget(&self, user: &str, password: &str) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if typed.get(user).is_some_and(|typed| typed == password) {
            typed.remove(user);
        }
    }
}

/// Answers a server's questions (RFC 4256).
pub(super) struct Answers<'a> {
    pub(super) ask: &'a dyn Ask,
    pub(super) passwords: &'a Passwords,
    pub(super) user: &'a str,
    pub(super) server: &'a str,
    /// The password that was given as an answer.
    pub(super) password: Option<String>,
    /// Called when nobody can answer, before libssh2 would send an empty answer for us.
    pub(super) give_up: &'a dyn Fn(),
    pub(super) gave_up: bool,
}

impl Answers<'_> {
    fn answer(&mut self, question: &Prompt<'_>) -> Option<String> {
        let text = question.text.trim();
        if !question.echo && text.to_lowercase().contains("password") {
            self.password = self.passwords.get(self.user, self.server, self.ask);
            return self.password.clone();
        }
        let question_here = format!("{}: {text} ", self.server);
        if question.echo { self.ask.text(&question_here) } else { self.ask.secret(&question_here) }
    }
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'a>(&mut self, _user: &str, _instructions: &str, questions: &[Prompt<'a>]) -> Vec<String> {
        let answers: Option<Vec<String>> = questions.iter().map(|question| self.answer(question)).collect();
        answers.unwrap_or_else(|| {
            self.gave_up = true;
            (self.give_up)();
            Vec::new()
        })
    }
}
