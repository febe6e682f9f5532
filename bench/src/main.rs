//! Measures deploys against Capistrano and against plain `ssh`: `cargo xtask bench --help`.
//!
//! Servers are sshd processes on addresses of their own, and the controller sits in another network namespace, behind a
//! link that delays each packet. All of it lives in namespaces that end with this program ([`cage`]).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports on the terminal")]

mod arguments;
mod cage;
mod copy;
mod counts;
mod delay;
mod deploy;
mod fleet;
mod link;
mod measure;
mod needs;
mod report;
mod repositories;
mod tasks;
mod tools;

use std::process::ExitCode;

use arguments::{Arguments, Subject};
use report::Report;

fn main() -> ExitCode {
    let arguments = arguments::parse();
    let result = match cage::xtask() {
        Some(xtask) => inside(&arguments, &xtask),
        None => outside(&arguments),
    };
    result.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}

/// Builds what is measured, and starts this program anew where it may start servers.
fn outside(arguments: &Arguments) -> Result<ExitCode, String> {
    needs::check(arguments)?;
    eprintln!("==> building xtask as a release");
    let xtask = e2e::xtask();
    if arguments.subject == Subject::Tasks {
        return publish(arguments, &tasks::measure(arguments, xtask)?);
    }
    cage::enter(xtask)
}

fn inside(arguments: &Arguments, xtask: &std::path::Path) -> Result<ExitCode, String> {
    let cage = cage::Cage::furnish()?;
    let report = match arguments.subject {
        Subject::Copy => copy::measure(arguments, &cage, xtask)?,
        _ => deploy::measure(arguments, &cage, xtask)?,
    };
    publish(arguments, &report)
}

fn publish(arguments: &Arguments, report: &Report) -> Result<ExitCode, String> {
    arguments.publish(report)?;
    report.missing().map_or(Ok(ExitCode::SUCCESS), Err)
}
