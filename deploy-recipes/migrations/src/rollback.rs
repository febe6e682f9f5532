//! Going back to code that is older than the database.

use deploy_core::error::{Error, Result};
use deploy_core::prelude::*;
use deploy_core::task::{Effect, Kind, Local, Opt, ServerCx};

use crate::{LIST, MIGRATIONS, Migrations};

const NEWER: TaskId = TaskId::new("deploy:migrate:newer");
const CONFIRM: TaskId = TaskId::new("deploy:migrate:confirm_newer");

/// The switch that takes the place of an answer.
const ALLOW: &str = "allow-newer-schema";

/// How many migrations are named.
const NAMED: usize = 5;

/// The database is asked in the first program of a rollback, and the answer stands next to the choice of the release,
/// which is made on the controller anyway: neither costs a round trip.
pub(crate) fn register(recipe: &Migrations, tasks: &mut Tasks) {
    if recipe.newer().is_none() {
        return;
    }
    let own = recipe.clone();
    let about = "Find out which migrations the earlier release doesn't know";
    let newer = Task::script(NEWER, about, recipe.servers(), move |cx| find_newer(&own, cx));
    tasks.task(
        newer
            .reports("newer_migrations", LIST)
            .reports("newer_asked", Kind::Release)
            .envs(&recipe.env)
            .effect(Effect::Prepares)
            .hidden(),
    );
    tasks.need(&flow::STARTED, NEWER);
    for deploy in [flow::DEPLOY, MIGRATIONS] {
        tasks.change(&deploy, |deploy| deploy.without([NEWER]));
    }
    let confirm = Task::local(CONFIRM, "Ask before code meets a newer database", |local| Ok(confirm(local)?));
    tasks.task(confirm.hidden());
    tasks.hook(When::After(flow::CHOOSE_RELEASE), CONFIRM);
    let about = "Go back although the database has migrations that the earlier release doesn't know";
    tasks.option(&flow::ROLLBACK, Opt { name: ALLOW, value: None, about });
}

/// Asks in the release that the rollback is going to choose, which alone knows what it knows.
fn find_newer(recipe: &Migrations, cx: &ServerCx<'_>) -> Script {
    let Some(ask) = recipe.newer() else { return Script::new() };
    let hint = format!("go back without asking: cargo xtask deploy rollback {} --{ALLOW}", cx.stage.name);
    let failed = match cx.option(ALLOW) {
        None => sh!("deploy_fail \"what release $release doesn't know of the database can't be found out\" {}", hint),
        Some(_) => sh!("deploy_skip \"what release $release doesn't know of the database can't be found out\""),
    };
    flow::likely_release(cx)
        .then(sh!(r#"[ -n "$release" ] || deploy_skip 'there is no release to go back to'
cd -- "$root/releases/$release""#))
        .then(recipe.environment(cx))
        .fact_or("newer_migrations", ask, failed)
        .then(sh!("deploy_fact newer_asked \"$release\""))
}

fn confirm(local: &Local<'_>) -> Result<()> {
    let Some(server) = local.servers.iter().copied().find(|server| local.fact(*server, "newer_asked").is_some()) else {
        return Ok(());
    };
    let fact = |name: &str| local.fact(server, name).unwrap_or_default();
    let (asked, release) = (fact("newer_asked"), local.run_fact("release").unwrap_or_default());
    let newer = fact("newer_migrations");
    let what = if asked != release {
        format!("what release {release} doesn't know of the database wasn't found out")
    } else if newer.is_empty() {
        return Ok(());
    } else {
        format!("the database has {}", named(&newer, &release))
    };
    if local.option(ALLOW).is_some() {
        local.note(what);
        return Ok(());
    }
    let stage = &local.stage.name;
    match local.ask.confirm(&format!("{what}; go back all the same?")) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::task("not gone back: the answer was no")),
        None => Err(Error::task(what)
            .hint(format!("if the older code gets along with that: cargo xtask deploy rollback {stage} --{ALLOW}"))),
    }
}

/// The migrations that `release` doesn't know, in words.
fn named(newer: &str, release: &str) -> String {
    let all: Vec<_> = newer.lines().collect();
    let mut names = all.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED {
        names.push_str(&format!(" and {} more", all.len() - NAMED));
    }
    let count = if all.len() == 1 { "a migration".to_owned() } else { format!("{} migrations", all.len()) };
    format!("{count} that release {release} doesn't know: {names}")
}
