//! What the scenarios share: a shop whose stages have databases, and a judge that knows nothing of the tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::postgres::{Cluster, Contents, Release, Role, Tools, fill};
use e2e::{Output, Project};

/// How soon everything that a command started must have ended when the command is gone.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// A project whose stages have a database each: of a server of its own, over SSH, or on this machine for `dev`.
///
/// The database of `staging` is called `shop_staging` and belongs to the role `staging_app`, and so on.
pub(super) struct Shop {
    pub(super) project: Project,
    clusters: BTreeMap<String, Cluster>,
    roles: BTreeMap<String, Role>,
}

impl Shop {
    /// A shop with these stages, of `dev`, `staging` and `production`; their databases are empty.
    pub(super) fn new(stages: &[&str]) -> Shop {
        let mut project = Project::over_ssh(&[]);
        project.add_server("staging1", "app db", &["PermitUserEnvironment yes"]);
        for stage in stages.iter().filter(|stage| !["dev", "staging"].contains(stage)) {
            project.add_server_of(stage, &format!("{stage}1"), "app db");
        }
        let tmp = project.sandbox.join("tmp");
        project.top(&format!("tmp_dir = {tmp:?}"));
        let dev = format!("transport = \"local\"\ndeploy_to = {:?}", project.site.path());
        project.other_stage("dev", &dev);
        let mut shop = Shop { project, clusters: BTreeMap::new(), roles: BTreeMap::new() };
        for stage in stages {
            let cluster = Cluster::start(&shop.project.sandbox, stage);
            shop.add(stage, cluster);
        }
        shop
    }

    /// Gives `stage` the server `cluster`, and an empty database there.
    pub(super) fn add(&mut self, stage: &str, cluster: Cluster) {
        let role = cluster.role(&format!("{stage}_app"), &self.password(), true);
        cluster.create(&name(stage), &role);
        self.project.database(stage, "adapter = \"postgresql\"\nhost = \"127.0.0.1\"");
        self.project.database(stage, &format!("port = {}\nname = {:?}", cluster.port(), name(stage)));
        self.project.database(stage, &format!("user = {:?}\npassword = {:?}", role.name, role.password));
        self.clusters.insert(stage.to_owned(), cluster);
        self.roles.insert(stage.to_owned(), role);
    }

    /// Every role's password: it has all that wants to be quoted somewhere, and is no other test's.
    pub(super) fn password(&self) -> String {
        let folder = self.project.sandbox.path().file_name().expect("it has a name").to_string_lossy().into_owned();
        format!("p@ss:w/rd is 'our' \\ \"100%\" #ü {folder}-s3cret")
    }

    /// The part of the password that survives all quoting.
    pub(super) fn secret(&self) -> String {
        self.password().rsplit(' ').next().expect("it has words").to_owned()
    }

    pub(super) fn cluster(&self, stage: &str) -> &Cluster {
        &self.clusters[stage]
    }

    pub(super) fn cluster_mut(&mut self, stage: &str) -> &mut Cluster {
        self.clusters.get_mut(stage).expect("the stage has a cluster")
    }

    pub(super) fn role(&self, stage: &str) -> &Role {
        &self.roles[stage]
    }

    /// Adds settings of a stage's database.
    pub(super) fn set(&mut self, stage: &str, toml: &str) {
        self.project.database(stage, toml);
    }

    /// Puts a bit of everything in a stage's database.
    pub(super) fn fill(&self, stage: &str, rows: usize) {
        fill(self.cluster(stage), &name(stage), self.role(stage), rows);
    }

    /// Runs SQL in a stage's database as the superuser.
    #[track_caller]
    pub(super) fn psql(&self, stage: &str, sql: &str) -> String {
        self.cluster(stage).psql(&name(stage), sql)
    }

    /// Runs SQL in a stage's database as its owner.
    #[track_caller]
    pub(super) fn own(&self, stage: &str, sql: &str) -> String {
        self.cluster(stage).psql_as(self.role(stage), &name(stage), sql)
    }

    /// Marks a stage's database as what was there before.
    pub(super) fn mark(&self, stage: &str) {
        self.own(
            stage,
            "create table old_things (id int primary key, name text); insert into old_things values (1, 'old')",
        );
    }

    pub(super) fn contents(&self, stage: &str) -> Contents {
        Contents::of(self.cluster(stage), &name(stage))
    }

