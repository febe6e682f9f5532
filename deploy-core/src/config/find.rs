//! Finds `deploy.toml` and the folders that belong to it, without starting cargo where that can be avoided.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

use super::request::LoadRequest;
use crate::error::{Error, Result};

/// The file's name where nothing else is said.
const FILE_NAME: &str = "deploy.toml";

/// Where a project's things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The Cargo workspace's root, or the folder of the file that `--config` names.
    pub root: PathBuf,
    /// Where caches, logs and local deployments go: `<target directory>/deploy`.
    pub work_dir: PathBuf,
    /// The configuration file.
    pub file: PathBuf,
}

impl Project {
    /// Finds the project that `request` is about; `None` when there is no configuration file.
    ///
    /// A file that `--config` names is taken as it is. Else the folders from the start upwards are searched for a Cargo
    /// workspace with a `deploy.toml` beside its `Cargo.toml`, or with another place in `[workspace.metadata.deploy]`.
    /// Cargo itself is asked only where there is a `Cargo.toml` but no workspace in sight.
    pub fn find(request: &LoadRequest) -> Result<Option<Project>> {
        if let Some(file) = &request.file {
            return named(request, file).map(Some);
        }
        let mut is_workspace = false;
        for root in request.start.ancestors() {
            let Some(workspace) = workspace_table(root) else { continue };
            is_workspace = true;
            if let Some(file) = workspace_file(root, &workspace)? {
                return Ok(Some(Project { root: root.to_owned(), work_dir: work_dir(root, request), file }));
            }
        }
        Ok(if is_workspace { None } else { ask_cargo(request, &request.start).and_then(from_metadata) })
    }

    /// The error for a project without a configuration file.
    pub(super) fn missing(request: &LoadRequest) -> Error {
        let lone = request.start.ancestors().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file());
        let root = request.start.ancestors().find(|folder| workspace_table(folder).is_some());
        if let Some((root, file)) = root.and_then(|root| Some((root, lone.clone().or_else(|| below(root))?))) {
            return misplaced(root, &file);
        }
        if let Some(file) = lone {
            return Error::config(format!("`{}` belongs to no Cargo workspace", file.display()))
                .hint(format!("name it: --config {}", file.display()));
        }
        Error::config(format!("no `{FILE_NAME}` in `{}` or above", request.start.display()))
            .hint(format!("put a `{FILE_NAME}` beside the workspace's `Cargo.toml`, or name one: `--config FILE`"))
    }
}

/// The file in a folder of the workspace.
fn below(root: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(root).ok()?.flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join(FILE_NAME)).filter(|file| file.is_file()).min()
}

/// The error for a file that is in the workspace, but not where it is looked for.
fn misplaced(root: &Path, file: &Path) -> Error {
    let inside = file.strip_prefix(root).unwrap_or(file).display();
    let manifest = root.join("Cargo.toml");
    Error::config(format!("`{inside}` isn't beside the workspace's `Cargo.toml`, where it is looked for"))
        .hint(format!("move it: mv {} {}", file.display(), root.join(FILE_NAME).display()))
        .hint(format!("or name it in `{}`: [workspace.metadata.deploy] config = \"{inside}\"", manifest.display()))
}

fn named(request: &LoadRequest, file: &Path) -> Result<Project> {
    let file = request.start.join(file);
    if !file.is_file() {
        return Err(Error::config(format!("no file `{}`", file.display())).hint("give `--config` the path of a file"));
    }
    let mut root = file.parent().unwrap_or(&request.start).to_owned();
    // Paths on this machine are made from the root, and are easier to read without `..`.
    if root.components().any(|component| component == Component::ParentDir) {
        root = root.canonicalize().unwrap_or(root);
    }
    Ok(Project { work_dir: root.join("target/deploy"), root, file })
}

/// `[workspace]` of the `Cargo.toml` in `folder`, if it is the root of one.
fn workspace_table(folder: &Path) -> Option<toml::Table> {
    match read_toml(&folder.join("Cargo.toml"))?.remove("workspace")? {
        toml::Value::Table(workspace) => Some(workspace),
        _ => None,
    }
}

