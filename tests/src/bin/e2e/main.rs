//! Runs every check and every test of the workspace: `cargo xtask test [--full] [FILTER…]`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports on the terminal")]

mod needs;
mod step;
mod tally;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use step::Step;
use tally::Tally;

const USAGE: &str = "\
Run every check and every test of the workspace

Usage: cargo xtask test [--full] [FILTER…]

Arguments:
  [FILTER…]  Run only tests whose names contain one of these, and no other checks

Options:
      --full  Run the long trials too
  -h, --help  Print help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().find(|word| word.starts_with('-') && *word != "--full") {
        Some(help) if help == "-h" || help == "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(unknown) => {
            eprintln!("error: unknown option `{unknown}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
        None => {}
    }
    let (full, filters): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|word| word == "--full");
    if let Err(message) = needs::meet() {
        eprintln!("error: {message}");
        println!("\n{}", Tally { passed: 0, failed: 1 });
        return ExitCode::FAILURE;
    }
    run(step::steps(!full.is_empty(), &filters))
}

/// Runs all the steps, whatever becomes of each, and closes with the sum.
fn run(steps: Vec<Step>) -> ExitCode {
    let mut total = Tally::default();
    let mut failures = Vec::new();
    let times = std::env::temp_dir().join(format!("e2e-times-{}", std::process::id()));
    for mut step in steps {
        step.timed(&times);
        let title = step.title;
        println!("\n==> {title}");
        let start = Instant::now();
        let tally = step.run();
        println!("==> {title}: {tally}, in {:.1} s", start.elapsed().as_secs_f64());
        if tally.failed > 0 {
            failures.push(title);
        }
        total += tally;
    }
    print_slowest(&times);
    if !failures.is_empty() {
        println!("\nfailed: {}", failures.join(", "));
    }
    println!("\n{total}");
    match total {
        Tally { failed: 0, passed: 1.. } => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The tests that a faster suite begins with.
fn print_slowest(times: &Path) {
    println!("\nslowest tests:");
    for (test, milliseconds) in e2e::slowest(times, 10) {
        println!("{:7.1} s  {test}", Duration::from_millis(milliseconds).as_secs_f64());
    }
    let _ = std::fs::remove_file(times);
}
