//! A diagnosis as text: machine by machine, with what has to be mended in sight.

use super::finding::{Diagnosis, Examined, Finding, Severity, count};
use crate::ui::{Line, Style, Verbosity, harmless_lines};

/// The widest word for how bad something is.
const SEVERITY: usize = "problem".len();

/// The lines that are shown. What is fine is one line of a machine, unless all is asked for; problems come last.
pub(super) fn lines(diagnosis: &Diagnosis, verbosity: Verbosity) -> Vec<Line> {
    let mut machines: Vec<_> = diagnosis.machines.iter().map(|machine| (machine, shown(machine, verbosity))).collect();
    machines.retain(|(_, findings)| !findings.is_empty());
    machines.sort_by_key(|(_, findings)| findings.iter().map(|finding| finding.severity).max());
    let width = machines.iter().flat_map(|(_, findings)| findings).map(|finding| finding.what.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (machine, findings) in machines {
        lines.push(Line::new().with(Style::Bold, name(machine)));
        lines.extend(findings.iter().flat_map(|finding| finding_lines(finding, width)));
        lines.push(Line::new());
    }
    lines.push(summary(diagnosis));
    lines
}

/// The findings of a machine that are shown, the worst last.
fn shown(machine: &Examined, verbosity: Verbosity) -> Vec<Finding> {
    let (fine, mut others): (Vec<Finding>, Vec<Finding>) =
        machine.findings.iter().cloned().partition(|finding| finding.severity == Severity::Ok);
    others.sort_by_key(|finding| finding.severity);
    let fine = match verbosity {
        Verbosity::Quiet => Vec::new(),
        Verbosity::Verbose => fine,
        Verbosity::Normal => folded(&fine).into_iter().collect(),
    };
    [fine, others].concat()
}

/// One finding for all that is fine.
fn folded(fine: &[Finding]) -> Option<Finding> {
    let mut names: Vec<_> = fine.iter().map(|finding| finding.what.replace('_', " ")).collect();
    names.dedup();
    (!names.is_empty()).then(|| Finding::ok("", names.join(", ")))
}

fn name(machine: &Examined) -> String {
    machine.server.clone().unwrap_or_else(|| "this machine".to_owned())
}

/// `  warning  space  0.5 GiB free`, what mends it below.
fn finding_lines(finding: &Finding, width: usize) -> Vec<Line> {
    let (word, text) = match finding.severity {
        Severity::Ok => (Style::Dim, Style::Dim),
        Severity::Warning => (Style::Attention, Style::Normal),
        Severity::Problem => (Style::Bad, Style::Normal),
    };
    let what = finding.what.replace('_', " ");
    // What is folded has no name of its own, and begins where names do.
    let (what, width) = if what.is_empty() { (String::new(), 0) } else { (format!("{what:width$}  "), width + 2) };
    let head =
        Line::new().with(word, format!("  {:SEVERITY$}", finding.severity.name())).with(text, format!("  {what}"));
    let indent = " ".repeat(2 + SEVERITY + 2 + width);
    let mut lines = paragraph(head, &indent, text, &finding.value);
    for mend in &finding.mend {
        let head = Line::new().with(Style::Attention, format!("{indent}mend: "));
        lines.extend(paragraph(head, &format!("{indent}      "), Style::Normal, mend));
    }
    lines
}

/// `text` behind `head`, its further lines below its first.
fn paragraph(head: Line, indent: &str, style: Style, text: &str) -> Vec<Line> {
    let mut texts = harmless_lines(text);
    let first = head.with(style, texts.next().unwrap_or_default());
    let more = texts.map(|text| Line::new().with(style, format!("{indent}{text}")));
    std::iter::once(first).chain(more).collect()
}

fn summary(diagnosis: &Diagnosis) -> Line {
    let (problems, warnings) = (diagnosis.count(Severity::Problem), diagnosis.count(Severity::Warning));
    let stage = &diagnosis.stage;
    let servers = count(diagnosis.machines.iter().filter(|machine| machine.server.is_some()).count(), "server");
    let (style, text) = match (problems, warnings) {
        (0, 0) => (Style::Good, format!("{stage}: all is well on {servers}")),
        (0, _) => (Style::Attention, format!("{stage}: {} on {servers}", count(warnings, "warning"))),
        (_, 0) => (Style::Bad, format!("{stage}: {} on {servers}", count(problems, "problem"))),
        _ => (
            Style::Bad,
            format!("{stage}: {}, {} on {servers}", count(problems, "problem"), count(warnings, "warning")),
        ),
    };
    Line::new().with(style, text)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn diagnosis() -> Diagnosis {
        let own = vec![Finding::ok("git", "2.39.5")];
        let space = Finding::warning("space", "0.5 GiB free", "cargo xtask deploy cleanup staging").or("du");
        let login = Finding::problem("login", "refused\nby \x1b[2Jthe server", "make it known with\necho x >> y");
        let app1 = vec![Finding::ok("agent_forwarding", "off"), space, login];
        Diagnosis {
            stage: "staging".into(),
            machines: vec![
                Examined { server: None, reached: true, findings: own },
                Examined { server: Some("deploy@app1".into()), reached: true, findings: app1 },
            ],
        }
    }

    fn text(diagnosis: &Diagnosis, verbosity: Verbosity) -> String {
        lines(diagnosis, verbosity).iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn machines_stand_one_below_the_other_with_what_mends_them() {
        assert_snapshot!(text(&diagnosis(), Verbosity::Verbose), @r"
        this machine
          ok       git               2.39.5

        deploy@app1
          ok       agent forwarding  off
          warning  space             0.5 GiB free
                                     mend: cargo xtask deploy cleanup staging
                                     mend: du
          problem  login             refused
                                     by \x1b[2Jthe server
                                     mend: make it known with
                                           echo x >> y

        staging: 1 problem, 1 warning on 1 server
        ");
    }

    #[test]
    fn what_is_fine_is_one_line_of_each_machine() {
        assert_snapshot!(text(&diagnosis(), Verbosity::Normal), @r"
        this machine
          ok       git

        deploy@app1
          ok       agent forwarding
          warning  space  0.5 GiB free
                          mend: cargo xtask deploy cleanup staging
                          mend: du
          problem  login  refused
                          by \x1b[2Jthe server
                          mend: make it known with
                                echo x >> y

        staging: 1 problem, 1 warning on 1 server
        ");
    }

    #[test]
    fn quietly_only_what_needs_mending_is_told() {
        assert_snapshot!(text(&diagnosis(), Verbosity::Quiet), @r"
        deploy@app1
          warning  space  0.5 GiB free
                          mend: cargo xtask deploy cleanup staging
                          mend: du
          problem  login  refused
                          by \x1b[2Jthe server
                          mend: make it known with
                                echo x >> y

        staging: 1 problem, 1 warning on 1 server
        ");
    }

    #[test]
    fn a_problem_stands_out_on_a_terminal_and_what_is_fine_does_not() {
        let lines: Vec<_> = lines(&diagnosis(), Verbosity::Normal).iter().map(|line| line.render(true)).collect();
        assert!(lines[1].starts_with("\x1b[2m  ok"), "{:?}", lines[1]);
        assert!(lines.iter().any(|line| line.starts_with("\x1b[1;31m  problem")), "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("\x1b[2J")), "{lines:?}");
    }
}
