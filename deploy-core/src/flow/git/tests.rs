//! The scripts of the git tasks, run by the shells that servers have, on real repositories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{archive, transfer};
use crate::config::{GitStrategy, Settings, Stage};
use crate::plan::testing::stage;
use crate::repository::Repository;
use crate::script::testing::{Ran, payload_frame, run};
use crate::script::{Report, Script, Shell, TaskScript};
use crate::task::{Facts, Options, ServerCx};

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];
const STAMP: &str = "20261122101500";

/// What makes a task's script.
type Body = fn(&ServerCx<'_>) -> Script;

/// A repository, and a server that it is deployed to.
struct Site {
    folder: tempfile::TempDir,
    stage: Stage,
    facts: Facts,
    shell: &'static str,
}

impl Site {
    fn new(shell: &'static str, strategy: GitStrategy) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = stage(&["app1 app"]);
        stage.settings.git.strategy = strategy;
        stage.settings.branch = "main".to_owned();
        stage.settings.repo_url = folder.path().join("re po").display().to_string();
        stage.servers[0].deploy_to = folder.path().join("si te").display().to_string();
        let site = Site { folder, stage, facts: Facts::default(), shell };
        fs::create_dir(site.repo()).unwrap();
        git(&site.repo(), &["init", "--quiet", "--initial-branch=main"]);
        site.commit("index.html", "one\n");
        site
    }

    /// Each strategy under each shell.
    fn all(check: impl Fn(Site)) {
        for shell in SHELLS {
            for strategy in [GitStrategy::Push, GitStrategy::Fetch] {
                check(Site::new(shell, strategy));
            }
        }
    }

    /// Each strategy under some shell.
    fn each(check: impl Fn(Site)) {
        check(Site::new("busybox", GitStrategy::Push));
        check(Site::new("dash", GitStrategy::Fetch));
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Site {
        change(&mut self.stage.settings);
        self
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("re po")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("si te")
    }

    fn mirror(&self) -> PathBuf {
        self.root().join("repo")
    }

    fn release(&self, path: &str) -> PathBuf {
        self.root().join("releases").join(STAMP).join(path)
    }

    fn commit(&self, path: &str, text: &str) -> String {
        let file = self.repo().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        git(&self.repo(), &["add", "--all"]);
        git(&self.repo(), &["commit", "--quiet", "--message", "change"]);
        git(&self.repo(), &["rev-parse", "HEAD"])
    }

    fn set(&mut self, name: &str, value: &str) {
        self.facts.run.insert(name.to_owned(), value.to_owned());
    }

    fn cx<'a>(&'a self, options: &'a Options, work_dir: &'a Path) -> ServerCx<'a> {
        ServerCx {
            stage: &self.stage,
            server: &self.stage.servers[0],
            number: 0,
            facts: &self.facts,
            options,
            root: self.folder.path(),
            preview: false,
            missing: Default::default(),
            work_dir,
            payload: None,
            servers: 1,
        }
    }

    /// Runs one task as a leg of its own, and keeps the facts that it reports.
    fn run(&mut self, body: Body, fed: bool) -> Ran {
        let (options, work_dir) = (Options::default(), self.folder.path().join("work"));
        let mut cx = self.cx(&options, &work_dir);
        let payload = if fed { transfer::feed(&cx).unwrap() } else { None };
        cx.payload = payload.as_ref().map(|payload| payload.bytes);
        let task = TaskScript { script: body(&cx), payload: cx.payload, ..TaskScript::default() };
        let frame = payload.map(|payload| payload_frame(&fs::read(payload.file).unwrap())).unwrap_or_default();
        let ran = run(self.shell, &[task], &Shell::default(), &frame);
        for report in &ran.reports {
            if let Report::Fact(name, value) = report {
                self.facts.servers.entry(0).or_default().insert(name.clone(), value.clone());
            }
        }
        ran
    }

    fn resolve(&mut self) {
        let settings = &self.stage.settings;
        let repository = Repository::new(&settings.repo_url, self.folder.path(), &self.folder.path().join("work"));
        let resolved = repository.resolve(&settings.branch).unwrap();
        if settings.git.strategy == GitStrategy::Push {
            repository.bring(&resolved, settings.git.shallow).unwrap();
        }
        self.set("revision", &resolved.sha);
    }

    /// The release's way, as the flow goes it, to the first task that fails.
    fn deploy(&mut self) -> Ran {
        self.resolve();
        for (name, value) in [("release", STAMP), ("new_release", STAMP), ("branch", "main")] {
            self.set(name, value);
        }
        let _ = fs::remove_dir_all(self.root().join("releases"));
        fs::create_dir_all(self.root().join("releases")).unwrap();
        fs::create_dir_all(self.root().join(".deploy")).unwrap();
        let is_push = self.stage.settings.git.strategy == GitStrategy::Push;
        let tasks: [(Body, bool); 3] =
            [(transfer::check, false), (transfer::update, is_push), (archive::create_release, false)];
        let mut last = None;
        for (body, fed) in tasks {
            let ran = self.run(body, fed);
            let is_good = ran.status() == Some(0);
            last = Some(ran);
            if !is_good {
                break;
            }
        }
        last.unwrap()
    }

    /// Deploys, and says what went wrong where something does.
    fn deploys(&mut self) {
        let ran = self.deploy();
        assert_eq!(ran.status(), Some(0), "{} {:?}\n{}", self.shell, self.stage.settings.git.strategy, told(&ran));
    }

    fn is_refused(&mut self) -> String {
        let ran = self.deploy();
        assert_ne!(ran.status(), Some(0));
        assert!(!self.release("").exists(), "nothing is made");
        told(&ran)
    }
}

