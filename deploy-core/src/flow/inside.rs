//! What is written below a release, under each shell: never through a symlink that the release ships.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{INSIDE, RELEASES};
use crate::script::testing::{Ran, run};
use crate::script::{Report, Script, Shell, TaskScript};
use crate::sh;

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

/// A release, what is shared, and a folder of somebody else.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        for path in ["release", "shared/public/system", "shared/config", "elsewhere/system"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        let place = Place { folder };
        for path in ["shared/public/system/upload", "shared/config/database.yml", "elsewhere/system/theirs"] {
            fs::write(place.path(path), path).unwrap();
        }
        place
    }

    /// Under each shell, in a place of its own.
    fn each(check: impl Fn(&Place, &str)) {
        SHELLS.into_iter().for_each(|shell| check(&Place::new(), shell));
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn link(&self, target: impl AsRef<Path>, link: &str) {
        symlink(target, self.path(link)).unwrap();
    }

    fn run(&self, shell: &str, script: Script) -> Ran {
        let path = |name: &str| self.path(name).display().to_string();
        let start = sh!("root={} release={} shared={}", path(""), path("release"), path("shared"));
        let script = Script::new().uses(INSIDE).uses(RELEASES).then(start).then(script);
        let task = TaskScript { script, ..TaskScript::default() };
        run(shell, &[task], &Shell::default(), b"")
    }

    /// Nobody else's files were touched.
    fn is_untouched(&self) -> bool {
        ["shared/public/system/upload", "shared/config/database.yml", "elsewhere/system/theirs"]
            .into_iter()
            .all(|path| fs::read_to_string(self.path(path)).is_ok_and(|text| text == path))
    }
}

#[test]
fn what_is_shared_is_linked_in_place_of_what_the_repository_ships() {
    Place::each(|place, shell| {
        fs::create_dir_all(place.path("release/public/system/old")).unwrap();
        let ran =
            place.run(shell, sh!("must_be_inside public/system\nlink_shared public system\nlink_shared '' config"));
        assert_eq!(ran.status(), Some(0), "{shell}: {:?}", ran.reports);
        assert_eq!(fs::read_link(place.path("release/public/system")).unwrap(), place.path("shared/public/system"));
        assert_eq!(fs::read_link(place.path("release/config")).unwrap(), place.path("shared/config"));
        assert!(place.is_untouched());
    });
}

#[test]
fn a_parent_that_leads_to_what_is_shared_is_left_and_told() {
    Place::each(|place, shell| {
        place.link("../shared/public", "release/public");
        let ran = place.run(shell, sh!("must_be_inside public/system\nlink_shared public system"));
        assert_eq!(ran.status(), Some(0), "{shell}: {:?}", ran.reports);
        assert!(ran.reports.iter().any(|report| matches!(report, Report::Note(..))), "{:?}", ran.reports);
        assert!(place.is_untouched());
    });
}

#[test]
fn a_parent_that_leads_elsewhere_is_refused() {
    Place::each(|place, shell| {
        place.link("../elsewhere", "release/public");
        place.link("../shared/public", "release/config");
        for script in [
            sh!("must_be_inside public/system"),
            sh!("link_shared public system"),
            sh!("own_files public/system"),
            sh!("link_shared config database.yml"),
        ] {
            let ran = place.run(shell, script);
            assert_eq!(ran.status(), Some(1), "{shell}: {:?}", ran.reports);
            assert!(place.is_untouched());
        }
    });
}

#[test]
fn what_is_shared_is_nothing_of_the_releases_own() {
    Place::each(|place, shell| {
        place.link("../shared/public", "release/public");
        for script in [sh!("own_files public/system"), sh!("must_be_own public/system/x")] {
            assert_eq!(place.run(shell, script).status(), Some(1), "{shell}");
        }
        assert_eq!(place.run(shell, sh!("must_be_inside public/system/x")).status(), Some(0), "{shell}");
        assert!(place.is_untouched());
    });
}

#[test]
fn a_folder_that_is_gone_through_may_be_no_symlink_either() {
    Place::each(|place, shell| {
        place.link("../elsewhere", "release/docs");
        assert_eq!(place.run(shell, sh!("must_be_inside docs")).status(), Some(0), "{shell}");
        let ran = place.run(shell, sh!("must_be_inside docs/"));
        assert_eq!(ran.status(), Some(1), "{shell}");
        let told = format!("{:?}", ran.reports);
        assert!(told.contains("is a symlink to `../elsewhere`, and `docs/` would be changed"), "{told}");
        place.link("nowhere", "release/dangling");
        assert_eq!(place.run(shell, sh!("must_be_inside dangling/x")).status(), Some(1), "{shell}");
    });
}

#[test]
fn a_file_where_a_folder_is_needed_is_refused_by_name() {
    Place::each(|place, shell| {
        fs::write(place.path("release/public"), "").unwrap();
        let ran = place.run(shell, sh!("must_be_inside public/system"));
        assert_eq!(ran.status(), Some(1), "{shell}");
        let told = format!("{:?}", ran.reports);
        assert!(told.contains("/release/public` is no folder, and `public/system` would have to be in it"), "{told}");
    });
}

#[test]
fn a_file_of_ours_is_made_anew_where_the_release_ships_a_symlink() {
    Place::each(|place, shell| {
        place.link("../shared/config/database.yml", "release/REVISION");
        let ran = place.run(shell, sh!("own_files REVISION\necho new >\"$release/REVISION\""));
        assert_eq!(ran.status(), Some(0), "{shell}: {:?}", ran.reports);
        assert_eq!(fs::read_to_string(place.path("release/REVISION")).unwrap(), "new\n");
        assert!(place.is_untouched());
    });
}

#[test]
fn room_on_the_disk_is_looked_at() {
    Place::each(|place, shell| {
        assert_eq!(place.run(shell, sh!("need_room 1")).status(), Some(0), "{shell}");
        assert_eq!(place.run(shell, sh!("need_room 99999999999999")).status(), Some(1), "{shell}");
    });
}
