//! The report in a document: a chart, and tables with a column for each tool.

use std::path::Path;

use super::{Key, Report, Timing, chart, table};
use crate::counts::Counts;

/// What stands between these two is replaced.
const BEGIN: &str = "<!-- bench -->\n";
const END: &str = "<!-- /bench -->\n";

impl Report {
    /// `document` with this report in the place that is marked in it.
    pub(crate) fn insert(&self, document: &str, chart: Option<&Path>) -> Result<String, String> {
        let marked = || {
            let (before, rest) = document.split_once(BEGIN)?;
            let (_, after) = rest.split_once(END)?;
            Some((before, after))
        };
        let (before, after) =
            marked().ok_or_else(|| format!("no `{}` with `{}` after it", BEGIN.trim(), END.trim()))?;
        let picture = chart.map(|path| format!("![Seconds for each tool]({})\n\n", path.display())).unwrap_or_default();
        Ok(format!("{before}{BEGIN}{picture}{}{END}{after}", self.tables()))
    }

    fn tables(&self) -> String {
        let tools = self.tools();
        let mut head = vec!["seconds, and how many times as long as this tool".to_owned()];
        head.extend(tools.iter().map(|tool| (*tool).to_owned()));
        let mut rows = vec![head.clone()];
        let timed: Vec<&Timing> = self.timings.iter().filter(|timing| !timing.samples.is_empty()).collect();
        for group in chart::groups(&timed) {
            let cell =
                |tool: &&str| group.iter().find(|timing| timing.key.tool == *tool).map(|timing| self.seconds(timing));
            rows.push(row(chart::label(&group[0].key), tools.iter().map(cell)));
        }
        let mut text = table::markdown(&rows);
        if !self.counts.is_empty() {
            "for each server".clone_into(&mut head[0]);
            rows = vec![head];
            rows.extend(self.count_rows_by_tool(&tools));
            text += &format!("\n{}", table::markdown(&rows));
        }
        let machine: Vec<_> = self.machine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!("{text}\n`{}`; {}.\n", self.command, machine.join(", "))
    }

    /// The tools, in the order in which they were first measured.
    fn tools(&self) -> Vec<&'static str> {
        let mut tools = Vec::new();
        for timing in &self.timings {
            if !tools.contains(&timing.key.tool) {
                tools.push(timing.key.tool);
            }
        }
        tools
    }

    fn seconds(&self, timing: &Timing) -> String {
        match self.ratio(timing) {
            Some(ratio) if ratio != 1.0 => format!("{:.2} ({ratio:.2})", timing.wall()),
            _ => format!("{:.2}", timing.wall()),
        }
    }

    /// A row for each thing that is counted in each group.
    fn count_rows_by_tool(&self, tools: &[&'static str]) -> Vec<Vec<String>> {
        let mut groups: Vec<&Key> = Vec::new();
        for (key, _) in &self.counts {
            if !groups.iter().any(|group| is_same(group, key)) {
                groups.push(key);
            }
        }
        let mut rows = Vec::new();
        for group in groups {
            for what in COUNTED {
                let found = |tool: &&str| self.counts.iter().find(|(key, _)| is_same(key, group) && key.tool == *tool);
                let cells =
                    tools.iter().map(|tool| found(tool).and_then(|(key, counts)| self.counted(what, key, counts)));
                rows.push(row(format!("{}: {what}", chart::place(group)), cells));
            }
        }
        rows
    }

    fn counted(&self, what: &str, key: &Key, counts: &Counts) -> Option<String> {
        Some(match what {
            "round trips" => format!("{:.1}", self.round_trips(key)?),
            "commands" => counts.commands.to_string(),
            "KB sent and received" => format!("{:.1}, {:.1}", counts.sent as f64 / 1e3, counts.received as f64 / 1e3),
            _ => format!("{}, {}", counts.forks, counts.programs()),
        })
    }
}

const COUNTED: [&str; 4] = ["round trips", "commands", "KB sent and received", "processes and programs started"];

fn is_same(one: &Key, other: &Key) -> bool {
    one.what == other.what && one.point == other.point
}

fn row(title: String, cells: impl Iterator<Item = Option<String>>) -> Vec<String> {
    std::iter::once(title).chain(cells.map(Option::unwrap_or_default)).collect()
}
