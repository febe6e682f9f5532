//! Reads tasks and commands that are written in `deploy.toml`.

use super::diagnostics::Problem;
use super::reader::{Reader, Text};
use super::settings_reader::read_env;
use super::value::{Entry, Value};
use super::{Command, TextTask, keys, names};

/// A task, and its roles with their places.
pub(super) struct PlacedTask {
    pub(super) task: TextTask,
    pub(super) roles: Vec<Text>,
}

/// The tasks of the table that `outer` reads, in the order of the file.
pub(super) fn read_tasks(outer: &Reader<'_>) -> Vec<PlacedTask> {
    outer.named_tables("tasks").into_iter().filter_map(|(entry, reader)| read_task(entry, &reader)).collect()
}

fn read_task(entry: &Entry, reader: &Reader<'_>) -> Option<PlacedTask> {
    reader.check_keys(&[keys::TASK]);
    if !names::is_task_id(&entry.key) {
        reader.problems.add(
            Problem::new(format!("`{}` can't be the name of a task", entry.key))
                .at(entry.key_span, "expected lower case letters, digits and `_`, with `:` between parts"),
        );
    }
    let run = run_text(entry, reader);
    let roles = names::roles(reader, "roles").unwrap_or_default();
    let primary = reader.boolean("primary").unwrap_or(false);
    if primary && roles.is_empty() {
        let span = reader.table.entry("primary").map_or(entry.key_span, |entry| entry.key_span);
        reader.problems.add(
            Problem::new(format!("task `{}` has `primary` but no `roles`", entry.key))
                .at(span, "of which role?")
                .help("write the role, such as `roles = [\"db\"]`"),
        );
    }
    let (before, after) = (hooks(reader, "before"), hooks(reader, "after"));
    let place = |hook: &Text| (hook.text.clone(), reader.problems.sources().place(hook.span));
    let hooked_at = before.iter().chain(&after).map(place).collect();
    let texts = |hooks: Vec<Text>| hooks.into_iter().map(|hook| hook.text).collect();
    let as_user = names::user(reader, "as").map(|user| user.text);
    let env = read_env(reader, "env");
    let about = reader.line("about").map(|about| about.text);
    let run = run?;
    let task = TextTask {
        id: entry.key.clone(),
        about: about.unwrap_or_else(|| run.trim().lines().next().unwrap_or_default().to_owned()),
        run,
        roles: roles.iter().map(|role| role.text.clone()).collect(),
        primary,
        before: texts(before),
        after: texts(after),
        hooked_at,
        as_user,
        env,
    };
    Some(PlacedTask { task, roles })
}

/// Shell text: any characters but NUL, which no shell takes.
fn run_text(entry: &Entry, reader: &Reader<'_>) -> Option<String> {
    let Some(node) = reader.node("run") else {
        reader.problems.add(
            Problem::new(format!("task `{}` has no `run`", entry.key))
                .at(entry.key_span, "expected `run = \"…\"` below it"),
        );
        return None;
    };
    let text = reader.string("run")?;
    if text.trim().is_empty() || text.contains('\0') {
        reader.problems.add(Problem::new("`run` is not a command").at(node.span, "expected shell text"));
        return None;
    }
    Some(text.text)
}

/// The ids of the tasks before or after which a task runs.
fn hooks(reader: &Reader<'_>, key: &str) -> Vec<Text> {
    let ids = reader.one_or_more(key).unwrap_or_default();
    for id in ids.iter().filter(|id| !names::is_task_id(id)) {
        let title = format!("`{}` can't be the name of a task", id.text);
        reader.problems.add(Problem::new(title).at(id.span, "expected a name such as `deploy:published`"));
    }
    ids
}

/// The project's own commands, in the order of the file. Their names are neither `reserved` nor the first words of `tasks`.
pub(super) fn read_commands(top: &Reader<'_>, reserved: &[String], tasks: &[&TextTask]) -> Vec<Command> {
    let tables = top.named_tables("commands");
    tables.into_iter().filter_map(|(entry, reader)| read_command(entry, &reader, reserved, tasks)).collect()
}

fn read_command(entry: &Entry, reader: &Reader<'_>, reserved: &[String], tasks: &[&TextTask]) -> Option<Command> {
    let first = |task: &TextTask| task.id.split(':').next().unwrap_or_default().replace('_', "-");
    if let Some(task) = tasks.iter().find(|task| first(task) == entry.key.replace('_', "-")) {
        let title = format!("`cargo xtask {}` would be both this command and the task `{}`", entry.key, task.id);
        reader.problems.add(Problem::new(title).at(entry.key_span, "choose another name"));
    }
    reader.check_keys(&[keys::COMMAND]);
    if !names::is_plain(&entry.key) {
        let title = format!("`{}` can't be the name of a command", entry.key);
        reader.problems.add(Problem::new(title).at(entry.key_span, "expected letters, digits, `_`, `-` and `.`"));
    }
    if reserved.contains(&entry.key) {
        let title = format!("command `{}` exists already", entry.key);
        reader.problems.add(Problem::new(title).at(entry.key_span, "choose another name"));
    }
    let about = reader.line("about").map(|about| about.text);
    let run = words(entry, reader)?;
    Some(Command { name: entry.key.clone(), about: about.unwrap_or_else(|| run.join(" ")), run })
}

/// The program and its arguments: an array, or a string that is split at blanks.
fn words(entry: &Entry, reader: &Reader<'_>) -> Option<Vec<String>> {
    let Some(node) = reader.node("run") else {
        let title = format!("command `{}` has no `run`", entry.key);
        reader.problems.add(Problem::new(title).at(entry.key_span, "expected `run = \"…\"` below it"));
        return None;
    };
    let texts = reader.one_or_more("run")?;
    if let (Value::String(text), true) = (&node.value, texts.iter().any(|text| text.contains(SHELL_SYNTAX))) {
        reader.problems.add(
            Problem::new("shell syntax in a command")
                .at(node.span, "no shell reads it: it is split at blanks only")
                .help(format!("write an array: `run = [\"sh\", \"-c\", {text:?}]`")),
        );
        return None;
    }
    let words: Vec<String> = match node.value {
        Value::String(_) => texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect(),
        _ => texts.into_iter().map(|text| text.text).collect(),
    };
    if words.is_empty() {
        reader.problems.add(Problem::new("`run` is empty").at(node.span, "expected a program and its arguments"));
    }
    Some(words).filter(|words| !words.is_empty())
}

/// What means something to a shell, and would go to the program as it is.
const SHELL_SYNTAX: [char; 10] = ['\'', '"', '\\', '`', '$', '|', '&', ';', '<', '>'];
