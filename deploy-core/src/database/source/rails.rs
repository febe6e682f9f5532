//! `database.yml`, as Active Record takes it.
//!
//! Ruby alone reads it, since that takes no time. Where it needs more than that, the application is asked.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Source;
use crate::database::adapter::{Given, read_fact};
use crate::error::{Error, Result};
use crate::script::{Arg, Cmd, Script};
use crate::sh;
use crate::task::Job;

/// Reads it without the application.
const PLAIN: &str = include_str!("database_yml.rb");

/// A task for rake that asks the application.
const APPLICATION: &str = include_str!("application.rb");

/// The file that applications read, and so the only one that they can be asked about.
const FILE: &str = "config/database.yml";

/// What may be said instead.
const OTHERWISE: &str = "or say the connection in another way: url_env, env_file, or host, user and name of [database]";

/// What Ruby says.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// What Active Record would connect by.
    Settings(BTreeMap<String, String>),
    /// Why only the application knows.
    Ask(String),
    /// What is wrong.
    Refused(String),
}

/// What the application connects to in the environment `section`.
///
/// # Errors
///
/// When `file` is wrong, or the application has to be asked, and gives no answer.
pub(super) fn ask(source: &Source<'_>, file: &str, section: &str) -> Result<Given> {
    let settings = match run(source, plain(file, section))? {
        Answer::Ask(why) => the_application(source, file, section, &why)?,
        answer => settled(answer)?,
    };
    match settings.get("adapter").map(String::as_str) {
        Some("postgresql" | "postgis") => Ok(Given::Settings(file.to_owned(), settings)),
        Some(adapter) => Err(Error::config(format!("`{file}` says that the database is of the kind `{adapter}`"))
            .hint("only `postgresql` is supported so far")),
        None => Err(Error::config(format!("`{file}` names no adapter for `{section}`"))
            .hint("it should say `adapter: postgresql`, or have a URL that begins with `postgresql://`")),
    }
}

fn the_application(source: &Source<'_>, file: &str, section: &str, why: &str) -> Result<BTreeMap<String, String>> {
    if file != FILE {
        return Err(Error::config(format!("`{file}` can't be read without the application: {why}"))
            .hint(format!("the application itself can be asked only about `{FILE}`"))
            .hint(OTHERWISE));
    }
    let answer = run(source, application(section)).map_err(|error| {
        error.hint(format!("the application was asked for its database, since ruby alone can't tell: {why}"))
    })?;
    settled(answer)
}

fn run(source: &Source<'_>, script: Script) -> Result<Answer> {
    let job = Job { script, dir: source.application() };
    let found = source.machine.run(vec![job], &mut |_, _| {}).map_err(|error| error.hint(OTHERWISE))?;
    // What is wrong with it isn't quoted: it may be the password.
    read_fact(&found, "database")
        .ok()
        .flatten()
        .ok_or_else(|| Error::task("ruby's answer about the application's database is not understood").hint(OTHERWISE))
}

fn settled(answer: Answer) -> Result<BTreeMap<String, String>> {
    match answer {
        Answer::Settings(settings) => Ok(settings),
        Answer::Ask(why) | Answer::Refused(why) => Err(Error::config(why).hint(OTHERWISE)),
    }
}

/// The text is in UTF-8 whatever the server's locale is.
fn plain(file: &str, section: &str) -> Script {
    let ruby = Cmd::new("ruby").args(["-E", "UTF-8", "-e"]).arg(Arg::brief(PLAIN, "database_yml.rb"));
    sh!(
        "command -v ruby >/dev/null 2>&1 || deploy_note 'there is no ruby on the PATH of this machine to read database.yml by'"
    )
    .fact("database", ruby.args([file, section]).env("RAILS_ENV", section).env("LC_ALL", "C.UTF-8"))
}

fn application(section: &str) -> Script {
    let rake = Cmd::new("rake").args(["-E", "eval ENV.fetch('XTASK_DATABASE')", "xtask:database"]);
    sh!("export XTASK_DATABASE={}", Arg::brief(APPLICATION, "application.rb"))
        .fact("database", rake.env("RAILS_ENV", section))
}

#[cfg(test)]
#[path = "rails_tests.rs"]
mod tests;
