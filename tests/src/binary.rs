//! The binaries under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The real `xtask`, built from this workspace in the profile of the tests.
///
/// Cargo builds no other package's binary for a test, so the harness has it brought up to date, once a process: a test
/// never runs against yesterday's tool.
pub fn xtask() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| product("xtask"))
}

/// `examples/own_tasks.rs`: a tool with tasks of a project's own, as a user would write it.
pub fn own_tasks() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| product("examples/own_tasks"))
}

fn product(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(build);
    let binary = profile_folder().join(name);
    assert!(binary.is_file(), "cargo built no `{}`", binary.display());
    binary
}

/// Builds both for the whole workspace: for a package alone, dependencies have other features than in `cargo test
/// --workspace`, and nearly all would be built once more.
fn build() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--workspace"]);
    cargo.args(["--bin", "xtask", "--example", "own_tasks"]);
    if profile_folder().ends_with("release") {
        cargo.arg("--release");
    }
    cargo.arg("--target-dir").arg(target_folder());
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "`cargo build` of the tools under test failed");
}

/// The target directory.
pub fn target_folder() -> PathBuf {
    profile_folder().parent().expect("a profile's folder stands in the target directory").to_owned()
}

/// `target/debug`: test binaries stand in its `deps`, others in it.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its program");
    let folder = own.parent().expect("a program stands in a folder");
    if folder.ends_with("deps") {
        folder.parent().expect("deps stands in the profile's folder").to_owned()
    } else {
        folder.to_owned()
    }
}
