//! What holds for every crate under `deploy-recipes`.

use crate::none;
use crate::sources;

/// The folder and the manifest of each recipe.
pub(crate) fn recipes() -> Vec<(String, String)> {
    let manifests = sources::all().into_iter().filter_map(|source| {
        let name = source.path.strip_prefix("deploy-recipes/")?.strip_suffix("/Cargo.toml")?;
        Some((name.to_owned(), source.text))
    });
    let recipes: Vec<_> = manifests.collect();
    assert!(!recipes.is_empty(), "no recipe was found");
    recipes
}

/// The crates of this workspace that `manifest` depends on.
fn own_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| name.starts_with("deploy-"))
}

/// Whether the recipe is a bundle, which is there to name others.
fn is_bundle(name: &str) -> bool {
    sources::read(&format!("deploy-recipes/{name}/src/lib.rs")).contains("impl Bundle for ")
}

#[test]
fn recipes_depend_on_the_library_and_not_on_each_other() {
    let problems = recipes().into_iter().filter(|(name, manifest)| {
        !is_bundle(name) && own_dependencies(manifest).collect::<Vec<_>>() != ["deploy-core"]
    });
    let problems: Vec<_> = problems.map(|(name, _)| format!("deploy-recipes/{name}/Cargo.toml")).collect();
    none(&problems, "hook on the tasks of the flows instead, which are always there");
}

#[test]
fn recipes_are_called_like_their_folder() {
    let problems =
        recipes().into_iter().filter(|(name, manifest)| !manifest.contains(&format!("name = \"deploy-{name}\"")));
    let problems: Vec<_> = problems.map(|(name, _)| name).collect();
    none(&problems, "the crate in deploy-recipes/NAME is called deploy-NAME");
}

#[test]
fn recipes_are_registered_in_the_tool() {
    let bundles = recipes().into_iter().filter(|(name, _)| is_bundle(name));
    let crates: Vec<_> =
        bundles.map(|(name, _)| format!("deploy-recipes/{name}")).chain(["xtask".to_owned()]).collect();
    let registers = |folder: &String, name: &str| {
        let manifest = sources::read(&format!("{folder}/Cargo.toml"));
        let file = if folder == "xtask" { "main.rs" } else { "lib.rs" };
        own_dependencies(&manifest).any(|depends| depends == format!("deploy-{name}"))
            && sources::read(&format!("{folder}/src/{file}")).contains(&format!("deploy_{name}::"))
    };
    let problems = recipes().into_iter().filter(|(name, _)| !crates.iter().any(|folder| registers(folder, name)));
    let problems: Vec<_> = problems.map(|(name, _)| name).collect();
    none(&problems, "register it in xtask/src/main.rs, or in a bundle that is registered there");
}

#[test]
fn recipes_have_a_row_in_the_readme() {
    let readme = sources::read("README.md");
    let row = |name: &str| format!("| [`{name}`](docs/recipes/{name}.md) |");
    let problems = recipes().into_iter().filter(|(name, _)| !readme.contains(&row(name)));
    let problems: Vec<_> = problems.map(|(name, _)| row(&name)).collect();
    none(&problems, "add such a row to the table of recipes in README.md");
}

/// The page of a recipe: what stands at the top of its crate.
fn page(name: &str) -> String {
    let source = sources::read(&format!("deploy-recipes/{name}/src/lib.rs"));
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text: String = lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
    format!("# The recipe `{name}`\n\n{text}")
}

#[test]
fn recipes_have_a_page_that_says_what_their_crate_says() {
    let path = |name: &str| format!("docs/recipes/{name}.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        for (name, _) in recipes() {
            std::fs::write(sources::root().join(path(&name)), page(&name)).expect("a page can be written");
        }
    }
    let written = |name: &str| std::fs::read_to_string(sources::root().join(path(name))).unwrap_or_default();
    let problems = recipes().into_iter().filter(|(name, _)| written(name) != page(name)).map(|(name, _)| path(&name));
    none(&problems.collect::<Vec<_>>(), "UPDATE_PAGES=1 cargo test -p deploy-core --test tidy recipes");
}
