//! The scripts, run by the shells that servers have, with stand-ins for rake and npm on `PATH`.

mod built;
mod links;
mod npm;
mod rails;
mod registration;
mod sent;
mod unchanged;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deploy_core::config::RecipeTable;
use deploy_core::event::Stream;
use deploy_core::layout::Layout;
use deploy_core::script::{Decoder, Opening, Report, Shell, Talk, TaskScript, WorkDir, compile};
use deploy_core::testing::SHELLS;
use tempfile::TempDir;

use super::*;
use crate::compile::Place;

/// What the conversations are opened with.
const HELLO: &str = "0123456789abcdef";

/// What busybox has of the tools that the scripts use.
const TOOLS: [&str; 21] = [
    "basename", "cat", "cmp", "cp", "cut", "dd", "env", "find", "head", "ln", "mkdir", "mkfifo", "mv", "readlink",
    "rm", "sed", "sort", "tar", "touch", "tr", "wc",
];

/// Compiles as Sprockets does: adds a file with a digest, and writes the manifest anew, with what was compiled earlier.
const RAKE: &str = r#"#!/bin/sh
set -eu
echo "$RAILS_ENV $RAILS_GROUPS rake $*" >>"$CALLS"
case $1 in
  assets:clobber) rm -rf public/assets; exit ;;
  assets:clean*) exit ;;
esac
[ ! -e app/assets/broken ] || exit 1
digest=$(cksum <app/assets/app.css | cut -d ' ' -f 1)
cp app/assets/app.css "public/assets/app-$digest.css"
printf '{"files":{"app-0.css":{"digest":"0"}},"assets":{"app.css":"app-%s.css"}}' "$digest" \
  >public/assets/.sprockets-manifest-5.json
"#;

/// Builds as Vite does: into a folder that is emptied first.
const NPM: &str = r#"#!/bin/sh
set -eu
echo "npm $*" >>"$CALLS"
[ "$1" = run ] || exit 0
rm -rf dist
mkdir -p dist/assets
[ ! -e src/nothing ] || exit 0
digest=$(cksum <src/app.js | cut -d ' ' -f 1)
cp src/app.js "dist/assets/app-$digest.js"
echo "app-$digest.js" >dist/index.html
"#;

/// A deployment under one shell.
struct Site {
    folder: TempDir,
    path: PathBuf,
}

/// What a script did.
struct Ran {
    status: i32,
    skipped: Option<String>,
    told: String,
}

