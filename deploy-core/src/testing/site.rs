//! A stage whose servers are folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::call;
use super::machine::{Machines, link_shell, write};
use super::undeclared;
use crate::Xtask;
use crate::cli;
use crate::config::{Config, LoadRequest, Stage};
use crate::error::Result;
use crate::flow;
use crate::layout::Layout;
use crate::plan::{Filter, Plan};
use crate::registry::{Recipe, Tasks};
use crate::run::step_program;
use crate::task::{Options, TaskId};

/// The stage's name.
const STAGE: &str = "production";

/// A stage, `production`, for the tests of a recipe. Its servers are folders of this machine.
pub struct Site {
    folder: TempDir,
    xtask: Xtask,
    toml: String,
    servers: Vec<String>,
}

/// What `deploy.toml` and the registration make of a site.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) stage: Stage,
    pub(super) tasks: Tasks,
}

impl Site {
    /// A stage with the recipe `R`. `table` is what stands below `[recipes.NAME]` in `deploy.toml`. Its one server,
    /// `app1`, has every role.
    pub fn of<R: Recipe>(table: &str) -> Site {
        Site::new(Xtask::new().recipe::<R>(), &format!("[recipes.{}]\n{table}", R::NAME))
    }

    /// A stage of the tool `xtask`. `toml` is what `deploy.toml` says besides the application, the repository, the
    /// stage and its servers: settings of its top level, then tables.
    pub fn new(xtask: Xtask, toml: &str) -> Site {
        let folder = tempfile::tempdir().expect("a folder for the site");
        for name in ["calls", "files", "programs", "shell"] {
            fs::create_dir(folder.path().join(name)).expect("a folder of the site");
        }
        undeclared::stand_in(&folder.path().join("undeclared"), &folder.path().join("called"));
        Site { folder, xtask, toml: toml.to_owned(), servers: vec!["app1".to_owned()] }
    }

    /// Has these servers instead: each a host, its roles, and maybe `primary` and `no_release`.
    #[must_use]
    pub fn servers(self, servers: &[&str]) -> Site {
        Site { servers: servers.iter().map(|server| (*server).to_owned()).collect(), ..self }
    }

    /// Has `shell`, one of [`SHELLS`](super::SHELLS), for `sh` on the servers.
    #[must_use]
    pub fn shell(self, shell: &str) -> Site {
        link_shell(&self.folder.path().join("shell"), shell);
        self
    }

    /// Puts a stand-in for the program `name` first on every server's `PATH`, or replaces it. `body` is shell text: it
    /// sees the arguments, the environment and, in `$SERVER`, the host. Calls of it are [noted](super::Ran::calls).
    pub fn program(&self, name: &str, body: &str) {
        let file = self.folder.path().join("programs").join(name);
        call::write_program(&file, &self.calls(), name, body);
    }

    /// Lets scripts run the machine's own `name`, which is no ordinary tool.
    pub fn real(&self, name: &str) {
        let file = self.folder.path().join("programs").join(name);
        let _ = fs::remove_file(&file);
        symlink(undeclared::real(name), file).expect("a link to the program");
    }

    /// Has a file in the commit that is deployed, and in the releases that [`release`](Site::release) makes.
    pub fn file(&self, path: &str, text: &str) {
        write(&self.files().join(path), text);
    }

