//! Manifests: what is kept of them, how they come back, and what else there is to do with assets.

use deploy_core::prelude::*;

use crate::compile::{Place, call};
use crate::settings::{Assets, Preset};

impl Assets {
    /// The body of `deploy:backup_manifest`.
    pub(crate) fn back_up(&self, place: &Place) -> Script {
        match self.preset {
            Preset::Rails => place.start(self).then(self.keep_copies()),
            Preset::Npm => sh!("deploy_skip 'each release has its own output'"),
        }
    }

    fn keep_copies(&self) -> Script {
        let each = self.folders().into_iter().map(|folder| {
            let args: Vec<_> = [folder].into_iter().chain(self.manifests.clone()).collect();
            call("assets_back_up", &args)
        });
        each.fold(sh!("assets_begin_backup"), Script::then).then(call("assets_end_backup", &self.folders()))
    }

    /// The body of `deploy:rollback_assets`.
    pub(crate) fn roll_back(&self, place: &Place) -> Script {
        let start = place.start(self).then(sh!("inputs=''"));
        let again = sh!("deploy_note \"compiling again, since $missing is gone\"").then(self.make(place));
        match (self.receives(place), self.preset) {
            (true, Preset::Rails) => start.then(self.make(place)).then(self.keep_copies()),
            (true, Preset::Npm) => start.then(self.make(place)),
            (false, Preset::Rails) => {
                let whole = Cmd::new("assets_whole").unprefixed();
                start.when(whole, self.restore(), again.then(self.keep_copies()))
            }
            (false, Preset::Npm) => {
                let there = Cmd::new("assets_output").unprefixed().args(&self.output);
                start.when(there, sh!("deploy_skip 'the release has its own output'"), again)
            }
        }
    }

    /// The body of `deploy:publish_manifest`.
    pub(crate) fn publish(&self, place: &Place) -> Script {
        match self.preset {
            Preset::Rails => {
                let is_there = Cmd::new("assets_has_backup").unprefixed();
                place.start(self).when(is_there, self.restore(), Script::new())
            }
            Preset::Npm => sh!("deploy_skip 'each release has its own output'"),
        }
    }

    /// The body of `deploy:hold_manifest` and `deploy:restore_manifest`. A release of which nothing is known stays as it is.
    pub(crate) fn restore_live(&self, place: &Place) -> Script {
        match self.preset {
            Preset::Rails => place
                .start(self)
                .then(sh!(
                    "if ! cd -- {} 2>/dev/null || ! assets_has_backup; then deploy_skip 'no live release has manifests'; fi\nrelease=$PWD",
                    place.layout.current()
                ))
                .then(self.restore()),
            Preset::Npm => sh!("deploy_skip 'each release has its own output'"),
        }
    }

    /// Puts the manifests of the release, `release`, back.
    pub(crate) fn restore(&self) -> Script {
        call("assets_restore", &self.folders())
    }

    /// The body of `deploy:normalize_assets`.
    pub(crate) fn normalize(&self, place: &Place) -> Script {
        if self.normalize.is_empty() {
            sh!("deploy_skip 'normalize names nothing'")
        } else {
            place.start(self).then(call("assets_normalize", &self.normalize))
        }
    }

    /// The body of `deploy:cleanup_assets`.
    pub(crate) fn clean_up(&self, place: &Place) -> Script {
        match self.keep_assets {
            None => sh!("deploy_skip 'keep_assets is not set'"),
            Some(versions) => self.rake(place, &format!("assets:clean[{versions}]")),
        }
    }

    /// The body of `deploy:clobber_assets`. Of a linked folder, rake removes the link alone.
    pub(crate) fn clobber(&self, place: &Place) -> Script {
        if self.preset == Preset::Npm {
            return self.rake(place, "assets:clobber");
        }
        let empty =
            |folder: &String| call("assets_empty", &[folder.clone(), format!("{}/{folder}", place.layout.shared())]);
        let ways: Vec<_> = self.folders().iter().map(|folder| format!("{folder}/")).collect();
        let clobbered = place.start(self).then(call("must_be_inside", &ways)).then(self.rake(place, "assets:clobber"));
        self.folders().iter().map(empty).fold(clobbered, Script::then)
    }

    fn rake(&self, place: &Place, task: &str) -> Script {
        match self.preset {
            Preset::Rails => self.rails_env(place).run(Cmd::new("rake").arg(task)),
            Preset::Npm => sh!("deploy_skip 'each release has its own output'"),
        }
    }
}
