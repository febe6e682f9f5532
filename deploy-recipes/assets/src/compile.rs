//! What compiles the assets on a server, or takes them from the live release.

use deploy_core::config::Settings;
use deploy_core::layout::Layout;
use deploy_core::prelude::*;
use deploy_core::task::ServerCx;

use crate::controller;
use crate::settings::{Assets, BuildOn, Preset};

/// Shell functions about assets. `Place::start` comes first.
pub(crate) const ASSETS: &str = include_str!("assets.sh");

/// The folder of a release that keeps what is needed to go back to its assets. Capistrano's name for it.
const BACKUP: &str = "assets_manifest_backup";

/// The folder of a release that takes what the controller sends.
const SENT: &str = ".deploy_assets";

/// Where a script runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) layout: Layout,
    pub(crate) stage: String,
    /// The settings of the stage that builds depend on.
    pub(crate) environment: String,
    /// Whether the controller sends the assets.
    pub(crate) fed: bool,
    /// Whether the release was made by this run.
    pub(crate) is_new: bool,
    /// What the controller's build was made from.
    pub(crate) inputs: Option<String>,
}

impl Place {
    pub(crate) fn of(cx: &ServerCx<'_>) -> Place {
        let settings = &cx.stage.settings;
        Place {
            layout: cx.layout(),
            stage: cx.stage.name.clone(),
            environment: Place::environment(settings),
            fed: cx.payload.is_some() || cx.preview,
            is_new: cx.known("new_release").is_some(),
            inputs: cx.known(controller::INPUTS).map(str::to_owned),
        }
    }

    /// The settings of the stage that builds depend on, as text.
    pub(crate) fn environment(settings: &Settings) -> String {
        format!("{:?} {:?}", settings.default_env, settings.command_prefix)
    }

    /// What every script begins with.
    pub(crate) fn start(&self, assets: &Assets) -> Script {
        let home = assets.folders().first().cloned().unwrap_or_default();
        let start = sh!(
            "backup={} home={} repo={} shared={} release=$PWD",
            BACKUP,
            home,
            self.layout.repo(),
            self.layout.shared()
        );
        Script::new().uses(ASSETS).uses(flow::INSIDE).then(start)
    }
}

/// A step that calls a shell function with all of `args`.
pub(crate) fn call(function: &str, args: &[String]) -> Script {
    Script::new().run(Cmd::new(function).unprefixed().args(args))
}

impl Assets {
    /// The body of `deploy:compile_assets`.
    pub(crate) fn compile(&self, place: &Place) -> Script {
        // What the repository ships by that name was not kept by us.
        let anew = if place.is_new { sh!("own_files \"$backup\"") } else { Script::new() };
        let start = place.start(self).then(anew).then(self.read_inputs(place));
        if !self.skip_unchanged || self.receives(place) {
            return start.then(self.make(place));
        }
        let same = Cmd::new("assets_same_as").unprefixed().arg(place.layout.current()).args(self.own_folders());
        start.when(same, self.take_live(place), self.make(place))
    }

    /// Whether the controller sends what it has built.
    pub(crate) fn receives(&self, place: &Place) -> bool {
        self.build_on == BuildOn::Controller && place.fed
    }

    /// The folders that each release has its own of.
    fn own_folders(&self) -> Vec<String> {
        match self.preset {
            Preset::Rails => Vec::new(),
            Preset::Npm => self.output.clone(),
        }
    }

    /// Finds out what the build is made from, before it can change anything; nothing where that can't be told.
    fn read_inputs(&self, place: &Place) -> Script {
        match (self.skip_unchanged, self.build_on, &place.inputs) {
            (true, _, Some(inputs)) => sh!("inputs={}", inputs),
            (true, BuildOn::Server, None) => {
                let settings = Arg::secret(self.settings_text(&place.environment));
                let args: Vec<_> = [settings].into_iter().chain(self.inputs().into_iter().map(Arg::from)).collect();
                let holes = vec!["{}"; args.len()].join(" ");
                Script::shell(
                    &format!(
                        "inputs=$(assets_inputs {holes}) || {{ inputs=''; deploy_note 'the inputs of the build can not all be read, so it is not skipped'; }}"
                    ),
                    &args,
                )
            }
            _ => sh!("inputs=''"),
        }
    }

    /// All settings that a build depends on, as text.
    pub(crate) fn settings_text(&self, environment: &str) -> String {
        format!("{self:?} {environment}")
    }

