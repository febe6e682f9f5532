//! The Rails application that tests deploy, on the gems of Debian's packages.
//!
//! Its source is in `fixtures/rails`: the folder `first` is the application, every other one is a change to it. It is a
//! shop that shows what is in its database, from which revision it runs and in which process, and whose page, stylesheet
//! and script all tell the same *edition*.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::repo::Repo;
use crate::sandbox::{Sandbox, run_quietly};

/// Puts the application into `repo`, instead of what is there, without a commit.
pub fn create(sandbox: &Sandbox, repo: &Repo) {
    repo.git(&["rm", "-r", "--quiet", "."]);
    repo.overlay(&folder("first"));
    repo.write("Gemfile.lock", lock(sandbox, repo));
}

/// Makes one of the changes in `fixtures/rails`, without a commit.
pub fn change(repo: &Repo, name: &str) {
    repo.overlay(&folder(name));
}

/// Has page, stylesheet and script tell `edition`, without a commit.
pub fn edit(repo: &Repo, edition: &str) {
    for file in EDITED {
        let text = std::fs::read_to_string(folder("first").join(file)).expect("the application has the file");
        assert!(text.contains("first"), "`{file}` tells no edition");
        repo.write(file, &text.replace("first", edition));
    }
}

const EDITED: [&str; 3] = [
    "app/views/layouts/application.html.erb",
    "app/assets/stylesheets/application.css",
    "app/assets/javascripts/application.js",
];

/// Makes `path` what it would be after `bundle install --deployment --path`, with the gems of the system: Bundler looks
/// nowhere else once it has a path, and there is no network.
pub fn install_gems(sandbox: &Sandbox, path: &Path) {
    let mut ruby = sandbox.command("ruby");
    ruby.args(["-e", LINK_GEMS]).arg(path);
    run_quietly(ruby);
}

const LINK_GEMS: &str = r#"
require "fileutils"
root = File.join(ARGV.fetch(0), "ruby", Gem.ruby_api_version)
Gem::Specification.reject(&:default_gem?).each do |gem|
  extensions = File.join("extensions", Gem::Platform.local.to_s, Gem.extension_api_version)
  { gem.loaded_from => "specifications", gem.full_gem_path => "gems", gem.extension_dir => extensions }.each do |from, to|
    next unless File.exist?(from)

    FileUtils.mkdir_p(File.join(root, to))
    FileUtils.ln_sf(from, File.join(root, to))
  end
end
"#;

/// The lock file names the versions of this machine's gems, and so it can't be in the fixture.
fn lock(sandbox: &Sandbox, repo: &Repo) -> &'static str {
    static LOCK: OnceLock<String> = OnceLock::new();
    LOCK.get_or_init(|| {
        let mut bundle = sandbox.command("bundle");
        bundle.args(["lock", "--local", "--print"]).current_dir(repo.path());
        run_quietly(bundle) + "\n"
    })
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rails").join(name)
}
