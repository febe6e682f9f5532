//! Puts stages together from their layers.

use super::diagnostics::{Problem, Problems};
use super::expand::Names;
use super::find::Project;
use super::reader::{Reader, Text};
use super::request::LoadRequest;
use super::server::ServerReader;
use super::settings_reader::SettingsReader;
use super::task::{self, PlacedTask};
use super::value::{Entry, Table};
use super::{Stage, TransportKind, database, keys, names, recipe};

/// The roles that a server has when it is alone and names none, besides those that tasks and recipes name.
const USUAL_ROLES: [&str; 3] = ["app", "web", "db"];

/// Whether a stage's name says that it is what visitors see: `production`, `prod-eu`, `shop_live`.
fn means_production(name: &str) -> bool {
    let words = || name.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
    let has = |known: &[&str]| words().any(|word| known.contains(&&*word));
    has(&["production", "prod", "prd", "live"]) && !has(&["pre", "non", "no", "not", "like"])
}

/// What all stages are read from.
pub(super) struct Stages<'a> {
    pub(super) request: &'a LoadRequest,
    pub(super) project: &'a Project,
    pub(super) problems: &'a Problems,
    /// The file's top level.
    pub(super) top: &'a Table,
    /// Variables and flags.
    pub(super) over: &'a Table,
}

impl<'a> Stages<'a> {
    /// The stages, in the order of the file. What is wrong is reported, and reads as a default.
    pub(super) fn read(&self) -> Vec<Stage> {
        let top = self.reader(self.top);
        top.check_keys(&[keys::SETTINGS, keys::TOP]);
        self.check_layer(self.top);
        recipe::check_names(&top, &self.request.recipes);
        let stages = top.named_tables("stages");
        self.check_overrides(&stages);
        self.check_roles(&top, &stages.iter().map(|(_, reader)| *reader).collect::<Vec<_>>());
        let precious = self.precious(&stages);
        let is_precious = |entry: &Entry| precious.contains(&entry.key) || means_production(&entry.key);
        stages
            .into_iter()
            .map(|(entry, reader)| Stage {
                protected: reader.boolean("protected").unwrap_or(is_precious(entry)),
                ..self.stage(entry, &reader)
            })
            .collect()
    }