    /// Compiles, or takes what the controller sends.
    pub(crate) fn make(&self, place: &Place) -> Script {
        let forget = sh!("assets_forget");
        let made = if self.receives(place) { self.receive() } else { self.rails_env(place).then(self.build(place)) };
        let own = self.own_folders();
        let nothing = sh!("deploy_fail \"the build wrote nothing to \\`$missing\\`\" 'see output in [recipes.assets]'");
        let found = Cmd::new("assets_output").unprefixed().args(&own);
        let checked = if own.is_empty() { Script::new() } else { Script::new().when(found, Script::new(), nothing) };
        forget.then(made).then(checked).then(self.write_down())
    }

    /// For the next deploy: what was built, and what from.
    fn write_down(&self) -> Script {
        let output = match self.own_folders() {
            own if own.is_empty() => Script::new(),
            own => call("assets_keep_output", &own),
        };
        if self.skip_unchanged { output.then(sh!("assets_keep_inputs")) } else { Script::new() }
    }

    /// As Capistrano does, the stage's name where nothing else is said.
    pub(crate) fn rails_env(&self, place: &Place) -> Script {
        match self.preset {
            Preset::Rails => sh!("stage={}\nRAILS_ENV=${RAILS_ENV:-$stage}\nexport RAILS_ENV", &place.stage),
            Preset::Npm => Script::new(),
        }
    }

    /// Runs the commands where what they write is the release's own: the live release's files stay as they are until the
    /// build is done, and then others are added. What is live is built where it is.
    fn build(&self, place: &Place) -> Script {
        let folders = self.folders();
        if self.preset == Preset::Npm {
            let ways: Vec<_> = folders.iter().map(|folder| format!("{folder}/")).collect();
            return call("must_be_own", &ways).then(self.run_commands());
        }
        let begin = |folder: String| {
            let args: Vec<_> = [folder].into_iter().chain(self.manifests.clone()).collect();
            call("assets_begin_build", &args)
        };
        let is_live = Cmd::new("assets_is_live").unprefixed().arg(place.layout.current());
        let begin = folders.into_iter().map(begin).fold(Script::new(), Script::then);
        let start = sh!("built=''").when(is_live, Script::new(), begin);
        start.then(self.run_commands()).then(sh!("assets_end_build"))
    }

    fn run_commands(&self) -> Script {
        let own = self.commands.iter().fold(Script::new(), Script::opaque);
        match (own.is_empty(), self.preset) {
            (false, _) => own,
            (true, Preset::Rails) => own.run(Cmd::new("rake").arg("assets:precompile")),
            (true, Preset::Npm) => own.run(Cmd::new("npm").arg("ci")).run(Cmd::new("npm").args(["run", "build"])),
        }
    }

    /// Shared folders are only added to: the live pages need what is there.
    fn receive(&self) -> Script {
        let unpack = |folder: &str| {
            let tar = Cmd::new("tar").args(["-x", "-z", "-f", "-", "-C", folder]).unprefixed();
            Script::new().pipe([Cmd::new("deploy_payload").unprefixed(), tar])
        };
        let add = |folder: String| call("assets_add", &[SENT.to_owned(), folder]);
        let arrived = sh!("own_files {}\nmkdir -- {}", SENT, SENT).then(unpack(SENT));
        let placed = match self.preset {
            Preset::Rails => self.folders().into_iter().map(add).fold(arrived, Script::then),
            Preset::Npm => arrived.run(Cmd::new("assets_move").unprefixed().arg(SENT).args(&self.output)),
        };
        placed.then(sh!("rm -rf -- {}", SENT))
    }

    /// The live release was built from the same.
    fn take_live(&self, place: &Place) -> Script {
        let own = self.own_folders();
        let take = match self.preset {
            Preset::Rails => sh!("here=$PWD\ncd -- \"$live\"\nrelease=$PWD")
                .then(self.restore())
                .then(sh!("cd -- \"$here\"\nrelease=$PWD")),
            Preset::Npm => {
                Script::new().run(Cmd::new("assets_take").unprefixed().arg(place.layout.current()).args(&own))
            }
        };
        sh!("live={}", place.layout.current())
            .then(take)
            .then(self.write_down())
            .then(sh!("live=$(readlink \"$live\")\ndeploy_skip \"built from the same as release ${live##*/}\""))
    }
}
