//! Capistrano 3, from Debian's package.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Step, Tool};
use crate::fleet::{Fleet, KEEP_RELEASES, LINKED_DIRS, LINKED_FILES};

/// `cap staging deploy`, or `deploy:rollback`.
pub(crate) fn command(fleet: &Fleet, step: Step) -> Command {
    let folder = write_config(fleet);
    let mut cap = fleet.project.sandbox.command("cap");
    cap.current_dir(folder).arg("staging").arg(if step == Step::Rollback { "deploy:rollback" } else { "deploy" });
    cap
}

fn write_config(fleet: &Fleet) -> PathBuf {
    let folder = fleet.project.sandbox.join("capistrano");
    fleet.project.write_config();
    for (path, text) in [
        ("Capfile", CAPFILE.to_owned()),
        ("config/deploy.rb", settings(fleet)),
        ("config/deploy/staging.rb", servers(fleet)),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }
    folder
}

/// Capistrano knows one `deploy_to` for all servers. These are one machine, but each has a home of its own.
fn settings(fleet: &Fleet) -> String {
    let project = &fleet.project;
    format!(
        "set :application, 'shop'\nset :repo_url, {:?}\nset :branch, 'main'\nset :local_user, 'ada'\nset :tmp_dir, {:?}\n\
         set :deploy_to, '~/{}'\nset :keep_releases, {KEEP_RELEASES}\n\
         append :linked_dirs, *{LINKED_DIRS:?}\nappend :linked_files, *{LINKED_FILES:?}\n\
         set :ssh_options, {{ config: false, keys: [{:?}], keys_only: true, forward_agent: false, \
         verify_host_key: :always, user_known_hosts_file: {:?} }}\n",
        project.repo.path(),
        project.sandbox.join("tmp"),
        Tool::Capistrano.name(),
        project.key().path(),
        project.known_hosts(),
    )
}

fn servers(fleet: &Fleet) -> String {
    let line = |server: &e2e::Server| {
        let sshd = &server.sshd;
        format!("server {:?}, port: {}, user: {:?}, roles: %w[app web db]\n", sshd.address(), sshd.port(), sshd.user())
    };
    fleet.project.servers.iter().map(line).collect()
}

/// The `Capfile` of a project that deploys from git.
pub(crate) const CAPFILE: &str = "\
require 'capistrano/setup'
require 'capistrano/deploy'
require 'capistrano/scm/git'
install_plugin Capistrano::SCM::Git
";