    /// The stages whose data others take, as the file says: no flag makes a stage less precious.
    fn precious(&self, stages: &[(&Entry, Reader<'_>)]) -> Vec<String> {
        let tables = stages.iter().map(|(_, reader)| reader.table).chain([self.top]);
        tables.filter_map(database::source_of).map(str::to_owned).collect()
    }

    fn stage(&self, entry: &Entry, own: &Reader<'_>) -> Stage {
        self.check_stage(entry, own);
        let transports = [("ssh", TransportKind::Ssh), ("local", TransportKind::Local)];
        let transport = own.choice("transport", &transports).unwrap_or(TransportKind::Ssh);
        let mut lower = layer(self.top);
        database::give_way(&mut lower, own.table);
        lower.merge(&layer(own.table));
        let upper = self.overrides_of(&entry.key);
        let mut merged = lower.clone();
        database::give_way(&mut merged, &upper);
        merged.merge(&upper);
        let merged = self.reader(&merged);

        self.check_required(&merged);
        let mut settings = self.settings(&merged, &entry.key);
        let application = settings.application();
        settings.names.application = application.as_deref();
        let tasks = task::read_tasks(&merged);
        let servers = ServerReader {
            transport,
            root: &self.project.root,
            default_deploy_to: &self.project.work_dir.join(&entry.key),
            names: settings.names,
            stage: entry.key_span,
            lower: &lower,
            upper: &upper,
            all_roles: all_roles(&tasks, &recipe::named_roles(&merged)),
            problems: self.problems,
        };
        Stage {
            name: entry.key.clone(),
            transport,
            protected: false,
            servers: servers.read(own),
            settings: settings.read(),
            tasks: tasks.into_iter().map(|placed| placed.task).collect(),
            recipes: recipe::read(&lower, &merged, &self.request.bundles, self.request.color),
        }
    }

    /// Checks what can be checked in the stage's own table.
    fn check_stage(&self, entry: &Entry, own: &Reader<'_>) {
        own.check_keys(&[keys::SETTINGS, keys::STAGE]);
        self.check_name(entry);
        self.check_layer(own.table);
        self.check_roles(own, &[*own]);
        recipe::check_names(own, &self.request.recipes);
    }

    fn reader<'t>(&self, table: &'t Table) -> Reader<'t>
    where
        'a: 't,
    {
        Reader::new(table, self.problems)
    }

    /// A reader of settings. The application's name stands for itself until it is known.
    fn settings<'t>(&self, reader: &Reader<'t>, stage: &'t str) -> SettingsReader<'t>
    where
        'a: 't,
    {
        let names = Names { application: Some("{application}"), stage, host: None };
        SettingsReader { request: self.request, root: &self.project.root, names, reader: *reader }
    }

    /// Checks the settings of one layer, which others may hide in every stage.
    fn check_layer(&self, table: &Table) {
        let reader = self.reader(table);
        self.settings(&reader, "{stage}").read();
        task::read_tasks(&reader);
    }

    fn check_overrides(&self, stages: &[(&Entry, Reader<'_>)]) {
        let over = self.reader(self.over);
        over.check_keys(&[keys::SETTINGS, keys::OVERRIDES]);
        self.check_layer(self.over);
        recipe::check_names(&over, &self.request.recipes);
        for (entry, reader) in over.named_tables("stages") {
            if !stages.iter().any(|(stage, _)| stage.key == entry.key) {
                let known = stages.iter().map(|(stage, _)| stage.key.as_str());
                self.problems.add(Problem::unknown("stage", &entry.key, entry.key_span, known));
            }
            reader.check_keys(&[keys::SETTINGS, &["recipes"]]);
            self.check_layer(reader.table);
            recipe::check_names(&reader, &self.request.recipes);
        }
    }

    /// What variables and flags say for the stage `name`: what is for it alone wins over what is for all.
    fn overrides_of(&self, name: &str) -> Table {
        let mut table = layer(self.over);
        let own = self.over.get("stages").and_then(|stages| stages.as_table()?.get(name)?.as_table());
        if let Some(own) = own {
            table.merge(&layer(own));
        }
        table
    }

    fn check_name(&self, entry: &Entry) {
        let name = &entry.key;
        let problem = if !names::is_plain(name) {
            Problem::new(format!("`{name}` can't be the name of a stage"))
                .at(entry.key_span, "expected letters, digits, `_`, `-` and `.`, beginning with a letter or digit")
        } else if self.is_reserved(name) {
            Problem::new(format!("`{name}` can't be the name of a stage"))
                .at(entry.key_span, "the name of a task")
                .help(format!("`cargo xtask deploy {name}` would have two meanings; choose another name"))
        } else {
            return;
        };
        self.problems.add(problem);
    }

    /// Whether `name` is the name of a sub-task on the command line, where `-` and `_` are the same.
    fn is_reserved(&self, name: &str) -> bool {
        self.request.reserved_stages.iter().any(|reserved| reserved.replace('-', "_") == name.replace('-', "_"))
    }

    fn check_required(&self, merged: &Reader<'_>) {
        let examples = [("application", "shop"), ("repo_url", "git@git.example.com:shop.git")];
        for (key, example) in examples.iter().filter(|(key, _)| merged.node(key).is_none()) {
            self.problems.add(
                Problem::new(format!("missing key `{key}`"))
                    .help(format!("write `{key} = \"{example}\"` before the first table")),
            );
        }
    }

    /// Reports roles of tasks of the table `outer` that no server of `stages` has.
    fn check_roles(&self, outer: &Reader<'_>, stages: &[Reader<'_>]) {
        let Some(known) = written_roles(stages) else { return };
        for role in task::read_tasks(outer).iter().flat_map(|task| &task.roles) {
            if !known.iter().any(|known| known.text == role.text) {
                let known = known.iter().map(|role| role.text.as_str());
                self.problems.add(Problem::unknown("role", &role.text, role.span, known));
            }
        }
    }
}

/// The part of a table that is merged with other layers.
fn layer(table: &Table) -> Table {
    table.only(&[keys::SETTINGS, &["recipes", "tasks"]].concat())
}

/// The roles that the servers of `stages` name; `None` when no server names any, and so every role is good.
fn written_roles(stages: &[Reader<'_>]) -> Option<Vec<Text>> {
    let servers = stages.iter().flat_map(|stage| stage.array_of_tables("servers").unwrap_or_default());
    let mut written = servers.filter_map(|(_, server)| names::roles(&server, "roles")).peekable();
    written.peek()?;
    let mut roles: Vec<Text> = Vec::new();
    for role in written.flatten() {
        if !roles.iter().any(|known| known.text == role.text) {
            roles.push(role);
        }
    }
    Some(roles)
}

/// Every role that means something in a stage.
fn all_roles(tasks: &[PlacedTask], of_recipes: &[String]) -> Vec<String> {
    let mut roles: Vec<String> = USUAL_ROLES.map(str::to_owned).into();
    for role in tasks.iter().flat_map(|task| &task.task.roles).chain(of_recipes) {
        if !roles.contains(role) {
            roles.push(role.clone());
        }
    }
    roles
}
