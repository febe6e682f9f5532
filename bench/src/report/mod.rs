//! What was measured, and how it is shown.

mod chart;
mod readme;
mod statistics;
mod table;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::arguments::{Arguments, Point};
use crate::counts::Counts;
use crate::measure::Sample;
use statistics::median;

/// What a measurement is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// In words: `small, next`.
    pub(crate) what: String,
    /// None where no server takes part.
    pub(crate) point: Option<Point>,
    pub(crate) tool: &'static str,
}

/// What this tool is called: others are compared with it.
const OWN: [&str; 3] = ["xtask", "xtask tasks", "db restore-from-prod"];

/// All runs of one tool at one thing.
#[derive(Debug)]
struct Timing {
    key: Key,
    samples: Vec<Sample>,
    failures: usize,
}

/// Everything that one start of the benchmark found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// The command that makes it.
    command: String,
    /// What was measured on and with, by name.
    machine: BTreeMap<&'static str, String>,
    timings: Vec<Timing>,
    counts: Vec<(Key, Counts)>,
    /// Why something is missing.
    problems: Vec<String>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(arguments: &Arguments) -> Report {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let machine = BTreeMap::from([
            ("cores", std::thread::available_parallelism().map_or(0, usize::from).to_string()),
            ("kernel", first_line("uname", &["-r"])),
            ("git", first_line("git", &["--version"])),
            ("openssh", first_line("ssh", &["-V"])),
            ("key exchange", "curve25519-sha256".to_owned()),
            ("rounds", arguments.rounds.to_string()),
        ]);
        let command = format!("cargo xtask bench {}", words.join(" "));
        Report { command, machine, timings: Vec::new(), counts: Vec::new(), problems: Vec::new() }
    }

    /// Adds what the measurement is made with.
    pub(crate) fn made_with(&mut self, what: &'static str, version: String) {
        self.machine.insert(what, version);
    }

    /// Adds a run, or that it failed.
    pub(crate) fn add(&mut self, key: Key, sample: &Result<Sample, String>) {
        let known = self.timings.iter().position(|timing| timing.key == key);
        let at = known.unwrap_or_else(|| {
            self.timings.push(Timing { key, samples: Vec::new(), failures: 0 });
            self.timings.len() - 1
        });
        match sample {
            Ok(sample) => self.timings[at].samples.push(*sample),
            Err(_) => self.timings[at].failures += 1,
        }
    }

    /// Adds a run that was counted.
    pub(crate) fn count(&mut self, key: Key, counts: Counts) {
        self.counts.push((key, counts));
    }

    /// How many round trips stand on the critical path: what more delay costs, in delays. Nothing without two delays.
    fn round_trips(&self, key: &Key) -> Option<f64> {
        if key.what == crate::copy::WHAT {
            // Its time depends on how much passes at once, not on turns.
            return None;
        }
        let servers = key.point?.servers;
        let is_same = |timing: &&Timing| {
            timing.key.what == key.what
                && timing.key.tool == key.tool
                && timing.key.point.is_some_and(|point| point.servers == servers)
                && !timing.samples.is_empty()
        };
        let mut by_delay: Vec<(u64, f64)> = self
            .timings
            .iter()
            .filter(is_same)
            .filter_map(|timing| Some((timing.key.point?.rtt, timing.wall())))
            .collect();
        by_delay.sort_by_key(|(rtt, _)| *rtt);
        // The direct link is another one, so it is left out if there are two others.
        if by_delay.len() > 2 && by_delay[0].0 == 0 {
            by_delay.remove(0);
        }
        let ((near, near_seconds), (far, far_seconds)) = (*by_delay.first()?, *by_delay.last()?);
        (far > near).then(|| (far_seconds - near_seconds) * 1000.0 / (far - near) as f64)
    }

    /// How long another tool takes, as a multiple of this one.
    fn ratio(&self, timing: &Timing) -> Option<f64> {
        let is_same = |other: &&Timing| other.key.what == timing.key.what && other.key.point == timing.key.point;
        let own = self.timings.iter().find(|other| is_same(other) && OWN.contains(&other.key.tool))?;
        (!own.samples.is_empty() && !timing.samples.is_empty()).then(|| timing.wall() / own.wall())
    }

    /// Says why something could not be measured.
    pub(crate) fn problem(&mut self, why: String) {
        self.problems.push(why);
    }

    /// What is missing: nothing, if every tool succeeded at everything at least once.
    pub(crate) fn missing(&self) -> Option<String> {
        let never = self.timings.iter().filter(|timing| timing.samples.is_empty());
        let never = never.map(|timing| format!("`{}` never succeeded at `{}`", timing.key.tool, timing.key.what));
        let problems: Vec<String> = self.problems.iter().cloned().chain(never).collect();
        (!problems.is_empty()).then(|| problems.join("\n"))
    }

    /// Everything, for programs.
    pub(crate) fn json(&self) -> String {
        let report = json!({
            "command": self.command,
            "machine": self.machine,
            "times": self.timings.iter().map(|timing| self.time_as_json(timing)).collect::<Vec<_>>(),
            "counts": self.counts.iter().map(|(key, counts)| self.counts_as_json(key, counts)).collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }

    fn time_as_json(&self, timing: &Timing) -> Value {
        let mut object = key_as_json(&timing.key);
        let all = |of: &dyn Fn(&Sample) -> f64| timing.samples.iter().map(of).collect::<Vec<_>>();
        object["median_seconds"] = json!(median(&timing.walls()));
        object["times_xtask"] = json!(self.ratio(timing));
        object["seconds"] = json!(timing.walls());
        object["controller_cpu_seconds"] = json!(all(&|sample| sample.controller_cpu.as_secs_f64()));
        object["servers_cpu_seconds"] = json!(all(&|sample| sample.servers_cpu.as_secs_f64()));
        object["controller_peak_kib"] = json!(all(&|sample| sample.peak as f64));
        object["failures"] = json!(timing.failures);
        object
    }

    fn counts_as_json(&self, key: &Key, counts: &Counts) -> Value {
        let mut object = key_as_json(key);
        object["connections"] = json!(counts.connections);
        object["commands"] = json!(counts.commands);
        object["round_trips"] = json!(self.round_trips(key));
        object["sent"] = json!(counts.sent);
        object["received"] = json!(counts.received);
        object["packets"] = json!(counts.packets);
        object["forks"] = json!(counts.forks);
        object["programs"] = json!(counts.programs());
        object["programs_of_git"] = json!(counts.git);
        object["programs_by_name"] = json!(counts.programs);
        object
    }
}

fn key_as_json(key: &Key) -> Value {
    json!({
        "what": key.what,
        "tool": key.tool,
        "servers": key.point.map(|point| point.servers),
        "rtt_ms": key.point.map(|point| point.rtt),
    })
}

impl Timing {
    fn walls(&self) -> Vec<f64> {
        self.samples.iter().map(|sample| sample.wall.as_secs_f64()).collect()
    }

    /// The median, in seconds.
    fn wall(&self) -> f64 {
        median(&self.walls()).unwrap_or_default()
    }

    fn cpu(&self, of: impl Fn(&Sample) -> Duration) -> f64 {
        median(&self.samples.iter().map(|sample| of(sample).as_secs_f64()).collect::<Vec<_>>()).unwrap_or_default()
    }

    /// In MiB.
    fn peak(&self) -> f64 {
        self.samples.iter().map(|sample| sample.peak).max().unwrap_or_default() as f64 / 1024.0
    }
}

/// What a program says of itself, or nothing if it isn't there.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
