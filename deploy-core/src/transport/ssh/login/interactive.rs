//! Logging in by answering questions: the last resort, and only on a terminal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ssh2::{KeyboardInteractivePrompt, Prompt};

use crate::ui::Ask;

/// The passwords that were typed in this run, by user: who has one password on ten servers types it once.
#[derive(Default)]
pub(crate) struct Passwords {
    typed: Mutex<HashMap<String, String>>,
}

impl Passwords {
    /// The password of `user`; asked for at the first time, while others wait. `None` without a terminal.
    pub(crate) fn get(&self, user: &str, server: &str, ask: &dyn Ask) -> Option<String> {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(password) = typed.get(user) {
            return Some(password.clone());
        }
        let password = ask.secret(&format!("Password of `{user}` on `{server}` (others get the same): "))?;
        typed.insert(user.to_owned(), password.clone());
        Some(password)
    }

    /// Forgets a password that a server refused.
    pub(crate) fn forget(&self, user: &str, password: &str) {
        let mut typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        if typed.get(user).is_some_and(|typed| typed == password) {
            typed.remove(user);
        }
    }
}

/// Answers a server's questions (RFC 4256).
pub(crate) struct Answers<'a> {
    pub(crate) ask: &'a dyn Ask,
    pub(crate) passwords: &'a Passwords,
    pub(crate) user: &'a str,
    pub(crate) server: &'a str,
    /// The password that was given as an answer.
    pub(crate) password: Option<String>,
    /// Called when nobody can answer, before libssh2 would send an empty answer for us.
    pub(crate) give_up: &'a dyn Fn(),
    pub(crate) gave_up: bool,
}

impl Answers<'_> {
    fn answer(&mut self, instructions: &str, question: &Prompt<'_>) -> Option<String> {
        let text = question.text.trim();
        if !question.echo && text.to_lowercase().contains("password") {
            self.password = self.passwords.get(self.user, self.server, self.ask);
            return self.password.clone();
        }
        let before = if instructions.trim().is_empty() { String::new() } else { format!("{}\n", instructions.trim()) };
        let question_here = format!("{before}{}: {text} ", self.server);
        if question.echo { self.ask.text(&question_here) } else { self.ask.secret(&question_here) }
    }
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'a>(&mut self, _user: &str, instructions: &str, questions: &[Prompt<'a>]) -> Vec<String> {
        let answers: Option<Vec<String>> =
            questions.iter().map(|question| self.answer(instructions, question)).collect();
        answers.unwrap_or_else(|| {
            self.gave_up = true;
            (self.give_up)();
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Answers with `answer`, and remembers the questions.
    struct Person(Option<&'static str>, Mutex<Vec<String>>);

    impl Person {
        fn new(answer: Option<&'static str>) -> Person {
            Person(answer, Mutex::default())
        }

        fn asked(&self) -> Vec<String> {
            self.1.lock().unwrap().clone()
        }
    }

    impl Ask for Person {
        fn text(&self, question: &str) -> Option<String> {
            self.1.lock().unwrap().push(format!("shown {question}"));
            self.0.map(str::to_owned)
        }

        fn secret(&self, question: &str) -> Option<String> {
            self.1.lock().unwrap().push(question.to_owned());
            self.0.map(str::to_owned)
        }

        fn confirm(&self, _: &str) -> Option<bool> {
            None
        }
    }

    fn prompt(text: &str, echo: bool) -> Prompt<'_> {
        Prompt { text: text.into(), echo }
    }

    fn answers<'a>(person: &'a Person, passwords: &'a Passwords, give_up: &'a dyn Fn()) -> Answers<'a> {
        Answers { ask: person, passwords, user: "deploy", server: "app", password: None, give_up, gave_up: false }
    }

    #[test]
    fn a_password_is_typed_once_for_a_user_and_again_after_it_was_refused() {
        let (person, passwords) = (Person::new(Some("secret")), Passwords::default());
        assert_eq!(passwords.get("deploy", "app1", &person).as_deref(), Some("secret"));
        assert_eq!(passwords.get("deploy", "app2", &person).as_deref(), Some("secret"));
        assert_eq!(person.asked().len(), 1);
        passwords.forget("deploy", "another one");
        passwords.get("deploy", "app3", &person);
        assert_eq!(person.asked().len(), 1);
        passwords.forget("deploy", "secret");
        passwords.get("deploy", "app3", &person);
        passwords.get("root", "app3", &person);
        assert_eq!(person.asked().len(), 3);
    }

    #[test]
    fn a_password_prompt_gets_the_password_and_a_code_is_asked_for() {
        let (person, passwords) = (Person::new(Some("12")), Passwords::default());
        let mut answers = answers(&person, &passwords, &|| panic!("nobody gives up"));
        let prompts = [prompt("Password: ", false), prompt("Code:", false), prompt("Name?", true)];
        assert_eq!(answers.prompt("", "From your phone", &prompts), ["12", "12", "12"]);
        assert_eq!(answers.password.as_deref(), Some("12"));
        assert_eq!(person.asked()[1..], ["From your phone\napp: Code: ", "shown From your phone\napp: Name? "]);
    }

    #[test]
    fn without_a_person_nothing_is_answered() {
        let (person, passwords, gave_up) = (Person::new(None), Passwords::default(), Cell::new(false));
        let give_up = || gave_up.set(true);
        let mut answers = answers(&person, &passwords, &give_up);
        assert!(answers.prompt("", "", &[prompt("Password:", false)]).is_empty());
        assert!(answers.gave_up && gave_up.get());
    }
}