impl Site {
    fn new(shell: &str) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bin");
        let site = Site { folder, path };
        fs::create_dir(&site.path).unwrap();
        site.link_program("sh", shell);
        if shell == "busybox" {
            TOOLS.iter().for_each(|tool| site.link_program(tool, shell));
        }
        site.stand_in("rake", RAKE);
        site.stand_in("npm", NPM);
        for folder in ["releases", "shared/public/assets"] {
            fs::create_dir_all(site.at(folder)).unwrap();
        }
        let git = Command::new("git").args(["init", "--quiet", "--bare"]).arg(site.at("repo")).status();
        assert!(git.unwrap().success());
        site
    }

    fn each(check: impl Fn(Site)) {
        SHELLS.iter().for_each(|shell| check(Site::new(shell)));
    }

    fn link_program(&self, name: &str, program: &str) {
        let file = ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(program)).into_iter().find(|file| file.exists());
        symlink(file.expect("the shell is installed"), self.path.join(name)).unwrap();
    }

    fn stand_in(&self, name: &str, text: &str) {
        let file = self.path.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A path of the deployment, whose name has a blank in it.
    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("si te").join(path)
    }

    fn place(&self) -> Place {
        Place {
            layout: Layout::new(self.at("").display().to_string().trim_end_matches('/')),
            stage: "staging".to_owned(),
            environment: String::new(),
            fed: false,
            is_new: false,
            inputs: None,
        }
    }

    /// Makes a release whose stylesheet and script hold `text`, its assets linked.
    fn release(&self, stamp: &str, text: &str) {
        let release = format!("releases/{stamp}");
        for folder in ["app/assets", "public", "src"] {
            fs::create_dir_all(self.at(&format!("{release}/{folder}"))).unwrap();
        }
        self.write(&format!("{release}/app/assets/app.css"), text);
        self.write(&format!("{release}/src/app.js"), text);
        symlink(self.at("shared/public/assets"), self.at(&format!("{release}/public/assets"))).unwrap();
    }

    fn publish(&self, stamp: &str) {
        let _ = fs::remove_file(self.at("current"));
        symlink(self.at(&format!("releases/{stamp}")), self.at("current")).unwrap();
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// What programs were called since this was asked last.
    fn calls(&self) -> Vec<String> {
        let file = self.folder.path().join("calls");
        let calls = fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_owned).collect();
        let _ = fs::remove_file(file);
        calls
    }

    /// Runs the task's script in the release `stamp`.
    fn run(&self, assets: &Assets, stamp: &str, script: Script) -> Ran {
        self.run_with(assets, stamp, script, None)
    }

    /// The same with what the controller sends.
    fn run_with(&self, assets: &Assets, stamp: &str, script: Script, payload: Option<&[u8]>) -> Ran {
        let dir = WorkDir::In(self.at(&format!("releases/{stamp}")).display().to_string());
        let payload_bytes = payload.map(|payload| payload.len() as u64);
        let task = TaskScript { script, dir, env: assets.variables(), payload: payload_bytes, ..TaskScript::default() };
        let program = compile(&[task], &Shell::default()).unwrap();
        let opening = Opening::new(&Shell::default(), &program, Talk::Programs, HELLO, false);
        let mut child = Command::new(self.path.join("sh"))
            .args(["-c", &opening.command])
            .process_group(0)
            .env("PATH", format!("{}:/usr/bin:/bin", self.path.display()))
            .env("CALLS", self.folder.path().join("calls"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&opening.input).unwrap();
        if let Some(payload) = payload {
            stdin.write_all(format!("D {} last\n", payload_bytes.unwrap_or_default()).as_bytes()).unwrap();
            stdin.write_all(payload).unwrap();
        }
        stdin.write_all(b"Q\n").unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let mut reports = Vec::new();
        let mut decoder = Decoder::new(HELLO, 1);
        decoder.feed(Stream::Stdout, &output.stdout, &mut |report| reports.push(report));
        decoder.feed(Stream::Stderr, &output.stderr, &mut |report| reports.push(report));
        Ran::of(&reports)
    }

    /// Deploys `text` as the release `stamp`, without publishing it.
    fn deploys(&self, assets: &Assets, stamp: &str, text: &str) -> Ran {
        self.release(stamp, text);
        let ran = self.run(assets, stamp, assets.compile(&self.place()));
        assert_eq!(ran.status, 0, "{}", ran.told);
        let backup = self.run(assets, stamp, assets.back_up(&self.place()));
        assert_eq!(backup.status, 0, "{}", backup.told);
        ran
    }
}

impl Ran {
    fn of(reports: &[Report]) -> Ran {
        let status = reports.iter().find_map(|report| match report {
            Report::Ended(0, status) => Some(*status),
            _ => None,
        });
        let skipped = reports.iter().find_map(|report| match report {
            Report::Skip(reason) => Some(reason.clone()),
            _ => None,
        });
        let words = |report: &Report| match report {
            Report::Line { line, .. } => String::from_utf8_lossy(line).into_owned(),
            Report::Fact(name, value) => format!("{name}={value}"),
            other => format!("{other:?}"),
        };
        let told = reports.iter().map(words).collect::<Vec<_>>().join("\n");
        Ran { status: status.expect("the task ended"), skipped, told }
    }

    #[track_caller]
    fn says(&self, text: &str) -> &Ran {
        assert!(self.told.contains(text), "{}", self.told);
        self
    }
}

fn recipe(toml: &str) -> Assets {
    RecipeTable::from_toml("assets", toml).unwrap().read().unwrap()
}

#[test]
fn every_script_passes_shellcheck() {
    type Body = fn(&Assets, &Place) -> Script;
    let bodies: [Body; 9] = [
        Assets::compile,
        Assets::back_up,
        Assets::roll_back,
        Assets::restore_live,
        Assets::publish,
        Assets::normalize,
        Assets::clean_up,
        Assets::clobber,
        Assets::survey,
    ];
    let settings = [
        "skip_unchanged = true\nnormalize = ['public/assets']\nkeep_assets = 2\ncommands = ['make assets']",
        "preset = 'npm'\noutput = ['my dist', 'pack']\nskip_unchanged = true\ninputs = ['src']",
        "build_on = 'controller'\nskip_unchanged = true",
        "build_on = 'controller'\npreset = 'npm'",
    ];
    let site = Site::new("dash");
    let places = [site.place(), Place { fed: true, inputs: Some("abc".into()), ..site.place() }];
    for (toml, place) in settings.iter().flat_map(|toml| places.iter().map(move |place| (toml, place))) {
        for body in bodies {
            let script = body(&recipe(toml), place);
            let task = TaskScript { script, payload: Some(9), ..TaskScript::default() };
            shellcheck(&compile(&[task], &Shell::default()).unwrap().text(&Shell::default()));
        }
    }
}

fn shellcheck(text: &[u8]) {
    let mut child = Command::new("shellcheck").arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
