//! `access.sh`, run by the shells that servers have. What two users do to each other is tested on real servers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::script::testing::run;
use crate::script::{Report, Script, Shell, TaskScript};
use crate::sh;

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

/// What `script` says about the deployment in `root`, as messages and hints.
fn said(shell: &'static str, root: &Path, script: Script) -> (Vec<String>, Vec<String>) {
    let start = Script::new().uses(super::ACCESS).then(sh!("root={}", root.display().to_string()));
    // Root may do everything: the shell asks a function of ours instead.
    let eyes = sh!("may_write() { case $(ls -ld -- \"$1\") in ??w*) return 0 ;; *) return 1 ;; esac; }");
    let task = TaskScript { script: start.then(eyes).then(script), ..TaskScript::default() };
    let (mut messages, mut hints) = (Vec::new(), Vec::new());
    for report in run(shell, &[task], &Shell::default(), b"").reports {
        match report {
            Report::Message(text) => messages.push(text),
            Report::Hint(text) => hints.push(text),
            _ => {}
        }
    }
    (messages, hints)
}

fn each(check: impl Fn(&'static str, &Path)) {
    for shell in SHELLS {
        let root = tempfile::tempdir().unwrap();
        for folder in ["releases", "shared", ".deploy", "repo/objects/17", "repo/objects/pack"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        check(shell, root.path());
    }
}

fn lock(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn where_all_may_be_written_to_nothing_is_said() {
    each(|shell, root| {
        let (messages, hints) = said(shell, root, sh!("at_places at_mirror need_access"));
        assert!(messages.is_empty() && hints.is_empty(), "{shell}: {messages:?} {hints:?}");
    });
}

#[test]
fn all_that_may_not_be_written_to_is_named_at_once_with_its_mode_and_owner() {
    each(|shell, root| {
        fs::write(root.join("revisions.log"), "").unwrap();
        for path in ["revisions.log", "repo/objects/17", "repo/objects/pack"] {
            lock(&root.join(path));
        }
        let (messages, hints) = said(shell, root, sh!("at_places at_mirror need_access"));
        let message = messages.concat();
        for path in ["revisions.log` (-r-xr-xr-x ", "repo/objects/17` (dr-xr-xr-x ", "repo/objects/pack` ("] {
            assert!(message.contains(path), "{shell}: {message}");
        }
        let tops = format!("{0}/revisions.log {0}/repo", root.display());
        assert!(hints[0].ends_with(&format!("chmod -R u+rwX {tops}")), "what is one's own: {shell}: {hints:?}");
        let (messages, _) = said(shell, root, sh!("at_places need_access"));
        assert!(!messages.concat().contains("objects"), "{shell}: {messages:?}");
    });
}

#[test]
fn folders_that_can_not_be_made_name_the_one_around_them() {
    each(|shell, root| {
        lock(&root.join("shared"));
        let (messages, _) = said(shell, root, sh!("explain_folders \"$root/shared/tmp/pids\""));
        assert!(messages.concat().contains("shared` (dr-xr-xr-x "), "{shell}: {messages:?}");
    });
}

#[test]
fn a_umask_that_shuts_out_the_group_is_told() {
    each(|shell, root| {
        let (messages, _) = said(shell, root, sh!("umask 0022\nwarn_of_umask m"));
        assert!(messages.concat().contains("set umask = \"0002\""), "{shell}: {messages:?}");
        let (messages, _) = said(shell, root, sh!("umask 0002\nwarn_of_umask m"));
        assert!(messages.is_empty(), "{shell}: {messages:?}");
    });
}
