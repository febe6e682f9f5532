//! What a user writes, and what comes of it.

mod databases;
mod good;
mod hostile;
mod layers;
mod mistakes;
mod paths;
mod places;
mod recipes;
mod reference;
mod servers;
mod tasks;

use std::path::PathBuf;

use super::{Config, LoadRequest, Server, Stage};
use crate::error::{Error, ErrorKind};

/// A project in a temporary folder: a Cargo workspace with a `deploy.toml`.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(deploy_toml: &str) -> Project {
        let project = Project { folder: tempfile::tempdir().unwrap() };
        project.write("Cargo.toml", "[workspace]\n");
        project.write("deploy.toml", deploy_toml);
        project
    }

    fn root(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn request(&self) -> LoadRequest {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        LoadRequest {
            start: self.root(),
            env: vec![("HOME".into(), "/home/ann".into())],
            user: "ann".to_owned(),
            reserved_stages: words(&["rollback", "check", "ensure_stage"]),
            reserved_commands: words(&["deploy", "tasks"]),
            recipes: words(&["bundler", "migrations"]),
            ..LoadRequest::default()
        }
    }
}

/// What is read from `deploy_toml`.
fn load(deploy_toml: &str) -> Config {
    load_with(deploy_toml, |_| {})
}

/// What is read from `deploy_toml` when `change` has changed the request.
fn load_with(deploy_toml: &str, change: impl FnOnce(&mut LoadRequest)) -> Config {
    let project = Project::new(deploy_toml);
    let mut request = project.request();
    change(&mut request);
    Config::load(&request).unwrap()
}

/// What the user is told of a bad `deploy_toml`.
fn errors(deploy_toml: &str) -> String {
    errors_with(deploy_toml, |_| {})
}

fn errors_with(deploy_toml: &str, change: impl FnOnce(&mut LoadRequest)) -> String {
    let project = Project::new(deploy_toml);
    let mut request = project.request();
    change(&mut request);
    shown(Config::load(&request).unwrap_err(), &project)
}

fn shown(error: Error, project: &Project) -> String {
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string().replace(project.root().to_str().unwrap(), "ROOT")
}

/// The smallest whole file, with `more` at its end: the stage `production` with one server.
fn with(more: &str) -> String {
    format!(
        "application = \"shop\"\nrepo_url = \"git@example.com:shop.git\"\ndeploy_to = \"/var/www/shop\"\n{more}\n\
         [[stages.production.servers]]\nhost = \"app1\"\nroles = [\"app\", \"db\"]\n"
    )
}

/// The stage that [`with`] has.
fn stage(more: &str) -> Stage {
    load(&with(more)).stages.remove(0)
}

fn server(more: &str) -> Server {
    stage(more).servers.remove(0)
}
