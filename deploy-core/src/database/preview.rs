//! What the commands would do, without contacting anything: for `--plan` and `--dry-run`.

use std::fmt::Write as _;

use super::adapter::{Adapter, Form, Given, Inventory, Loading, Survey};
use super::postgres::Postgres;
use super::site::{database_of, server_of};
use super::wire::Packing;
use crate::config::{ConnectionSource, Stage, TransportKind};
use crate::error::Result;
use crate::script::Script;
use crate::task::Explain;

/// A part of a command: in words, where it happens, and the scripts that run there.
struct Part {
    words: String,
    place: String,
    scripts: Vec<Script>,
}

/// `db:backup:create`, and what a deploy does before it migrates.
pub(super) fn create(of: &Explain<'_>) -> String {
    text(of, dump_of(of.stage))
}

/// `db:backup:restore`.
pub(super) fn restore(of: &Explain<'_>) -> String {
    let file = of.options.get("file").map_or("<file>", String::as_str);
    text(of, restore_of(of.stage, file))
}

/// `db:restore_from_prod`.
pub(super) fn copy(of: &Explain<'_>) -> String {
    let parts = || {
        let file = of.options.get("file").map_or("the new backup", String::as_str);
        let source = if of.options.contains_key("file") {
            Vec::new()
        } else {
            dump_of(of.config.stage(&database_of(of.stage)?.source)?)?
        };
        Ok(source.into_iter().chain(restore_of(of.stage, file)?).collect())
    };
    text(of, parts())
}

/// `db:backup:undo`.
pub(super) fn undo(of: &Explain<'_>) -> String {
    let parts = || {
        let (adapter, place) = (adapter(of.stage)?, place(of.stage)?);
        let name = adapter.describe();
        let part = |words, scripts| Part { words, place: place.clone(), scripts };
        let hold = adapter.hold(&adapter.names("<stamp>")?, "<folder>", &["<folder>".to_owned()], "undo").0;
        Ok(vec![
            part(
                format!("look at the database {name}, and take the lock on restores of it"),
                vec![adapter.survey(), hold],
            ),
            part(
                format!("put what was replaced last in the place of {name}, which is kept, in one step"),
                vec![adapter.swap("<replaced>", &adapter.names("<stamp>")?.previous, "<session>", None)],
            ),
        ])
    };
    text(of, parts())
}

/// `db:console`.
pub(super) fn console(of: &Explain<'_>) -> String {
    let parts = || {
        let (adapter, place) = (adapter(of.stage)?, place(of.stage)?);
        let words = format!("talk to the database {}", adapter.describe());
        Ok(vec![Part { words, place, scripts: vec![adapter.client(), adapter.console("psql")] }])
    };
    text(of, parts())
}

fn text(of: &Explain<'_>, parts: Result<Vec<Part>>) -> String {
    let parts = match parts {
        Ok(parts) => parts,
        Err(error) => return format!("it can't run: {error}"),
    };
    let mut text = String::new();
    for (number, part) in parts.iter().enumerate() {
        let _ = writeln!(text, "{}. on {}: {}", number + 1, part.place, part.words);
        if of.dry_run {
            let steps = part.scripts.iter().flat_map(Script::steps).map(ToString::to_string);
            steps.flat_map(|step| step.lines().map(str::to_owned).collect::<Vec<_>>()).for_each(|line| {
                let _ = writeln!(text, "   {line}");
            });
        }
    }
    text
}

/// How the database is reached, as far as that is known here.
fn adapter(stage: &Stage) -> Result<Postgres> {
    let mut config = database_of(stage)?.clone();
    let given = match &config.connection {
        Some(ConnectionSource::Url(url)) => Given::Url(url.clone()),
        _ => Given::Nothing,
    };
    if let Given::Nothing = given {
        config.parts.name.get_or_insert_with(|| "<database>".to_owned());
    }
    Postgres::new(&given, &config, &stage.name)
}

fn place(stage: &Stage) -> Result<String> {
    Ok(match stage.transport {
        TransportKind::Local => "this machine".to_owned(),
        TransportKind::Ssh => server_of(stage)?.label(),
    })
}

fn dump_of(stage: &Stage) -> Result<Vec<Part>> {
    let (adapter, config, place) = (adapter(stage)?, database_of(stage)?, place(stage)?);
    let (setup, producer) = adapter.dump(&Survey::default(), config.compress, &config.exclude);
    let is_local = stage.transport == TransportKind::Local;
    let packing = if is_local || config.compress > 0 { Packing::None } else { Packing::Zstd };
    let name = adapter.describe();
    let kept = format!("{}/YYYYMMDD-HHMMSS.{}.{}", config.backup_dir.display(), stage.name, adapter.extension());
    Ok(vec![
        Part { words: format!("look at the database {name}"), place: place.clone(), scripts: vec![adapter.survey()] },
        Part {
            words: "dump it; the data comes here while it is made".to_owned(),
            place,
            scripts: vec![setup.then(packing.send(producer)).then(adapter.schema())],
        },
        Part {
            words: format!("keep it as `{kept}` once its length, checksum and contents are verified"),
            place: "this machine".to_owned(),
            scripts: Vec::new(),
        },
    ])
}

fn restore_of(stage: &Stage, file: &str) -> Result<Vec<Part>> {
    let (adapter, config, place) = (adapter(stage)?, database_of(stage)?, place(stage)?);
    let (name, names) = (adapter.describe(), adapter.names("<stamp>")?);
    let inventory = Inventory::default();
    let loading = Loading {
        file: "<dump>",
        form: Form::Archive,
        folder: "<folder>",
        inventory: &inventory,
        owner: config.owner.as_deref().unwrap_or("<owner>"),
        user: config.parts.user.as_deref().unwrap_or("<owner>"),
        superuser: false,
        others: &[],
        invalid: None,
        rights: &[],
        settings: &[],
    };
    let after: Vec<_> = config.after_restore.iter().map(|file| file.display().to_string()).collect();
    let sanitise = after.iter().map(|label| adapter.sanitise(&names, &loading, label, ""));
    let part = |words: String, scripts: Vec<Script>| Part { words, place: place.clone(), scripts };
    let mut parts = vec![
        Part { words: format!("check {file}"), place: "this machine".to_owned(), scripts: Vec::new() },
        part(
            format!("look at the database {name}, and take the lock on restores of it"),
            vec![adapter.survey(), adapter.hold(&names, "<folder>", &["<folder>".to_owned()], "restore").0],
        ),
        part(
            format!("make `{}` beside it, and load the dump into that", names.next),
            vec![
                Packing::Zstd.receive("<dump>"),
                adapter.make(&names, &loading),
                adapter.load(&names, &loading),
                adapter.check(&names, &loading),
            ],
        ),
    ];
    if !after.is_empty() {
        parts.push(part(
            format!("run {} in it, unless the data is the stage's own or the stage protected", after.join(", ")),
            sanitise.collect(),
        ));
    }
    parts.push(part(
        "refresh what depends on data, and gather statistics".to_owned(),
        vec![adapter.settle(&names, &loading, !after.is_empty())],
    ));
    parts.push(part(
        format!("put it in the place of {name}, which becomes `{}`, in one step", names.previous),
        vec![adapter.swap(&names.next, &names.previous, "<session>", Some(config.keep_replaced))],
    ));
    Ok(parts)
}
