//! Capistrano 3, from Debian's package, on the same project.

use std::fs;
use std::path::PathBuf;

use crate::output::Output;
use crate::process::Running;
use crate::project::Project;
use crate::server::Server;

/// A `Capfile` and its configuration, for one server of a [`Project`].
pub struct Capistrano<'a> {
    project: &'a Project,
    server: &'a Server,
    settings: String,
}

impl<'a> Capistrano<'a> {
    /// Capistrano for the stage `staging` with this one server.
    pub fn new(project: &'a Project, server: &str) -> Capistrano<'a> {
        Capistrano { project, server: project.server(server), settings: String::new() }
    }

    /// Adds lines of Ruby to `config/deploy.rb`.
    pub fn set(&mut self, ruby: &str) -> &mut Capistrano<'a> {
        self.settings.push_str(ruby);
        self.settings.push('\n');
        self
    }

    /// Runs `cap staging TASK`.
    #[must_use = "either snapshot the output or assert the exit status"]
    #[track_caller]
    pub fn cap(&self, task: &str) -> Output {
        self.write_config();
        self.project.write_config();
        let mut cap = self.project.sandbox.command("cap");
        cap.current_dir(self.folder()).arg("staging").args(task.split_whitespace());
        Running::start(cap, &self.project.sandbox).wait()
    }

    fn folder(&self) -> PathBuf {
        self.project.sandbox.join("capistrano")
    }

    fn write_config(&self) {
        let write = |path: &str, text: &str| {
            let path = self.folder().join(path);
            fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        };
        write("Capfile", CAPFILE);
        write("config/deploy.rb", &self.deploy_rb());
        write("config/deploy/staging.rb", &self.staging_rb());
    }

    fn deploy_rb(&self) -> String {
        let Capistrano { project, server, settings } = self;
        format!(
            "set :application, 'shop'\nset :repo_url, {:?}\nset :branch, 'main'\nset :local_user, 'ada'\n\
             set :tmp_dir, {:?}\nset :deploy_to, {:?}\n{settings}",
            project.repo.path(),
            project.sandbox.join("tmp"),
            server.site.path(),
        )
    }

    fn staging_rb(&self) -> String {
        let Capistrano { project, server, .. } = self;
        format!(
            "server '127.0.0.1', port: {}, user: {:?}, roles: %w[app web db], ssh_options: {{ config: false, \
             keys: [{:?}], keys_only: true, forward_agent: false, verify_host_key: :always, \
             user_known_hosts_file: {:?} }}\n",
            server.port,
            server.sshd.user(),
            project.key().path(),
            project.known_hosts(),
        )
    }
}

const CAPFILE: &str = "\
require 'capistrano/setup'
require 'capistrano/deploy'
require 'capistrano/scm/git'
install_plugin Capistrano::SCM::Git
";