fn told(ran: &Ran) -> String {
    ran.reports
        .iter()
        .map(|report| match report {
            Report::Line { line, .. } => format!("{}\n", String::from_utf8_lossy(line)),
            other => format!("{other:?}\n"),
        })
        .collect()
}

fn git(dir: &Path, args: &[&str]) -> String {
    let who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "protocol.file.allow=always"];
    let output = Command::new("git").args(who).args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn each_file(dir: &Path, change: &dyn Fn(&Path)) {
    for entry in fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
        if entry.is_dir() { each_file(&entry, change) } else { change(&entry) }
    }
}

#[test]
fn releases_are_made_of_one_commit_after_the_other() {
    Site::all(|mut site| {
        site.deploys();
        assert_eq!(fs::read_to_string(site.release("index.html")).unwrap(), "one\n");
        site.commit("index.html", "two\n");
        site.deploys();
        assert_eq!(fs::read_to_string(site.release("index.html")).unwrap(), "two\n");
        site.deploys();
        git(&site.repo(), &["reset", "--quiet", "--hard", "HEAD^"]);
        site.deploys();
        assert_eq!(fs::read_to_string(site.release("index.html")).unwrap(), "one\n");
        site.commit("index.html", "forced\n");
        site.deploys();
        assert_eq!(git(&site.mirror(), &["config", "remote.origin.fetch"]), "+refs/*:refs/*");
    });
}

