//! The command line.

use std::fs;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::report::Report;
use crate::tools::{Step, Tool};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Deploy,
    Rollback,
    Tasks,
    Copy,
}

/// How many servers, and how far away they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) servers: usize,
    /// The round-trip time, in milliseconds.
    pub(crate) rtt: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Table,
    Markdown,
    Json,
}

/// The command line, understood.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) subject: Subject,
    pub(crate) points: Vec<Point>,
    /// The repositories, by name.
    pub(crate) repositories: Vec<String>,
    pub(crate) steps: Vec<Step>,
    /// Who is measured: this tool and those that it is measured against.
    pub(crate) tools: Vec<Tool>,
    pub(crate) rounds: usize,
    /// Whether processes, bytes and commands are counted too, in runs of their own.
    pub(crate) counts: bool,
    /// Rows of the database that is copied, in millions.
    pub(crate) rows: usize,
    format: Format,
    json: Option<PathBuf>,
    chart: Option<PathBuf>,
    into: Option<PathBuf>,
}

/// Reads the command line, or says what is wrong with it and ends.
pub(crate) fn parse() -> Arguments {
    Arguments::of(&grammar().get_matches())
}

fn grammar() -> Command {
    let deploy = Command::new("deploy").about("The first deploy, the next ones with a new commit, and without one");
    let rollback = Command::new("rollback").about("Going back to the release before");
    let tasks = Command::new("tasks").about("Listing the tasks: `cargo xtask tasks` against `cap -T`");
    let copy = Command::new("copy").about("`db restore-from-prod` against pg_dump, zstd and pg_restore over ssh");
    Command::new("cargo xtask bench")
        .about("Measure this tool, built as a release, against Capistrano and plain ssh")
        .subcommand_required(true)
        .subcommand(output(fleet(deploy).arg(steps()), "5"))
        .subcommand(output(fleet(rollback), "5"))
        .subcommand(output(tasks.arg(against()), "20"))
        .subcommand(output(copy.arg(rtt()).arg(rows()), "3"))
}

fn fleet(command: Command) -> Command {
    command.arg(servers()).arg(rtt()).args([
        Arg::new("at")
            .long("at")
            .value_name("SERVERS:RTT")
            .value_delimiter(',')
            .value_parser(point)
            .conflicts_with_all(["servers", "rtt"])
            .help("Pairs, in place of every combination of --servers and --rtt: `10:50,100:0`"),
        Arg::new("repo")
            .long("repo")
            .value_delimiter(',')
            .value_parser(["small", "app"])
            .default_value("small")
            .help("The repositories: a few files, or 2,000 files, 30 MB and 300 commits"),
        against(),
        Arg::new("no-counts").long("no-counts").action(ArgAction::SetTrue).help("Only measure times"),
        file("chart").help("Draw an SVG"),
        file("into").help("Put chart and tables between `<!-- bench -->` and `<!-- /bench -->` of this document"),
    ])
}

fn servers() -> Arg {
    Arg::new("servers")
        .long("servers")
        .value_delimiter(',')
        .value_parser(value_parser!(u16).range(1..=10_000))
        .default_value("1,10")
        .help("How many servers, one or several numbers")
}

fn rtt() -> Arg {
    Arg::new("rtt")
        .long("rtt")
        .value_name("MS")
        .value_delimiter(',')
        .value_parser(value_parser!(u16).range(0..=5000))
        .default_value("0")
        .help("Round-trip times in milliseconds, one or several numbers")
}

fn against() -> Arg {
    Arg::new("against")
        .long("against")
        .value_delimiter(',')
        .value_parser(PossibleValuesParser::new(["capistrano", "ssh", "none"]))
        .default_value("capistrano,ssh")
        .help("Against Debian's Capistrano, and against one plain `ssh` and one script for each server")
}

fn steps() -> Arg {
    Arg::new("steps")
        .long("steps")
        .value_delimiter(',')
        .value_parser(PossibleValuesParser::new(Step::ALL.map(Step::name)))
        .default_value("first,next,no-op")
        .help("What is measured")
}

fn rows() -> Arg {
    Arg::new("rows")
        .long("rows")
        .value_name("MILLIONS")
        .value_parser(value_parser!(u16).range(1..=100))
        .default_value("3")
        .help("Millions of rows of the database that is copied")
}

fn output(command: Command, rounds: &'static str) -> Command {
    let formats = PossibleValuesParser::new(["table", "markdown", "json"]);
    command.args([
        Arg::new("rounds")
            .long("rounds")
            .value_name("N")
            .value_parser(value_parser!(u16).range(1..=1000))
            .default_value(rounds)
            .help("How often each is measured; all take turns"),
        Arg::new("format").long("format").value_parser(formats).default_value("table").help("What is printed"),
        file("json").help("Write everything that was measured to a file too"),
    ])
}

fn file(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf))
}

