//! Repositories that ship what would lead our own writes elsewhere. Each deploy has to make a whole release, or to refuse,
//! and nothing beside that release may change.

mod hostile;
mod outside;
mod plant;

use e2e::Project;

use self::hostile::{Case, End, Setup};
use self::outside::Outside;
use super::scene::{FREE_WITHIN, Sum, is_free};

/// A stage whose deploys write, make and remove below a release whatever any of ours does.
fn project() -> Project {
    let mut project = Project::local();
    project.top("linked_dirs = [\"public/system\", \"log\"]\nlinked_files = [\"config/database.yml\"]");
    project.top("optional_linked_files = [\"config/master.key\"]\nkeep_releases = 2");
    for (path, text) in [("authorized_keys", "theirs\n"), ("system/theirs", "theirs\n"), ("dist/theirs", "theirs\n")] {
        let file = project.sandbox.join("elsewhere").join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder can be made");
        std::fs::write(file, text).expect("a file can be written");
    }
    let site = project.sites()[0];
    site.write("shared/config/database.yml", "secret\n");
    site.write("shared/config/master.key", "secret\n");
    site.write("shared/public/system/upload", "theirs\n");
    site.make_folder("shared/tmp");
    project
}

/// The recipes of the stage.
fn tables(setup: Setup) -> String {
    let shared = "commands = [\"mkdir -p public/assets && cp app/app.css public/assets/app-1.css && \
                  echo '{}' >public/assets/.manifest.json\"]\ninputs = [\"app\"]\nskip_unchanged = true";
    let own = "preset = \"npm\"\noutput = [\"public/dist\"]\ninputs = [\"app\"]\nskip_unchanged = true\n\
               commands = [\"rm -rf public/dist && mkdir -p public/dist && cp app/app.css public/dist\"]";
    let assets = match setup {
        Setup::Shared => shared.to_owned(),
        Setup::Own => own.to_owned(),
        Setup::Here => format!("{shared}\nbuild_on = \"controller\""),
    };
    format!(
        "[recipes.assets]\nroles = [\"app\"]\nnormalize = [\"app\"]\n{assets}\n[recipes.passenger]\nmethod = \"touch\""
    )
}

/// Deploys the tree, and says what is wrong with what came of it.
fn judge(project: &mut Project, number: usize, case: &Case) -> Result<(), String> {
    project.no_tables().tables(&tables(case.setup));
    let commit = (case.tree)(number).commit(project)?;
    let site = project.sites()[0];
    let (live, log) = (site.current(), site.revisions());
    let before = Outside::of(project, &live);
    let output = project.xtask("deploy staging");
    before.compared_with(&Outside::of(project, &live))?;
    is_free(project, FREE_WITHIN)?;
    let (text, ending) = (output.to_string(), output.ending());
    if site.revisions()[..log.len()] != log {
        return Err("the log of revisions is another one".to_owned());
    }
    match (ending.as_str(), case.end) {
        ("exit status: 0", End::Either) => is_new(project, &live, &commit),
        ("exit status: 0", End::Live(said)) if text.contains(said) => is_new(project, &live, &commit),
        ("exit status: 1", End::Either) if site.current() == live => Ok(()),
        ("exit status: 1", End::Refused(said)) if site.current() == live && text.contains(said) => Ok(()),
        (_, end) => Err(format!("{ending}, not {end:?}, {} is live:\n{text}", site.current())),
    }
}

/// The release that is live now is the commit's, and what we write into it is our own.
fn is_new(project: &Project, live: &str, commit: &str) -> Result<(), String> {
    let site = project.sites()[0];
    if site.current() == live {
        return Err("nothing new is live".to_owned());
    }
    for name in ["REVISION", "REVISION_TIME"] {
        if site.link(&format!("current/{name}")).is_some() {
            return Err(format!("{name} is a link"));
        }
    }
    if site.read("current/REVISION").trim() == commit { Ok(()) } else { Err("REVISION is another one".to_owned()) }
}

fn try_all(what: &str, cases: impl Fn(&str, &str) -> Vec<Case>) {
    let mut project = project();
    project.tables(&tables(Setup::Shared));
    plant::Tree::good(0).commit(&project).expect("a good tree");
    project.xtask("deploy staging").success();
    let root = project.sites()[0].path().display().to_string();
    let elsewhere = project.sandbox.join("elsewhere").display().to_string();
    let mut sum = Sum::default();
    for (number, case) in cases(&root, &elsewhere).iter().enumerate() {
        let result = judge(&mut project, number + 1, case);
        sum.add(&case.name, result);
    }
    sum.tell(what);
}

#[test]
fn symlinks_of_a_release_lead_nothing_of_ours_elsewhere() {
    try_all("symlinks where we write", hostile::known);
}

#[test]
fn hostile_trees_harm_nothing() {
    let all = |root: &str, elsewhere: &str| {
        let generated =
            [hostile::links(root, elsewhere), hostile::kinds(), hostile::names(elsewhere), hostile::shapes()];
        let generated = generated.into_iter().flatten();
        // A few of each in a bounded run.
        generated.enumerate().filter(|(number, _)| e2e::full() || number % 29 == 7).map(|(_, case)| case).collect()
    };
    try_all("hostile trees", all);
}
