//! What cargo and rustup tell a program that they start, and what the programs that we start must not hear.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// Variables that they set for us alone. With the outer toolchain's, another workspace would be built by the wrong compiler.
const TOLD: [&str; 8] = [
    "CARGO",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "RUSTUP_TOOLCHAIN",
    "RUST_RECURSION_COUNT",
];

/// Variables that describe our package.
const OF_PACKAGE: &str = "CARGO_PKG_";

/// Where shared libraries are looked for, to which cargo adds its own folders.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// Becomes the same program anew, without what cargo told it. Returns where nobody told anything, or where that can't be done:
/// then all is as it was.
pub(crate) fn leave(program: &Path, args: impl Iterator<Item = OsString>, told: &[(OsString, OsString)]) {
    let changes = changes(told, program.parent());
    if changes.is_empty() {
        return;
    }
    let mut command = Command::new(program);
    command.args(args);
    for (name, value) in &changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let _: Result<Infallible, std::io::Error> = Err(command.exec());
}

/// The variables that change, and their new values; none where it wasn't cargo that started a program in `folder`.
fn changes(told: &[(OsString, OsString)], folder: Option<&Path>) -> Vec<(OsString, Option<OsString>)> {
    let is_there = |wanted: &str| told.iter().any(|(name, _)| name == wanted);
    if !is_there("CARGO_MANIFEST_DIR") || !is_there("CARGO_PKG_NAME") {
        return Vec::new();
    }
    let is_told =
        |name: &OsStr| TOLD.iter().any(|told| name == *told) || name.to_string_lossy().starts_with(OF_PACKAGE);
    let changed = |(name, value): &(OsString, OsString)| {
        if is_told(name) {
            return Some((name.clone(), None));
        }
        (name == LIBRARIES).then(|| (name.clone(), own_libraries(value, folder)))
    };
    told.iter().filter_map(changed).collect()
}

/// The folders of `libraries` that aren't cargo's.
fn own_libraries(libraries: &OsStr, folder: Option<&Path>) -> Option<OsString> {
    let is_cargos = |path: &Path| {
        folder.is_some_and(|folder| path.starts_with(folder))
            || path.components().any(|part| matches!(part.as_os_str().to_str(), Some("rustlib" | "toolchains")))
    };
    let own: Vec<_> = std::env::split_paths(libraries).filter(|path| !is_cargos(path)).collect();
    std::env::join_paths(own).ok().filter(|libraries| !libraries.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(told: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let told: Vec<_> = told.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        let text = |text: OsString| text.into_string().unwrap();
        let changes = changes(&told, Some(Path::new("/work/target/debug")));
        changes.into_iter().map(|(name, value)| (text(name), value.map(text))).collect()
    }

    #[test]
    fn what_cargo_told_us_is_taken_away_and_what_the_user_set_stays() {
        let libraries = "/work/target/debug/deps:/root/.rustup/toolchains/x/lib:/opt/lib";
        let told = [
            ("CARGO_MANIFEST_DIR", "/work/xtask"),
            ("CARGO_PKG_NAME", "xtask"),
            ("RUSTUP_TOOLCHAIN", "stable"),
            ("RUST_RECURSION_COUNT", "1"),
            ("CARGO_TARGET_DIR", "/elsewhere"),
            ("CARGO_HOME", "/cargo"),
            ("PATH", "/bin"),
            ("LD_LIBRARY_PATH", libraries),
        ];
        let changes = changed(&told);
        let gone = ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT"];
        assert_eq!(changes[..4], gone.map(|name| (name.to_owned(), None)));
        assert_eq!(changes[4..], [("LD_LIBRARY_PATH".to_owned(), Some("/opt/lib".to_owned()))]);
    }

    #[test]
    fn who_was_started_by_somebody_else_keeps_everything() {
        assert!(changed(&[("RUSTUP_TOOLCHAIN", "nightly"), ("LD_LIBRARY_PATH", "/opt/lib")]).is_empty());
        let own =
            [("CARGO_MANIFEST_DIR", "/x"), ("CARGO_PKG_NAME", "x"), ("LD_LIBRARY_PATH", "/work/target/debug/deps")];
        assert_eq!(changed(&own)[2], ("LD_LIBRARY_PATH".to_owned(), None));
    }
}
