//! `bench deploy` and `bench rollback`.

use std::path::Path;

use crate::arguments::{Arguments, Point};
use crate::cage::Cage;
use crate::counts;
use crate::fleet::Fleet;
use crate::link::{self, Link};
use crate::measure;
use crate::report::{Key, Report, first_line};
use crate::tools::{Step, Tool};

/// Measures each repository at each point.
pub(crate) fn measure(arguments: &Arguments, cage: &Cage, xtask: &Path) -> Result<Report, String> {
    let mut report = Report::new(arguments);
    if arguments.tools.contains(&Tool::Capistrano) {
        report.made_with("capistrano", first_line("cap", &["--version"]));
    }
    link::make_addresses()?;
    for repository in &arguments.repositories {
        let mut servers: Vec<usize> = arguments.points.iter().map(|point| point.servers).collect();
        servers.sort_unstable();
        servers.dedup();
        for servers in servers {
            eprintln!("==> {repository}: starting {servers} servers");
            let fleet = Fleet::start(servers, repository, xtask)?;
            let done = Bench { arguments, cage, repository, fleet, report: &mut report }.run(servers);
            // What was measured before is worth something.
            done.unwrap_or_else(|error| report.problem(error));
        }
    }
    Ok(report)
}

/// One fleet, on which all tools take turns.
struct Bench<'a> {
    arguments: &'a Arguments,
    cage: &'a Cage,
    repository: &'a str,
    fleet: Fleet,
    report: &'a mut Report,
}

impl Bench<'_> {
    fn run(&mut self, servers: usize) -> Result<(), String> {
        for point in self.arguments.points.iter().filter(|point| point.servers == servers) {
            eprintln!("==> {}: {servers} servers, {} ms", self.repository, point.rtt);
            let link = Link::of(self.cage, point.rtt)?;
            self.times(*point)?;
            drop(link);
        }
        if self.arguments.counts {
            eprintln!("==> {}: {servers} servers, counting", self.repository);
            let link = counts::link(self.cage)?;
            self.counts(&link)?;
        }
        Ok(())
    }

    /// First deploys, each to servers that were made new; then the other steps in turn, on servers that have as many
    /// releases as they keep.
    fn times(&mut self, point: Point) -> Result<(), String> {
        let rounds = self.arguments.rounds;
        if self.wants(Step::First) {
            for round in 0..rounds {
                self.each_tool(round, Step::First, point)?;
            }
        } else {
            self.prepare(Step::First)?;
            self.each_tool_untimed(Step::First)?;
        }
        let others: Vec<Step> =
            Step::ALL.into_iter().filter(|step| *step != Step::First && self.wants(*step)).collect();
        if others.is_empty() {
            return Ok(());
        }
        self.each_tool_untimed(Step::NoOp)?;
        for round in 0..rounds {
            for step in &others {
                // A rollback needs a release to leave: one that was measured, or else one that wasn't.
                if *step == Step::Rollback && others.len() == 1 && round > 0 {
                    self.each_tool_untimed(Step::NoOp)?;
                }
                self.each_tool(round, *step, point)?;
            }
        }
        Ok(())
    }

    fn wants(&self, step: Step) -> bool {
        self.arguments.steps.contains(&step)
    }

    /// Has each tool do `step`, in an order that changes from round to round.
    fn each_tool(&mut self, round: usize, step: Step, point: Point) -> Result<(), String> {
        self.prepare(step)?;
        let mut tools = self.arguments.tools.clone();
        let turn = round % tools.len();
        tools.rotate_left(turn);
        for tool in tools {
            let sample = self.attempt(tool, step);
            self.report.add(self.key(step, point, tool), &sample);
        }
        Ok(())
    }

    /// What has to be there before something is measured. A tool that fails at it gets a second chance.
    fn each_tool_untimed(&mut self, step: Step) -> Result<(), String> {
        for tool in self.arguments.tools.clone() {
            self.attempt(tool, step).or_else(|_| self.attempt(tool, step))?;
        }
        Ok(())
    }

    fn key(&self, step: Step, point: Point, tool: Tool) -> Key {
        Key { what: format!("{}, {}", self.repository, step.name()), point: Some(point), tool: tool.name() }
    }

    fn prepare(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::First => self.arguments.tools.iter().try_for_each(|tool| self.fleet.wipe(*tool)),
            Step::Next => {
                self.fleet.commit();
                Ok(())
            }
            Step::NoOp | Step::Rollback => Ok(()),
        }
    }

    /// One run. Capistrano is known to hang now and then, so what failed is said, and the others go on.
    fn attempt(&self, tool: Tool, step: Step) -> Result<measure::Sample, String> {
        let sample = measure::deploy(self.cage, &self.fleet, tool, step);
        let done = match &sample {
            Ok(sample) => format!("{:.2} s", sample.wall.as_secs_f64()),
            Err(error) => format!("failed: {error}"),
        };
        eprintln!("    {} {}: {done}", tool.name(), step.name());
        sample.map_err(|error| format!("{} {}: {error}", tool.name(), step.name()))
    }

    fn counts(&mut self, link: &Link) -> Result<(), String> {
        let servers = self.fleet.project.servers.len();
        for step in Step::ALL.into_iter().filter(|step| self.arguments.steps.contains(step)) {
            self.prepare(step)?;
            if step == Step::Rollback {
                self.each_tool_untimed(Step::NoOp)?;
            }
            for tool in self.arguments.tools.clone() {
                let counts = counts::count(self.cage, link, &self.fleet, tool, step)?;
                self.report.count(self.key(step, Point { servers, rtt: 0 }, tool), counts);
            }
            if step == Step::First {
                self.each_tool_untimed(Step::NoOp)?;
            }
        }
        Ok(())
    }
}
