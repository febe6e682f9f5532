//! The report for people.

use super::{Key, Report, Timing};
use crate::counts::Counts;

type Row = Vec<String>;

impl Report {
    /// As text, in columns.
    pub(crate) fn table(&self) -> String {
        self.text(columns)
    }

    /// As tables of Markdown.
    pub(crate) fn markdown(&self) -> String {
        self.text(markdown)
    }

    fn text(&self, lay_out: fn(&[Row]) -> String) -> String {
        let machine: Vec<_> = self.machine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let mut text = format!("{}\n\n{}\n\n{}", self.command, machine.join(", "), lay_out(&self.time_rows()));
        if !self.counts.is_empty() {
            text += &format!("\nFor each server, and the first one's processes:\n\n{}", lay_out(&self.count_rows()));
        }
        text
    }

    fn time_rows(&self) -> Vec<Row> {
        let titles = [
            "what",
            "servers",
            "RTT ms",
            "tool",
            "median s",
            "least",
            "most",
            "to xtask",
            "controller CPU s",
            "servers CPU s",
            "peak MiB",
            "failed",
        ];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        rows.extend(self.timings.iter().map(|timing| self.time_row(timing)));
        rows
    }

    fn time_row(&self, timing: &Timing) -> Row {
        let mut row = place(&timing.key, true);
        let walls = timing.walls();
        let most = |fold: fn(f64, f64) -> f64| walls.iter().copied().reduce(fold);
        row.push(timing.key.tool.to_owned());
        row.push(number(super::median(&walls), 3));
        row.push(number(most(f64::min), 3));
        row.push(number(most(f64::max), 3));
        row.push(number(self.ratio(timing), 2));
        row.push(number(Some(timing.cpu(|sample| sample.controller_cpu)), 3));
        row.push(number(Some(timing.cpu(|sample| sample.servers_cpu)).filter(|cpu| *cpu > 0.0), 2));
        row.push(number(Some(timing.peak()), 1));
        row.push(if timing.failures == 0 { String::new() } else { timing.failures.to_string() });
        row
    }

    fn count_rows(&self) -> Vec<Row> {
        let titles = [
            "what",
            "servers",
            "tool",
            "connections",
            "commands",
            "round trips",
            "sent",
            "received",
            "packets",
            "forks",
            "programs",
            "of git",
        ];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        rows.extend(self.counts.iter().map(|(key, counts)| self.count_row(key, counts)));
        rows
    }

    fn count_row(&self, key: &Key, counts: &Counts) -> Row {
        let Counts { connections, commands, sent, received, packets, forks, git, .. } = counts;
        let mut row = place(key, false);
        row.extend([key.tool.to_owned(), connections.to_string(), commands.to_string()]);
        row.push(number(self.round_trips(key), 1));
        row.extend([sent.to_string(), received.to_string(), packets.to_string(), forks.to_string()]);
        row.extend([counts.programs().to_string(), git.to_string()]);
        row
    }
}

fn place(key: &Key, with_rtt: bool) -> Row {
    let servers = key.point.map(|point| point.servers.to_string()).unwrap_or_default();
    let rtt = key.point.map(|point| point.rtt.to_string()).unwrap_or_default();
    let mut row = vec![key.what.clone(), servers];
    if with_rtt {
        row.push(rtt);
    }
    row
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
}

/// Words to the left, numbers to the right.
fn columns(rows: &[Row]) -> String {
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default()).collect();
    let is_number = |at: usize| rows.iter().skip(1).all(|row| row[at].is_empty() || row[at].parse::<f64>().is_ok());
    let cell = |(at, text): (usize, &String)| {
        if is_number(at) {
            format!("{text:>width$}", width = widths[at])
        } else {
            format!("{text:<width$}", width = widths[at])
        }
    };
    let line = |row: &Row| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n";
    rows.iter().map(line).collect()
}

pub(super) fn markdown(rows: &[Row]) -> String {
    let line = |row: &Row| format!("| {} |\n", row.join(" | "));
    let rule = format!("|{}\n", " --- |".repeat(rows[0].len()));
    line(&rows[0]) + &rule + &rows[1..].iter().map(line).collect::<String>()
}
