//! What was found out: plain data, to be shown as text or as JSON.

use serde_json::{Value, json};

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// Deployments work, but somebody should look after it.
    Warning,
    /// A deployment would fail.
    Problem,
}

impl Severity {
    /// The word for it, in text and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at: one word, or several joined by `_`.
    pub what: &'static str,
    /// What was seen. May have several lines, and quotes what servers say.
    pub value: String,
    /// What mends it, in order: commands to type, or lines to write. Empty only where all is well.
    pub mend: Vec<String>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(what: &'static str, value: impl Into<String>) -> Finding {
        Finding { severity: Severity::Ok, what, value: value.into(), mend: Vec::new() }
    }

    /// Something to look after, and what mends it.
    pub fn warning(what: &'static str, value: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, mend: vec![mend.into()], ..Finding::ok(what, value) }
    }

    /// Something that makes deployments fail, and what mends it.
    pub fn problem(what: &'static str, value: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { severity: Severity::Problem, mend: vec![mend.into()], ..Finding::ok(what, value) }
    }

    /// Adds something that has to be done besides, or instead.
    #[must_use]
    pub fn or(mut self, mend: impl Into<String>) -> Finding {
        self.mend.push(mend.into());
        self
    }
}

/// `1 key`, `2 keys`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A machine and what was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The server's label; `None` is the controller.
    pub server: Option<String>,
    /// Whether it was logged in to.
    pub reached: bool,
    /// What was found, in a fixed order.
    pub findings: Vec<Finding>,
}

/// What is to be said about a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The stage's name.
    pub stage: String,
    /// The controller, then the servers in the stage's order.
    pub machines: Vec<Examined>,
}

impl Diagnosis {
    /// The exit code: 4 if a server could not be logged in to, 1 if there is any other problem, else 0.
    pub fn exit_code(&self) -> u8 {
        if self.machines.iter().any(|machine| !machine.reached) {
            return crate::error::ErrorKind::Connection.exit_code();
        }
        u8::from(self.count(Severity::Problem) > 0)
    }

    /// How many findings are of `severity`.
    pub fn count(&self, severity: Severity) -> usize {
        self.machines.iter().flat_map(|machine| &machine.findings).filter(|own| own.severity == severity).count()
    }

    /// The findings for programs, as `docs/JSON.md` describes them.
    pub fn json(&self) -> String {
        let findings: Vec<Value> = self.machines.iter().flat_map(json_findings).collect();
        let value = json!({
            "format": 1, "stage": self.stage, "problems": self.count(Severity::Problem),
            "warnings": self.count(Severity::Warning), "findings": findings,
        });
        format!("{value:#}\n")
    }
}

fn json_findings(machine: &Examined) -> impl Iterator<Item = Value> {
    machine.findings.iter().map(|Finding { severity, what, value, mend }| {
        json!({
            "server": machine.server, "what": what, "severity": severity.name(), "value": value, "mend": mend,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(reached: bool, findings: Vec<Finding>) -> Diagnosis {
        let server = Examined { server: Some("app1".into()), reached, findings };
        Diagnosis { stage: "staging".into(), machines: vec![server] }
    }

    #[test]
    fn the_exit_code_tells_problems_from_servers_out_of_reach() {
        let problem = || Finding::problem("space", "none", "rm");
        assert_eq!(diagnosis(true, vec![Finding::ok("space", "much")]).exit_code(), 0);
        assert_eq!(diagnosis(true, vec![Finding::warning("space", "little", "rm")]).exit_code(), 0);
        assert_eq!(diagnosis(true, vec![problem()]).exit_code(), 1);
        assert_eq!(diagnosis(false, vec![problem()]).exit_code(), 4);
    }

    #[test]
    fn programs_get_every_finding_with_its_server() {
        let json = diagnosis(true, vec![Finding::warning("space", "little", "rm").or("df")]).json();
        let value: Value = serde_json::from_str(&json).unwrap();
        let finding = json!({
            "server": "app1", "what": "space", "severity": "warning", "value": "little", "mend": ["rm", "df"],
        });
        assert_eq!(value["findings"], json!([finding]));
        assert_eq!((&value["problems"], &value["warnings"]), (&json!(0), &json!(1)));
    }
}