fn point(text: &str) -> Result<Point, String> {
    let parse = |text: &str| text.parse::<u16>().map_err(|error| format!("`{text}`: {error}"));
    let (servers, rtt) = text.split_once(':').ok_or("two numbers are expected, such as `10:50`")?;
    match (parse(servers)?, parse(rtt)?) {
        (0, _) => Err("a fleet has one server at least".to_owned()),
        (servers, rtt) => Ok(Point { servers: servers.into(), rtt: rtt.into() }),
    }
}

impl Arguments {
    fn of(matches: &ArgMatches) -> Arguments {
        let (subject, matches) = matches.subcommand().expect("one is required");
        let subject = match subject {
            "deploy" => Subject::Deploy,
            "rollback" => Subject::Rollback,
            "tasks" => Subject::Tasks,
            _ => Subject::Copy,
        };
        let texts = |name: &str| many::<String>(matches, name);
        let one = |name: &str| single::<u16>(matches, name).map_or(0, usize::from);
        let steps = match subject {
            Subject::Rollback => vec![Step::Rollback],
            _ => Step::ALL.into_iter().filter(|step| texts("steps").iter().any(|name| name == step.name())).collect(),
        };
        let wanted = |tool: &Tool| *tool == Tool::Xtask || texts("against").iter().any(|name| name == tool.name());
        Arguments {
            subject,
            points: points(matches),
            repositories: texts("repo"),
            steps,
            tools: Tool::ALL.into_iter().filter(wanted).collect(),
            rounds: one("rounds"),
            counts: !single::<bool>(matches, "no-counts").unwrap_or(true),
            rows: one("rows"),
            format: match single::<String>(matches, "format").as_deref() {
                Some("json") => Format::Json,
                Some("markdown") => Format::Markdown,
                _ => Format::Table,
            },
            json: single(matches, "json"),
            chart: single(matches, "chart"),
            into: single(matches, "into"),
        }
    }

    /// Prints the report, and writes the files that were asked for.
    pub(crate) fn publish(&self, report: &Report) -> Result<(), String> {
        let write = |path: &PathBuf, text: String| {
            fs::write(path, text).map_err(|error| format!("failed to write `{}`: {error}", path.display()))
        };
        if let Some(path) = &self.json {
            write(path, report.json())?;
        }
        if let Some(path) = &self.chart {
            write(path, report.chart())?;
        }
        if let Some(path) = &self.into {
            let document = fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
            let document = report.insert(&document, self.chart.as_deref());
            write(path, document.map_err(|error| format!("`{}` has {error}", path.display()))?)?;
        }
        let text = match self.format {
            Format::Table => report.table(),
            Format::Markdown => report.markdown(),
            Format::Json => report.json(),
        };
        println!("{}", text.trim_end());
        Ok(())
    }
}

fn points(matches: &ArgMatches) -> Vec<Point> {
    let pairs = many::<Point>(matches, "at");
    if !pairs.is_empty() {
        return pairs;
    }
    let rtts = many::<u16>(matches, "rtt");
    let servers = many::<u16>(matches, "servers");
    let at = |servers: &u16| {
        let servers = usize::from(*servers);
        rtts.iter().map(move |rtt| Point { servers, rtt: (*rtt).into() }).collect::<Vec<_>>()
    };
    if servers.is_empty() { at(&1) } else { servers.iter().flat_map(at).collect() }
}

/// The values of an option; none if the subcommand doesn't have it.
fn many<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<T> {
    matches.try_get_many::<T>(name).ok().flatten().into_iter().flatten().cloned().collect()
}

fn single<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Option<T> {
    matches.try_get_one::<T>(name).ok().flatten().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Arguments {
        let words = std::iter::once("bench").chain(line.split(' '));
        Arguments::of(&grammar().try_get_matches_from(words).unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn every_combination_is_measured_or_the_pairs_that_are_named() {
        let at = |servers, rtt| Point { servers, rtt };
        assert_eq!(parsed("deploy --servers 1,10 --rtt 0,50").points, [at(1, 0), at(1, 50), at(10, 0), at(10, 50)]);
        assert_eq!(parsed("deploy --at 10:50,100:0").points, [at(10, 50), at(100, 0)]);
        assert_eq!(parsed("copy --rtt 0,50").points, [at(1, 0), at(1, 50)]);
    }

    #[test]
    fn this_tool_is_always_measured() {
        assert_eq!(parsed("deploy").tools, Tool::ALL);
        assert_eq!(parsed("deploy --against ssh").tools, [Tool::Xtask, Tool::Ssh]);
        assert_eq!(parsed("rollback --against none").tools, [Tool::Xtask]);
    }

    #[test]
    fn each_subject_has_steps_of_its_own() {
        assert_eq!(parsed("deploy --steps no-op,first").steps, [Step::First, Step::NoOp]);
        assert_eq!(parsed("rollback").steps, [Step::Rollback]);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in
            ["", "deploy --servers 0", "deploy --at 10", "deploy --at 0:5", "deploy --at 1:1 --rtt 3", "tasks x"]
        {
            let words = std::iter::once("bench").chain(line.split_whitespace());
            assert!(grammar().try_get_matches_from(words).is_err(), "{line}");
        }
    }
}