#[test]
fn after_a_forced_push_commits_before_it_still_count() {
    let mut site = Site::new("dash", GitStrategy::Push);
    site.commit(
        "large",
        &(0..5000_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect::<String>(),
    );
    site.commit("index.html", "lost\n");
    site.deploys();
    fs::remove_dir_all(site.folder.path().join("work")).unwrap();
    git(&site.repo(), &["reset", "--quiet", "--hard", "HEAD^"]);
    site.commit("index.html", "other\n");
    site.deploys();
    let packs =
        fs::read_dir(site.folder.path().join("work/.git")).unwrap().flatten().next().unwrap().path().join("packs");
    let sizes: Vec<_> = fs::read_dir(packs).unwrap().flatten().map(|pack| pack.metadata().unwrap().len()).collect();
    assert!(sizes.iter().all(|size| *size < 2000), "{sizes:?}");
}

#[test]
fn a_folder_of_the_repository_is_deployed_with_the_attributes_of_all() {
    Site::each(|site| {
        let mut site = site.with(|settings| settings.repo_tree = Some("apps/my shop".to_owned()));
        site.commit(".gitattributes", "secret export-ignore\nversion export-subst\n");
        site.commit("apps/my shop/secret", "x");
        site.commit("apps/my shop/version", "$Format:%H$\n");
        let sha = site.commit("apps/my shop/public/index.html", "shop\n");
        site.deploys();
        assert!(site.release("public/index.html").exists() && !site.release("secret").exists());
        assert_eq!(fs::read_to_string(site.release("version")).unwrap().trim(), sha);
    });
}

#[test]
fn a_folder_that_is_none_is_refused() {
    for path in ["nowhere", "index.html", "-x"] {
        let mut site = Site::new("dash", GitStrategy::Push).with(|settings| settings.repo_tree = Some(path.to_owned()));
        let told = site.is_refused();
        assert!(told.contains(&format!("the commit has no folder `{path}`")), "{told}");
    }
}

#[test]
fn submodules_are_refused_or_left_empty() {
    let mut site = Site::new("dash", GitStrategy::Push);
    git(&site.repo(), &["submodule", "--quiet", "add", "./.", "vendor/sub"]);
    site.commit("a", "b");
    let told = site.is_refused();
    assert!(told.contains("the commit has submodules, whose files would be missing: vendor/sub"), "{told}");
    assert!(told.contains("git.ignore_submodules"), "{told}");
    let mut site = site.with(|settings| settings.git.ignore_submodules = true);
    site.deploys();
    assert!(site.release("vendor/sub").is_dir());
}

#[test]
fn files_in_lfs_are_refused_or_deployed_as_pointers() {
    let mut site = Site::new("busybox", GitStrategy::Push);
    site.commit(".gitattributes", "# *.old filter=lfs\n");
    site.deploys();
    site.commit("art/big.psd", "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1\n");
    let told = site.is_refused();
    assert!(told.contains("Git LFS") && told.contains("git.ignore_lfs"), "{told}");
    site.with(|settings| settings.git.ignore_lfs = true).deploys();
}

#[test]
fn files_that_name_a_tag_are_refused_where_there_are_none() {
    for shell in SHELLS {
        let mut site = Site::new(shell, GitStrategy::Push);
        site.commit(".gitattributes", "version export-subst\n");
        site.commit("version", "$Format:%H$\n");
        git(&site.repo(), &["tag", "v1"]);
        site.deploys();
        site.commit("version", "$Format:%(describe:tags)$\n");
        let told = site.is_refused();
        assert!(told.contains("%(describe)") && told.contains("git.strategy"), "{told}");
        site.stage.settings.git.strategy = GitStrategy::Fetch;
        site.deploys();
        assert!(fs::read_to_string(site.release("version")).unwrap().starts_with("v1-1-g"));
    }
}

#[test]
fn a_repository_with_sha_256_is_mirrored_so_and_an_older_mirror_is_made_anew() {
    Site::each(|mut site| {
        site.deploys();
        fs::remove_dir_all(site.repo()).unwrap();
        fs::create_dir(site.repo()).unwrap();
        git(&site.repo(), &["init", "--quiet", "--initial-branch=main", "--object-format=sha256"]);
        let sha = site.commit("index.html", "another\n");
        assert_eq!(sha.len(), 64);
        site.deploys();
        site.commit("index.html", "two\n");
        site.deploys();
        assert_eq!(fs::read_to_string(site.release("index.html")).unwrap(), "two\n");
        assert_eq!(git(&site.mirror(), &["rev-parse", "--show-object-format"]), "sha256");
    });
}

#[test]
fn shallow_mirrors_and_whole_ones_turn_into_each_other() {
    Site::each(|mut site| {
        for shallow in [true, true, false, true, false] {
            site.stage.settings.git.shallow = shallow;
            if site.stage.settings.git.strategy == GitStrategy::Fetch {
                git(&site.repo(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
                site.stage.settings.repo_url = format!("file://{}", site.repo().display());
            }
            let sha = site.commit("index.html", &format!("{shallow} {}\n", site.mirror().exists()));
            site.commit("other", &sha);
            site.deploys();
            site.deploys();
            git(&site.mirror(), &["fsck", "--connectivity-only"]);
        }
    });
}

#[test]
fn a_mirror_that_capistrano_made_is_used() {
    Site::each(|mut site| {
        let sha = site.commit("index.html", "two\n");
        fs::create_dir(site.root()).unwrap();
        let url = site.repo().display().to_string();
        git(&site.root(), &["clone", "--quiet", "--mirror", &url, "repo"]);
        site.deploys();
        if site.stage.settings.git.strategy == GitStrategy::Push {
            assert!(site.facts.servers[&0]["git_tips"].contains(&sha));
        }
        git(&site.mirror(), &["remote", "update", "--prune"]);
    });
}

#[test]
fn a_damaged_mirror_is_made_good_at_once() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("no objects", |mirror| fs::remove_dir_all(mirror.join("objects")).unwrap()),
        ("empty objects", |mirror| {
            each_file(&mirror.join("objects"), &|file| {
                fs::remove_file(file).unwrap();
                fs::write(file, "").unwrap();
            })
        }),
        ("locks", |mirror| {
            for lock in ["config.lock", "HEAD.lock", "packed-refs.lock", "shallow.lock", "refs/heads/main.lock"] {
                fs::create_dir_all(mirror.join("refs/heads")).unwrap();
                fs::write(mirror.join(lock), "").unwrap();
            }
            fs::write(mirror.join("objects/pack/tmp_pack_abc"), "half").unwrap();
        }),
        ("half made", |mirror| fs::remove_file(mirror.join("HEAD")).unwrap()),
        ("not ours", |mirror| {
            fs::remove_dir_all(mirror).unwrap();
            fs::create_dir_all(mirror.join("somebody")).unwrap();
        }),
    ];
    for (name, damage) in damages {
        Site::each(|mut site| {
            site.deploys();
            damage(&site.mirror());
            site.commit("index.html", "two\n");
            site.deploys();
            assert_eq!(fs::read_to_string(site.release("index.html")).unwrap(), "two\n", "{name}");
            assert_eq!(site.mirror().join("somebody").exists(), name == "not ours");
        });
    }
}

#[test]
fn damage_that_only_shows_when_files_are_read_is_made_good_by_the_next_deploy() {
    Site::each(|mut site| {
        site.commit(
            "noise",
            &(0..3000_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect::<String>(),
        );
        site.deploys();
        each_file(&site.mirror().join("objects"), &|file| {
            let mut bytes = fs::read(file).unwrap();
            if bytes.len() > 10_000 {
                let middle = bytes.len() / 2;
                bytes[middle..middle + 100].fill(0);
                fs::remove_file(file).unwrap();
                fs::write(file, bytes).unwrap();
            }
        });
        assert_ne!(site.deploy().status(), Some(0), "{}", site.shell);
        site.deploys();
    });
}

#[test]
fn branches_whose_names_stand_in_each_others_way() {
    Site::each(|mut site| {
        git(&site.repo(), &["branch", "topic"]);
        site.stage.settings.branch = "topic".to_owned();
        site.deploys();
        git(&site.repo(), &["branch", "--delete", "topic"]);
        git(&site.repo(), &["switch", "--quiet", "--create", "topic/next"]);
        site.commit("index.html", "next\n");
        site.stage.settings.branch = "topic/next".to_owned();
        site.deploys();
    });
}

#[test]
fn a_server_finds_the_commit_out_where_the_controller_can_not() {
    for shell in SHELLS {
        let mut site = Site::new(shell, GitStrategy::Fetch);
        git(&site.repo(), &["-c", "tag.gpgSign=false", "tag", "--annotate", "--message", "x", "v1"]);
        git(&site.repo(), &["branch", "other/main"]);
        let old = git(&site.repo(), &["rev-parse", "HEAD"]);
        let new = site.commit("index.html", "two\n");
        for (name, sha) in [("main", &new), ("v1", &old), ("HEAD", &new), ("refs/tags/v1", &old), (old.as_str(), &old)]
        {
            site.stage.settings.branch = name.to_owned();
            let ran = site.run(transfer::check, false);
            assert_eq!(site.facts.servers[&0].get("found_revision"), Some(sha), "{name} {}", told(&ran));
        }
        for name in ["mian", "--upload-pack=touch proof", "$(touch proof)", "a\nb", "*"] {
            site.stage.settings.branch = name.to_owned();
            assert_ne!(site.run(transfer::check, false).status(), Some(0), "{name}");
        }
    }
}

#[test]
fn what_another_server_found_has_to_be_a_commit_of_the_branch() {
    for shell in SHELLS {
        let mut site = Site::new(shell, GitStrategy::Fetch);
        let old = git(&site.repo(), &["rev-parse", "HEAD"]);
        let new = site.commit("index.html", "two\n");
        git(&site.repo(), &["switch", "--quiet", "--create", "unmerged"]);
        let unmerged = site.commit("index.html", "unmerged\n");
        git(&site.repo(), &["switch", "--quiet", "main"]);
        site.stage.settings.branch = "main".to_owned();
        site.run(transfer::check, false);
        site.facts.run.insert(super::FOUND_BY.to_owned(), "app9".to_owned());
        for (revision, is_good) in [(&new, true), (&old, true), (&unmerged, false)] {
            site.facts.run.insert("revision".to_owned(), revision.clone());
            let ran = site.run(transfer::update, false);
            assert_eq!(ran.status() == Some(0), is_good, "{shell}: {}", told(&ran));
            assert_eq!(told(&ran).contains("app9 says that `main` is"), !is_good, "{shell}: {}", told(&ran));
        }
    }
}

#[test]
fn a_repository_that_can_not_be_reached_is_named_and_asks_nothing() {
    for shell in SHELLS {
        let mut site = Site::new(shell, GitStrategy::Fetch);
        site.resolve();
        site.stage.settings.repo_url = "/nowhere/at all".to_owned();
        let ran = site.run(transfer::check, false);
        assert_ne!(ran.status(), Some(0), "{}", told(&ran));
        assert!(told(&ran).contains("this server can't read the repository /nowhere/at all"), "{}", told(&ran));
        site.facts.run.clear();
        let ran = site.run(transfer::check, false);
        assert!(told(&ran).contains("this server can't read the repository /nowhere/at all"), "{}", told(&ran));
    }
}

#[test]
fn no_password_reaches_a_server() {
    let site = Site::new("dash", GitStrategy::Push)
        .with(|settings| settings.repo_url = "https://ann:hunter2@git.example.com/shop.git".to_owned());
    let (options, work_dir) = (Options::default(), PathBuf::new());
    let cx = site.cx(&options, &work_dir);
    for script in [transfer::check(&cx), transfer::update(&cx), archive::create_release(&cx)] {
        assert!(!format!("{script:?}").contains("hunter2"));
    }
}

#[test]
fn what_is_no_id_of_a_commit_reaches_no_git() {
    for shell in SHELLS {
        let mut site = Site::new(shell, GitStrategy::Push);
        site.deploys();
        for revision in ["--output=ran", "HEAD", "main:index.html", "", "8d3f5a0c\n--all"] {
            site.set("revision", revision);
            for body in [archive::create_release as Body, transfer::update] {
                let ran = site.run(body, false);
                assert_eq!(ran.status(), Some(1), "{shell}: {revision:?}");
                assert!(told(&ran).contains("is no commit's id"), "{}", told(&ran));
            }
        }
    }
}
