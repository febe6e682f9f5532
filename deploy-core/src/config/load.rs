//! From a file, variables and flags to a [`Config`].

use std::path::Path;

use toml::de::DeTable;

use super::diagnostics::{Problem, Problems};
use super::find::Project;
use super::layers::Override;
use super::reader::Reader;
use super::recipe::RecipeTable;
use super::request::LoadRequest;
use super::source::{Source, Sources};
use super::stage::Stages;
use super::task;
use super::value::{Convert, Table};
use super::{Config, Server, Stage};
use crate::error::{Error, Result};
use crate::secret;

impl Config {
    /// Finds the configuration file and the folders that belong to it; `None` when there is no such file.
    ///
    /// For what also works without: help, the list of tasks. It doesn't read the file.
    pub fn find(request: &LoadRequest) -> Result<Option<Project>> {
        Project::find(request)
    }

    /// Finds, reads and checks the configuration.
    ///
    /// # Errors
    ///
    /// One error tells of every problem of every stage, each with the text that causes it.
    pub fn load(request: &LoadRequest) -> Result<Config> {
        let project = Project::find(request)?.ok_or_else(|| Project::missing(request))?;
        let text = std::fs::read_to_string(&project.file)
            .map_err(|error| Error::config(format!("failed to read `{}`", project.file.display())).because(error))?;
        Config::parse(request, project, text)
    }

    /// Has what is secret in it shown nowhere from now on.
    pub(crate) fn keep_secrets(&self) {
        for stage in &self.stages {
            secret::keep_those_of(&stage.settings.repo_url);
            stage.settings.database.keep_secrets();
            let variables = stage.tasks.iter().map(|task| &task.env).chain([&stage.settings.default_env]);
            variables.flatten().for_each(|(name, value)| secret::keep_named(name, value));
            let recipes = stage.recipes.values().map(RecipeTable::to_toml);
            let servers = stage.servers.iter().map(|server| server.properties.clone());
            recipes.chain(servers).flatten().for_each(|(key, value)| keep_named(&key, &value));
        }
    }

    pub(super) fn parse(request: &LoadRequest, project: Project, text: String) -> Result<Config> {
        let overrides = Override::collect(request)?;
        let file = Source { file: Some(shown_name(&request.start, &project.file)), text };
        let sources =
            || Sources::new(std::iter::once(file.clone()).chain(overrides.iter().map(Override::source)).collect());
        let problems = Problems::new(sources());
        let top = parse_file(&problems);
        if problems.any() {
            return Err(problems.into_error(request.color));
        }
        let over = merge(&overrides);
        let stages = Stages { request, project: &project, problems: &problems, top: &top, over: &over }.read();
        let commands = task::read_commands(&Reader::new(&top, &problems), &request.reserved_commands);
        if problems.any() {
            return Err(problems.into_error(request.color));
        }
        let led_elsewhere = if overrides.is_empty() {
            Vec::new()
        } else {
            // What only a flag completes is no problem.
            let (unheard, nothing) = (Problems::new(sources()), Table::default());
            let filed = Stages { request, project: &project, problems: &unheard, top: &top, over: &nothing }.read();
            filed.into_iter().filter_map(|filed| led_elsewhere(&stages, filed)).collect()
        };
        let Project { root, work_dir, file, .. } = project;
        Ok(Config { root, work_dir, file, stages, commands, led_elsewhere })
    }
}

/// The stage as the file alone has it, if it is protected and variables or flags lead its database elsewhere. They may say who
/// logs in there.
fn led_elsewhere(stages: &[Stage], mut filed: Stage) -> Option<Stage> {
    let stage = stages.iter().find(|stage| stage.protected && stage.name == filed.name)?;
    let (now, own) = (&stage.settings.database, &mut filed.settings.database);
    own.parts.user.clone_from(&now.parts.user);
    own.parts.password.clone_from(&now.parts.password);
    let places = |stage: &Stage| stage.servers.iter().map(Server::label).collect::<Vec<_>>();
    let is_same = (&own.connection, &own.parts) == (&now.connection, &now.parts) && places(stage) == places(&filed);
    (!is_same && filed.settings.database.is_configured()).then_some(filed)
}

/// The file's tables; what is no TOML is reported.
fn parse_file(problems: &Problems) -> Table {
    let (document, errors) = DeTable::parse_recoverable(problems.sources().file_text());
    let convert = Convert { source: Sources::FILE, offset: 0 };
    for error in errors {
        let span = error.span().map(|range| convert.span(range));
        problems.add(Problem::syntax(error.message(), span));
    }
    convert.table(document.get_ref())
}

/// What all variables and flags set together; source 0 is the file.
fn merge(overrides: &[Override]) -> Table {
    let mut table = Table::default();
    for (number, value) in overrides.iter().enumerate() {
        table.merge(&value.table(number + 1));
    }
    table
}

/// The file as the user would name it from where they are.
fn shown_name(start: &Path, file: &Path) -> String {
    file.strip_prefix(start).unwrap_or(file).display().to_string()
}

/// Has what is secret in the value of `key` shown nowhere.
fn keep_named(key: &str, value: &toml::Value) {
    match value {
        toml::Value::String(text) => secret::keep_named(key, text),
        toml::Value::Array(items) => items.iter().for_each(|item| keep_named(key, item)),
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| keep_named(key, value)),
        _ => {}
    }
}
