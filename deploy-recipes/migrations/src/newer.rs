//! Code that is older than the database: a rollback's, and a deploy's of an older commit.

use deploy_core::error::{Error, Result};
use deploy_core::prelude::*;
use deploy_core::script::Arg;
use deploy_core::task::{Effect, Kind, Local, Opt, ServerCx};

use crate::{LIST, MIGRATIONS, Migrations};

const NEWER: TaskId = TaskId::new("deploy:migrate:newer");
const CONFIRM: TaskId = TaskId::new("deploy:migrate:confirm_newer");

const OLDER: TaskId = TaskId::new("deploy:migrate:older");
const CONFIRM_OLDER: TaskId = TaskId::new("deploy:migrate:confirm_older");
/// The flow's task that names the new release, on the controller.
const NEW_RELEASE: TaskId = TaskId::new("deploy:new_release");

/// The switch that takes the place of an answer.
pub(crate) const ALLOW: &str = "allow-newer-schema";

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
    register_deploy(recipe, tasks);
}

/// A deploy compares what the live release has with the commit's files, where the server has both already: in the first
/// program, and the question stands beside the naming of the release. What only the database tells, it tells when it is
/// migrated.
fn register_deploy(recipe: &Migrations, tasks: &mut Tasks) {
    let about = "Deploy although the database has migrations that the commit doesn't know";
    tasks.option(&flow::DEPLOY, Opt { name: ALLOW, value: None, about });
    let own = recipe.clone();
    let about = "Find out which migrations of the live release the commit doesn't know";
    let older = Task::script(OLDER, about, recipe.servers(), move |cx| find_older(&own, cx));
    tasks.task(older.reports("older_migrations", LIST).effect(Effect::Looks).hidden());
    tasks.need(&flow::STARTED, OLDER);
    tasks.change(&flow::ROLLBACK, |rollback| rollback.without([OLDER]));
    let confirm =
        Task::local(CONFIRM_OLDER, "Ask before older code meets a newer database", |local| Ok(confirm_older(local)?));
    tasks.task(confirm.hidden());
    tasks.hook(When::After(NEW_RELEASE), CONFIRM_OLDER);
}

/// Whether older code may meet a newer database.
pub(crate) fn is_allowed(cx: &ServerCx<'_>) -> bool {
    cx.option(ALLOW).is_some() || cx.known("newer_allowed").is_some()
}

/// Compares versions, which names begin with. Where the server doesn't have the commit yet, there is nothing to compare.
/// What is older than all that the commit has was cleared away from it.
fn find_older(recipe: &Migrations, cx: &ServerCx<'_>) -> Script {
    let (Some(commit), false) = (cx.known("revision"), is_allowed(cx)) else { return Script::new() };
    let tree = cx.stage.settings.repo_tree.as_deref().map(|path| path.trim_matches('/')).unwrap_or_default();
    let tree = if tree.is_empty() { String::new() } else { format!("{tree}/") };
    let folders = recipe.folders();
    let live: Vec<_> = folders.iter().map(|folder| format!("\"$current\"/{folder}/[0-9]*")).collect();
    let roots: Vec<_> = folders.iter().filter_map(|folder| folder.split('/').next()).collect();
    let Some(root) = roots.first() else { return Script::new() };
    let text = format!(
        r#"repo={{}}
current={{}}
commit={{}}
tree={{}}
if [ -d "$current/" ] && git --git-dir="$repo" cat-file -e "$commit^{{commit}}" 2>/dev/null; then
  older_migrations=$({{
    git --git-dir="$repo" ls-tree -r --name-only "$commit" -- "${{tree}}{root}" | sed 's,^,commit/,'
    for file in {}; do
      if [ -e "$file" ]; then printf 'live/%s\n' "${{file##*/}}"; fi
    done
  }} | awk -F/ '
    function version(name) {{ sub(/_.*/, "", name); return name }}
    function before(a, b) {{ return length(a) < length(b) || length(a) == length(b) && a < b }}
    $1 == "commit" {{
      for (part = 2; part <= NF; part++) if ($part ~ /^[0-9]/) {{
        number = version($part)
        if (first == "" || before(number, first)) first = number
        known[number] = 1
      }}
    }}
    $1 == "live" {{
      number = version($2)
      sub(/\.[a-z.]*$/, "", $2)
      if (!(number in known) && !before(number, first)) print $2
    }}')
  deploy_fact older_migrations "$older_migrations"
fi"#,
        live.join(" ")
    );
    let layout = cx.layout();
    Script::shell(&text, &[layout.repo(), layout.current(), commit.to_owned(), tree].map(Arg::from))
}

fn confirm_older(local: &mut Local<'_>) -> Result<()> {
    let older = local.servers.iter().find_map(|server| local.fact(*server, "older_migrations")).unwrap_or_default();
    if older.is_empty() {
        return Ok(());
    }
    let commit: String = local.run_fact("revision").unwrap_or_default().chars().take(7).collect();
    let what = format!("the live release has {}", named(&older, &format!("the commit {commit}")));
    let stage = &local.stage.name;
    match local.ask.confirm(&format!("{what}; deploy all the same?")) {
        Some(true) => {
            local.set("newer_allowed", "yes");
            Ok(())
        }
        Some(false) => Err(Error::task("not deployed: the answer was no")),
        None => Err(Error::task(what)
            .hint(format!("if the older code gets along with that: cargo xtask deploy {stage} --{ALLOW}"))),
    }
}

/// Asks in the release that the rollback is going to choose, which alone knows what it knows.
fn find_newer(recipe: &Migrations, cx: &ServerCx<'_>) -> Script {
    let Some(ask) = recipe.newer() else { return Script::new() };
    if is_allowed(cx) {
        return sh!("deploy_skip {}", format!("nobody is asked, as --{ALLOW} says"));
    }
    let hint = format!("go back without asking: cargo xtask deploy rollback {} --{ALLOW}", cx.stage.name);
    let failed = sh!("deploy_fail \"what release $release doesn't know of the database can't be found out\" {}", hint);
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
        format!("the database has {}", named(&newer, &format!("release {release}")))
    };
    let stage = &local.stage.name;
    match local.ask.confirm(&format!("{what}; go back all the same?")) {
        Some(true) => Ok(()),
        Some(false) => Err(Error::task("not gone back: the answer was no")),
        None => Err(Error::task(what)
            .hint(format!("if the older code gets along with that: cargo xtask deploy rollback {stage} --{ALLOW}"))),
    }
}

/// The migrations that `who` doesn't know, in words.
fn named(newer: &str, who: &str) -> String {
    let count = newer.lines().count();
    let count = if count == 1 { "a migration".to_owned() } else { format!("{count} migrations") };
    format!("{count} that {who} doesn't know: {}", names(newer))
}

/// The first of the lines, and how many more there are.
pub(crate) fn names(lines: &str) -> String {
    let all: Vec<_> = lines.lines().collect();
    let mut names = all.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED {
        names.push_str(&format!(" and {} more", all.len() - NAMED));
    }
    names
}