    /// Has the tool run PostgreSQL's programs by way of a folder where they are watched.
    pub(super) fn tools(&mut self, stage: &str) -> Tools {
        let tools = Tools::new(&self.project.sandbox, &Release::installed());
        self.set(stage, &format!("bin_dir = {:?}", tools.folder()));
        tools
    }

    /// Where backups are kept.
    pub(super) fn folder(&self) -> PathBuf {
        self.project.folder().join("backups")
    }

    /// The backups of all stages, oldest first.
    pub(super) fn backups(&self) -> Vec<String> {
        let names = list(&self.folder());
        names.into_iter().filter(|name| name.ends_with(".pgdump")).collect()
    }

    /// Backs a stage up, which must succeed, and returns the path of the dump.
    #[track_caller]
    pub(super) fn back_up(&self, stage: &str) -> PathBuf {
        let output = self.project.xtask(&format!("db backup create --stage {stage}")).success();
        printed_dump(self, &output)
    }

    /// Restores `file` to a stage.
    #[must_use = "either snapshot the output or assert the exit status"]
    #[track_caller]
    pub(super) fn restore(&self, file: &Path, stage: &str) -> Output {
        let file = file.to_str().expect("UTF-8");
        self.project.xtask_with(&["db", "backup", "restore", "--file", file, "--stage", stage, "--yes"])
    }

    /// The databases of a stage's server besides its own.
    pub(super) fn others(&self, stage: &str) -> Vec<String> {
        let own = name(stage);
        self.cluster(stage).databases().into_iter().filter(|database| *database != own).collect()
    }

    /// Everything that no failure may change: what a stage's server holds, and the files of all servers and of `/tmp`.
    pub(super) fn before(&self, stage: &str) -> Before {
        let properties = self.cluster(stage).properties(&name(stage));
        Before {
            contents: self.contents(stage),
            databases: self.cluster(stage).databases(),
            properties,
            files: self.files(),
        }
    }

    /// Whether a stage is as it was before, nothing runs any more, and nothing is left anywhere.
    pub(super) fn is_as(&self, stage: &str, before: &Before) -> Result<(), String> {
        self.lives_as(stage, before)?;
        let databases = self.cluster(stage).databases();
        if databases != before.databases {
            return Err(format!("databases before: {:?}, now: {databases:?}", before.databases));
        }
        let new: Vec<_> = self.files().into_iter().filter(|file| !before.files.contains(file)).collect();
        if new.is_empty() { Ok(()) } else { Err(format!("files are left: {new:#?}")) }
    }

    /// Whether a stage's live database is as it was before, and nothing runs any more.
    pub(super) fn lives_as(&self, stage: &str, before: &Before) -> Result<(), String> {
        self.is_quiet(stage)?;
        let differences = before.contents.differences(&self.contents(stage));
        if !differences.is_empty() {
            return Err(format!("the live database has changed: {differences:#?}"));
        }
        match self.cluster(stage).properties(&name(stage)) {
            now if now == before.properties => Ok(()),
            now => Err(format!("the live database was `{}`, is `{now}`", before.properties)),
        }
    }

    /// Whether nothing runs on any server and nobody is connected to a stage's server any more.
    pub(super) fn is_quiet(&self, stage: &str) -> Result<(), String> {
        let until = Instant::now() + ENDED_WITHIN;
        loop {
            let left = [self.project.sandbox.processes(), self.cluster(stage).connections()].concat();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("still there: {left:#?}"));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// What stands on the servers and in their `/tmp`.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in ["servers", "tmp"] {
            walk(&self.project.sandbox.join(folder), &mut files);
        }
        files.sort();
        files
    }
}

/// What a stage held before a command.
pub(super) struct Before {
    contents: Contents,
    databases: Vec<String>,
    properties: String,
    files: Vec<PathBuf>,
}

/// What a stage's database is called.
pub(super) fn name(stage: &str) -> String {
    format!("shop_{stage}")
}

/// The dump that a command names in the last line of its standard output.
#[track_caller]
pub(super) fn printed_dump(shop: &Shop, output: &Output) -> PathBuf {
    let line = output.stdout().lines().last().unwrap_or_else(|| panic!("no name was printed:\n{output}"));
    let path = shop.project.folder().join(line);
    let path = if path.is_file() { path } else { shop.folder().join(line) };
    assert!(path.is_file(), "`{line}` is no file:\n{output}");
    path
}

/// The names in a folder, sorted; none if it doesn't exist.
pub(super) fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files);
        }
        files.push(path);
    }
}

/// No differences, for comparisons that shall find none.
pub(super) const NONE: [&str; 0] = [];
