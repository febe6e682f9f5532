//! Who may know whom, and who may do what.

use crate::none;
use crate::sources::{self, Source};

/// The modules of the library, lowest first. A module imports from lower ones only.
const LAYERS: &[&str] = &[
    "secret",
    "error",
    "event",
    "config",
    "script",
    "layout",
    "ui",
    "transport",
    "task",
    "conversation",
    "registry",
    "plan",
    "repository",
    "flow",
    "database",
    "run",
    "doctor",
    "cli",
    "xtask",
    "testing",
];

/// Files that may start processes on this machine, or hand a shell to a task of the user's.
const STARTERS: &[&str] = &["config/find.rs", "repository/", "task/cx.rs", "transport/"];

const CORE: &str = "deploy-core/src/";

/// The path inside of the library's `src`.
fn inside(source: &Source) -> Option<&str> {
    source.path.strip_prefix(CORE)
}

/// The library's module that `source` belongs to; none for `lib.rs`.
fn module(source: &Source) -> Option<String> {
    let first = inside(source)?.split('/').next()?;
    Some(first.trim_end_matches(".rs").to_owned()).filter(|module| module != "lib")
}

/// The modules that `code` names by `crate::`.
fn named(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let line = code[..at].lines().count();
        let names: Vec<&str> = match rest.strip_prefix('{') {
            // `use crate::{a, b::c}`
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        let word = |name: &str| name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        found.extend(names.into_iter().map(word).filter(|name| !name.is_empty()).map(|name| (line, name)));
    }
    found
}

#[test]
fn modules_import_from_lower_ones_only() {
    let mut problems = Vec::new();
    for source in sources::shipped() {
        let Some(own) = module(&source) else { continue };
        let Some(own_layer) = layer(&own) else {
            problems.push(format!("the module `{own}` has no layer"));
            continue;
        };
        for (line, name) in named(&source.code()) {
            match layer(&name) {
                Some(layer) if layer <= own_layer => {}
                Some(_) => {
                    problems.push(format!("{}:{line}: `{own}` imports from `{name}`, which is higher", source.path))
                }
                None => problems.push(format!("{}:{line}: `{name}` has no layer", source.path)),
            }
        }
    }
    none(&problems, "move the code to the layer that it belongs to, or give a new module its place in LAYERS");
}

/// The layer of a module, or of what stands at the library's top.
fn layer(name: &str) -> Option<usize> {
    let module = match name {
        "sh" => "script",
        "Xtask" => "xtask",
        name => name,
    };
    LAYERS.iter().position(|layer| *layer == module)
}

#[test]
fn every_layer_is_a_module() {
    let modules: Vec<_> = sources::shipped().filter_map(|source| module(&source)).collect();
    let gone = LAYERS.iter().filter(|layer| !modules.contains(&(**layer).to_owned()));
    none(&gone.map(|layer| format!("there is no module `{layer}`")).collect::<Vec<_>>(), "take it out of LAYERS");
}

/// Where any of `words` stands in code that ships, outside of files that `may` have it.
fn strays(words: &[&str], may: impl Fn(&str) -> bool) -> Vec<String> {
    let places = |source: Source| {
        words
            .iter()
            .flat_map(|word| source.places(word).into_iter().map(move |place| format!("{place}: {word}")))
            .collect::<Vec<_>>()
    };
    sources::shipped().filter(|source| !inside(source).is_some_and(&may)).flat_map(places).collect()
}

#[test]
fn only_the_ssh_transport_names_ssh2() {
    let mut problems = strays(&["ssh2", "libssh2_sys"], |path| path.starts_with("transport/ssh/"));
    for manifest in sources::all().into_iter().filter(|source| source.path.ends_with("/Cargo.toml")) {
        let names = |line: &&str| line.starts_with("ssh2") || line.starts_with("libssh2-sys");
        if manifest.path != "deploy-core/Cargo.toml" && manifest.text.lines().any(|line| names(&line)) {
            problems.push(manifest.path);
        }
    }
    none(&problems, "go through `Transport`: nothing of ssh2 leaves deploy-core/src/transport/ssh");
}

#[test]
fn only_ui_prints() {
    let words = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "io::stdout", "io::stderr"];
    let problems = strays(&words, |path| matches!(path, "ui/outlet.rs" | "ui/settings.rs"));
    none(&problems, "emit an `Event`, or return the text to be shown: all goes through deploy-core/src/ui/outlet.rs");
    // A log's file and the keyboard's pipe are none of the streams, and a screen lets through what `outlet` has passed.
    let writers = ["ui/outlet.rs", "ui/screen.rs", "ui/log.rs", "ui/keyboard.rs"];
    let in_ui = |path: &str| path.starts_with("ui/") && !writers.contains(&path) && !path.ends_with("_tests.rs");
    let problems = strays(&["write_all", ".print()"], |path| !in_ui(path));
    none(&problems, "write by `outlet`, or on the `Screen`");
}

#[test]
fn processes_are_started_in_few_places() {
    let may = |path: &str| STARTERS.iter().any(|starter| path.starts_with(starter));
    let mut problems = strays(&["xshell", "cargo_metadata", "std::process::Command"], may);
    for source in sources::shipped().filter(|source| !inside(source).is_some_and(may)) {
        let code = source.code();
        let imports = code.lines().filter(|line| line.contains("std::process::{") && line.contains("Command"));
        problems.extend(imports.map(|line| format!("{}: {}", source.path, line.trim())));
    }
    none(&problems, "run it on a server by a script, or in one of the files that STARTERS names");
}

#[test]
fn the_environment_is_read_in_few_places() {
    let readers = ["xtask.rs", "ui/settings.rs", "transport/ssh/config/host.rs"];
    let words = [
        "env::var",
        "env::var_os",
        "env::vars_os",
        "env::vars",
        "env::args",
        "env::args_os",
        "env::current_dir",
        "env::home_dir",
    ];
    let problems = strays(&words, |path| readers.contains(&path));
    none(&problems, "take it as a value, so that tests can say what they like");
}

#[test]
fn quoting_is_one_function() {
    let names = ["fn quote", "fn shell_quote", "fn shell_escape"];
    let definitions: Vec<_> = sources::shipped()
        .flat_map(|source| names.iter().flat_map(|name| source.places(name)).collect::<Vec<_>>())
        .collect();
    assert_eq!(definitions.len(), 1, "use `script::quote` and no other: {definitions:?}");
    assert!(definitions[0].starts_with("deploy-core/src/script/quote.rs:"), "{definitions:?}");
}

#[test]
fn unsafe_code_stands_in_one_folder() {
    let strays: Vec<_> = sources::rust()
        .filter(|source| !source.path.starts_with("deploy-core/src/transport/ssh/libssh2/sys/"))
        .flat_map(|source| source.places("unsafe"))
        .collect();
    none(&strays, "find a safe crate for it (rustix has most of the system); sys is for libssh2 alone");
}
