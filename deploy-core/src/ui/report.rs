//! What is printed outside of a run's progress: the error that ends it, and data that was asked for.

use super::outlet::{self, Goes};
use super::settings::Surroundings;
use super::text::{Line, Style, printable};
use crate::error::{Error, Result};

/// Prints `error` to standard error, as cargo would: `error: ` and the message, what stands below it, the causes, and
/// what to do.
pub fn report(error: &Error, surroundings: Surroundings) {
    let goes = surroundings.stderr_goes();
    outlet::complain(&describe(error, goes == Goes::ToColours), goes);
}

/// Prints `text`, which a command was asked for, to standard output. Whoever reads it may stop early.
///
/// # Errors
///
/// When it can't be written, for example because the disk is full.
pub fn print_data(text: &str, surroundings: Surroundings) -> Result<()> {
    outlet::print(text, surroundings.stdout_goes())
}

/// Prints `json`, which a command was asked for, to standard output.
///
/// # Errors
///
/// As [`print_data`].
pub(crate) fn print_json(json: &str) -> Result<()> {
    outlet::print(json, Goes::AsJson)
}

/// Prints `lines`, which a command was asked for, to standard output, in colours where they are wanted.
///
/// # Errors
///
/// As [`print_data`].
pub(crate) fn print_page(lines: &[Line], surroundings: Surroundings) -> Result<()> {
    let goes = surroundings.stdout_goes();
    let text = lines.iter().map(|line| line.render(goes == Goes::ToColours) + "\n").collect::<String>();
    outlet::print(&text, goes)
}

/// Prints what clap has to say of the command line: help to standard output, errors to standard error.
pub(crate) fn print_usage(error: &clap::Error, surroundings: Surroundings) -> Result<()> {
    let goes = if error.use_stderr() { surroundings.stderr_goes() } else { surroundings.stdout_goes() };
    let text = if goes == Goes::ToColours { error.render().ansi().to_string() } else { error.render().to_string() };
    if error.use_stderr() {
        outlet::complain(&text, goes);
        return Ok(());
    }
    outlet::print(&text, goes)
}

fn describe(error: &Error, colour: bool) -> String {
    let mut text = paragraph("", Style::Bad, "error", error.message(), colour);
    if let Some(detail) = error.whole_detail() {
        text.extend([&printable(detail.trim_end(), colour), "\n"]);
    }
    for cause in error.causes() {
        text.push_str(&paragraph("  ", Style::Dim, "cause", &cause, colour));
    }
    for hint in error.all_hints() {
        text.push_str(&paragraph("  ", Style::Attention, "hint", hint, colour));
    }
    text
}

/// `head: text`, where further lines of the text stand below its first.
fn paragraph(indent: &str, style: Style, head: &str, text: &str, colour: bool) -> String {
    let below = format!("\n{}", " ".repeat(indent.len() + head.len() + 2));
    let text = printable(text.trim_end(), false).replace('\n', &below);
    format!("{indent}{} {text}\n", style.paint(&format!("{head}:"), colour))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> Error {
        Error::config("there is no stage `stagin`")
            .detail("deploy.toml:3\n  |\n3 | \x1b[31mstagin\x1b[0m\n")
            .because(anyhow::anyhow!("inner\nline").context("outer \x1b[2J"))
            .hint("did you mean `staging`?")
            .hint("run\n`cargo xtask tasks`")
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        insta::assert_snapshot!(describe(&error(), false), @r"
        error: there is no stage `stagin`
        deploy.toml:3
          |
        3 | stagin
          cause: outer \x1b[2J
          cause: inner
                 line
          hint: did you mean `staging`?
          hint: run
                `cargo xtask tasks`
        ");
    }

    #[test]
    fn on_a_terminal_it_is_coloured_and_the_source_keeps_its_colours() {
        insta::assert_snapshot!(describe(&error(), true).replace('\x1b', "^"), @r"
        ^[1;31merror:^[0m there is no stage `stagin`
        deploy.toml:3
          |
        3 | ^[31mstagin^[0m
          ^[2mcause:^[0m outer \x1b[2J
          ^[2mcause:^[0m inner
                 line
          ^[1;33mhint:^[0m did you mean `staging`?
          ^[1;33mhint:^[0m run
                `cargo xtask tasks`
        ");
    }

    #[test]
    fn without_colours_it_says_what_display_says() {
        let plain = Error::task("failed").detail("x").because(anyhow::anyhow!("why")).hint("do");
        assert_eq!(describe(&plain, false), format!("error: {plain}\n"));
    }
}