    /// Takes a file, or a folder, out of the commit again.
    pub fn without(&self, path: &str) {
        let path = self.files().join(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    }

    /// Makes a release of the commit's files on every server that gets releases, as if it had been deployed: it is live,
    /// and those made before can be gone back to. `stamp` is a time, such as `20261122101500`.
    pub fn release(&self, stamp: &str) {
        for server in self.load().stage.servers.iter().filter(|server| !server.no_release) {
            make_release(&Layout::new(&server.deploy_to), stamp, &self.files());
        }
    }

    /// Writes a file on the server `host`; `path` begins in its `deploy_to`, such as `shared/config/database.yml`.
    pub fn write(&self, host: &str, path: &str, text: &str) {
        write(&self.path(host, path), text);
    }

    /// The text of a file on the server `host`, and `None` where there is no such file; `path` begins in its `deploy_to`.
    pub fn read(&self, host: &str, path: &str) -> Option<String> {
        fs::read_to_string(self.path(host, path)).ok()
    }

    /// Where `path`, which begins in the `deploy_to` of the server `host`, is on this machine.
    pub fn path(&self, host: &str, path: &str) -> PathBuf {
        self.home(host).join("deploy").join(path)
    }

    /// The tasks that a run of `task` consists of, in order, without those of the failure path.
    pub fn order(&self, task: &str) -> Vec<String> {
        let loaded = self.load();
        let plan = self.plan(&loaded, task, &Filter::default());
        let steps = plan.legs.iter().flat_map(|leg| leg.steps());
        steps.map(|step| plan.steps[step].task.id().to_string()).collect()
    }

    /// The tree that `cargo xtask tasks --flow FLOW` shows.
    pub fn tree(&self, flow: &str) -> String {
        let tasks = self.load().tasks;
        cli::flow_tree(&tasks, tasks.find(flow).unwrap_or_else(|error| panic!("{error}")), false)
    }

    /// How many commands a run of `task` starts on the server `host`: the round trips that it takes.
    pub fn execs(&self, task: &str, host: &str) -> usize {
        let loaded = self.load();
        self.plan(&loaded, task, &Filter::default()).execs_on(loaded.number(host))
    }

    /// The program that runs `task` alone on the server `host`, as a dry run shows it: facts stand as `<name>`.
    pub fn script(&self, task: &str, host: &str) -> String {
        let loaded = self.load();
        let plan = self.plan(&loaded, task, &Filter::default());
        let step = plan.steps.iter().find(|step| step.task.id().as_str() == task);
        let step = step.unwrap_or_else(|| panic!("`{task}` does nothing itself"));
        let program = step_program(step, loaded.number(host), &plan, &loaded.stage, &Options::new());
        String::from_utf8_lossy(&program.unwrap_or_else(|error| panic!("{error}"))).into_owned()
    }

    /// Fails with shellcheck's findings in the [script](Site::script) of `task`, if it has any.
    pub fn shellcheck(&self, task: &str) {
        for server in &self.load().stage.servers {
            let findings = self.machines().pipe(&self.script(task, &server.host), "shellcheck -");
            assert_eq!(findings, "", "`{task}` on {}", server.host);
        }
    }

    /// The configuration, read anew: it is checked as that of a user is.
    pub(super) fn load(&self) -> Loaded {
        let root = self.folder.path();
        let file = root.join("deploy.toml");
        write(&file, &self.configuration());
        let request = LoadRequest {
            start: root.to_owned(),
            file: Some(file),
            user: "ann".to_owned(),
            recipes: self.xtask.recipe_names(),
            bundles: self.xtask.bundles(),
            ..LoadRequest::default()
        };
        let loaded = Config::load(&request).and_then(|config| {
            let (stage, mut tasks) = self.xtask.stage(config.stage(STAGE)?)?;
            flow::git::pretend(&mut tasks, &self.files());
            Ok(Loaded { config, stage, tasks })
        });
        loaded.unwrap_or_else(|error| panic!("{error}"))
    }

    fn configuration(&self) -> String {
        let top = format!(
            "application = \"shop\"\nrepo_url = \"git@git.example.com:shop.git\"\ndeploy_to = {:?}\n",
            self.home("{host}").join("deploy")
        );
        let servers = self.servers.iter().map(|server| table_of(server));
        [top, format!("{}\n[stages.{STAGE}]\n", self.toml)].into_iter().chain(servers).collect()
    }

    /// Why a run of `task` can't even be planned. Fails the test when it can.
    pub fn refusal(&self, task: &str) -> String {
        match try_plan(&self.load(), task, &Filter::default()) {
            Ok(_) => panic!("`{task}` can be planned"),
            Err(error) => error.to_string(),
        }
    }

    pub(super) fn plan(&self, loaded: &Loaded, task: &str, filter: &Filter) -> Plan {
        try_plan(loaded, task, filter).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Fails the test if a program was called that it doesn't declare.
    pub(super) fn refuse_undeclared(&self) {
        undeclared::refuse(&self.folder.path().join("called"));
    }

    pub(super) fn machines(&self) -> Machines {
        Machines::new(self.folder.path())
    }

    pub(super) fn calls(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn home(&self, host: &str) -> PathBuf {
        Machines::home(self.folder.path(), host)
    }
}

impl Loaded {
    /// The number of the server `host` in the stage.
    pub(super) fn number(&self, host: &str) -> usize {
        let number = self.stage.servers.iter().position(|server| server.host == host);
        number.unwrap_or_else(|| panic!("the site has no server `{host}`"))
    }
}

/// The table of a server that is given as its host, its roles and its flags.
fn table_of(server: &str) -> String {
    let (flags, words): (Vec<_>, Vec<_>) =
        server.split_whitespace().partition(|word| matches!(*word, "primary" | "no_release"));
    let [host, roles @ ..] = words.as_slice() else { panic!("a server has a host: {server:?}") };
    let roles = if roles.is_empty() { String::new() } else { format!("roles = {roles:?}\n") };
    let flags: String = flags.iter().map(|flag| format!("{flag} = true\n")).collect();
    format!("[[stages.{STAGE}.servers]]\nhost = {host:?}\n{roles}{flags}")
}

fn try_plan(loaded: &Loaded, task: &str, filter: &Filter) -> Result<Plan> {
    Plan::new(&loaded.tasks, &TaskId::parse(task)?, &loaded.stage, filter)
}

fn make_release(layout: &Layout, stamp: &str, files: &Path) {
    let release = PathBuf::from(layout.release(stamp));
    copy(files, &release);
    let revision = format!("{stamp:0>40}");
    write(&release.join("REVISION"), &format!("{revision}\n"));
    let records = PathBuf::from(layout.records()).join("releases");
    let known = fs::read_to_string(&records).unwrap_or_default();
    write(&records, &format!("{known}{stamp}\tpublished\t{revision}\tmain\t1\t2\tann\n"));
    fs::create_dir_all(layout.shared()).expect("the folder `shared`");
    let _ = fs::remove_file(layout.current());
    symlink(release, layout.current()).expect("the link `current`");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder of the release");
    for entry in fs::read_dir(from).expect("a folder of the commit").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file of the release");
        }
    }
}

/// Shows what `deploy.toml` says.
impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Site").field(&self.configuration()).finish()
    }
}