/// The configuration file of the workspace whose root is `root`, if it has one.
fn workspace_file(root: &Path, workspace: &toml::Table) -> Result<Option<PathBuf>> {
    let configured = workspace.get("metadata").and_then(|metadata| metadata.get("deploy")?.get("config")?.as_str());
    match configured {
        None => Ok(Some(root.join(FILE_NAME)).filter(|file| file.is_file())),
        Some(config) => configured_file(root, config).map(Some),
    }
}

fn configured_file(root: &Path, config: &str) -> Result<PathBuf> {
    let file = root.join(config);
    if file.is_file() {
        return Ok(file);
    }
    let manifest = root.join("Cargo.toml");
    Err(Error::config(format!("no file `{}`", file.display()))
        .hint(format!("`[workspace.metadata.deploy] config` of `{}` names it", manifest.display())))
}

/// `<target directory>/deploy`
fn work_dir(root: &Path, request: &LoadRequest) -> PathBuf {
    let target = match target_dir(root, request) {
        TargetDir::Known(path) => path,
        TargetDir::AskCargo => match ask_cargo(request, root) {
            Some(metadata) => metadata.target_directory.into_std_path_buf(),
            None => root.join("target"),
        },
    };
    target.join("deploy")
}

enum TargetDir {
    Known(PathBuf),
    AskCargo,
}

/// The target directory as cargo would choose it: a variable, the nearest `.cargo/config.toml`, the default.
fn target_dir(root: &Path, request: &LoadRequest) -> TargetDir {
    let variable = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].iter().find_map(|name| request.variable(name));
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        return TargetDir::Known(request.start.join(path));
    }
    for folder in cargo_config_folders(request) {
        let Some(file) = ["config", "config.toml"].iter().map(|name| folder.join(name)).find(|file| file.is_file())
        else {
            continue;
        };
        match configured_target_dir(&file) {
            Some(Some(path)) => return TargetDir::Known(folder.parent().unwrap_or(root).join(path)),
            Some(None) => {}
            None => return TargetDir::AskCargo,
        }
    }
    TargetDir::Known(root.join("target"))
}

/// The folders with a configuration of cargo, nearest first.
fn cargo_config_folders(request: &LoadRequest) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = request.start.ancestors().map(|folder| folder.join(".cargo")).collect();
    let home = request.variable("CARGO_HOME").map(|home| request.start.join(home));
    folders.extend(home.or_else(|| request.variable("HOME").map(|home| Path::new(home).join(".cargo"))));
    folders
}

/// What a configuration of cargo says of the target directory; `None` when only cargo can tell.
fn configured_target_dir(file: &Path) -> Option<Option<PathBuf>> {
    let config = read_toml(file)?;
    if config.contains_key("include") {
        return None;
    }
    Some(config.get("build").and_then(|build| build.get("target-dir")?.as_str()).map(PathBuf::from))
}

fn read_toml(file: &Path) -> Option<toml::Table> {
    std::fs::read_to_string(file).ok()?.parse().ok()
}

/// What cargo says of the workspace around `folder`, if there is one. Works without a network.
fn ask_cargo(request: &LoadRequest, folder: &Path) -> Option<Metadata> {
    folder.ancestors().find(|folder| folder.join("Cargo.toml").is_file())?;
    let mut command = MetadataCommand::new();
    command.cargo_path(request.variable("CARGO").unwrap_or(OsStr::new("cargo")));
    command.current_dir(folder).no_deps().other_options(["--offline".to_owned()]);
    command.exec().ok()
}

fn from_metadata(metadata: Metadata) -> Option<Project> {
    let root = metadata.workspace_root.into_std_path_buf();
    let configured = metadata.workspace_metadata.get("deploy").and_then(|deploy| deploy.get("config")?.as_str());
    let file = root.join(configured.unwrap_or(FILE_NAME));
    let work_dir = metadata.target_directory.into_std_path_buf().join("deploy");
    file.is_file().then_some(Project { root, work_dir, file })
}
