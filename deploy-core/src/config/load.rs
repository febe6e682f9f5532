//! From a file, variables and flags to a [`Config`].

use std::path::Path;

use toml::de::DeTable;

use super::Config;
use super::diagnostics::{Problem, Problems};
use super::find::Project;
use super::layers::Override;
use super::reader::Reader;
use super::request::LoadRequest;
use super::source::{Source, Sources};
use super::stage::Stages;
use super::task;
use super::value::{Convert, Table};
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
        for settings in self.stages.iter().map(|stage| &stage.settings) {
            secret::keep_those_of(&settings.repo_url);
            settings.database.keep_secrets();
        }
    }

    pub(super) fn parse(request: &LoadRequest, project: Project, text: String) -> Result<Config> {
        let overrides = Override::collect(request)?;
        let file = Source { file: Some(shown_name(&request.start, &project.file)), text };
        let sources = std::iter::once(file).chain(overrides.iter().map(Override::source)).collect();
        let problems = Problems::new(Sources::new(sources));
        let top = parse_file(&problems);
        if problems.any() {
            return Err(problems.into_error(request.color));
        }
        let over = merge(&overrides);
        let stages = Stages { request, project: &project, problems: &problems, top: &top, over: &over }.read();
        let tasks: Vec<_> = stages.iter().flat_map(|stage| &stage.tasks).collect();
        let commands = task::read_commands(&Reader::new(&top, &problems), &request.reserved_commands, &tasks);
        if problems.any() {
            return Err(problems.into_error(request.color));
        }
        Ok(Config { root: project.root, work_dir: project.work_dir, file: project.file, stages, commands })
    }
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
