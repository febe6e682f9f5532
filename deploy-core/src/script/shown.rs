//! A script as a person reads it: its commands, without what a program makes of them.

use std::collections::BTreeMap;
use std::fmt;

use super::{Cmd, Script, Step};

/// What is put before programs, by their names.
pub(crate) type Prefixes = BTreeMap<String, Vec<String>>;

impl Cmd {
    /// The command as a person would type it, with what is put before its program.
    pub(crate) fn typed(&self, prefixes: &Prefixes) -> String {
        let prefix = prefixes.get(&self.program).filter(|_| !self.unprefixed);
        let prefix = prefix.map(|words| words.join(" ") + " ").unwrap_or_default();
        if let Some(shown) = &self.shown {
            return format!("{prefix}{shown}");
        }
        let env: String = self.env.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        let args: String = self.args.iter().map(|arg| format!(" {arg}")).collect();
        format!("{env}{prefix}{}{args}", self.program)
    }
}

/// The command without what is put before its program.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed(&Prefixes::new()))
    }
}

impl Step {
    /// The step as an error report shows it.
    pub(super) fn typed(&self, prefixes: &Prefixes) -> String {
        match self {
            Step::Run(cmd) | Step::Fact(_, cmd, _) => cmd.typed(prefixes),
            Step::Pipe(cmds) => cmds.iter().map(|cmd| cmd.typed(prefixes)).collect::<Vec<_>>().join(" | "),
            Step::Shell { label: text, .. } | Step::Opaque(text) => text.trim().to_owned(),
            Step::If(condition, ..) => format!("if {}", condition.typed(prefixes)),
        }
    }
}

/// The step without what is put before programs.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed(&Prefixes::new()))
    }
}

impl Script {
    /// Its commands, a line each, with what they are under. Values that are secret, or long, stand as their names.
    pub(crate) fn typed(&self, prefixes: &Prefixes) -> String {
        let mut text = String::new();
        self.steps.iter().for_each(|step| write(step, prefixes, "", &mut text));
        text
    }

    fn indented(&self, prefixes: &Prefixes, indent: &str, text: &mut String) {
        self.steps.iter().for_each(|step| write(step, prefixes, &format!("{indent}  "), text));
    }
}

fn write(step: &Step, prefixes: &Prefixes, indent: &str, text: &mut String) {
    let line = |words: &str, text: &mut String| words.lines().for_each(|line| text.extend([indent, line, "\n"]));
    match step {
        Step::Fact(name, cmd, otherwise) => {
            line(&format!("{name}=$({})", cmd.typed(prefixes)), text);
            if let Some(otherwise) = otherwise.as_ref().filter(|script| !script.is_empty()) {
                line("or else", text);
                otherwise.indented(prefixes, indent, text);
            }
        }
        Step::If(condition, then, otherwise) => {
            line(&format!("if {}", condition.typed(prefixes)), text);
            then.indented(prefixes, indent, text);
            if !otherwise.is_empty() {
                line("else", text);
                otherwise.indented(prefixes, indent, text);
            }
        }
        step => line(&step.typed(prefixes), text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Arg;
    use crate::sh;

    #[test]
    fn commands_stand_as_they_could_be_typed() {
        let prefixes = Prefixes::from([("rake".to_owned(), vec!["bundle exec".to_owned()])]);
        let script = Script::new()
            .run(Cmd::new("rake").arg("db:migrate").env("A", Arg::secret("hush")))
            .pipe([Cmd::new("git").arg("archive"), Cmd::new("tar").arg("-x")])
            .then(sh!("cd -- {}\nls", "a b"))
            .fact_or("count", Cmd::new("rake").args(["-E", "eval"]).shown_as("rake count"), sh!("count=0"))
            .when(Cmd::new("test").arg("-e"), Script::new().run(Cmd::new("true")), Script::new().opaque("exit 1\n"));
        insta::assert_snapshot!(script.typed(&prefixes), @r"
        A=[secret] bundle exec rake db:migrate
        git archive | tar -x
        cd -- 'a b'
        ls
        count=$(bundle exec rake count)
        or else
          count=0
        if test -e
          true
        else
          exit 1
        ");
    }
}
