//! Programs that a test didn't declare: a script that calls one must not reach the machine's own.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::machine::write;
use crate::script::Arg;

/// What servers have anyway: ordinary tools, shells, and what releases are made with.
const ORDINARY: &str = "
    [ ash awk base32 base64 basename bash busybox bzip2 cat chgrp chmod chown cksum cmp comm cp cut dash date dd df diff
    dirname du echo egrep env expand expr false fgrep find flock fold gawk getconf getent git gpg grep groups gunzip gzip
    head hostname id install join kill ldd ln locale logger logname ls mawk md5sum mkdir mkfifo mktemp mv nice nl nohup
    nproc od paste pathchk pgrep printenv printf ps pwd readlink realpath rm rmdir sed seq setsid sh sha1sum sha256sum
    shuf sleep sort split stat stdbuf stty sync tac tail tar tee test timeout touch tr true truncate tty uname uniq unlink
    unshare uptime wc which who whoami xargs xz yes zcat zstd
";

/// Where this machine has its programs.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Makes `folder`, with a stand-in for every program of this machine that isn't [ordinary](ORDINARY): it notes its name in
/// the file `noted`.
pub(super) fn stand_in(folder: &Path, noted: &Path) {
    let script = folder.join(".undeclared");
    let note = Arg::from(noted.display().to_string());
    write(&script, &format!("#!/bin/sh\nprintf '%s\\n' \"${{0##*/}}\" >>{note}\nexit 127\n"));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("an executable file");
    let ordinary: BTreeSet<_> = ORDINARY.split_whitespace().collect();
    let programs: BTreeSet<_> = FOLDERS
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.file_name())
        .filter(|name| name.to_str().is_some_and(|name| !ordinary.contains(name)))
        .collect();
    for name in programs {
        symlink(&script, folder.join(name)).expect("a link to the stand-in");
    }
}

/// Where the machine's own `name` is.
pub(super) fn real(name: &str) -> PathBuf {
    let mut files = FOLDERS.into_iter().map(|folder| Path::new(folder).join(name));
    files.find(|file| file.exists()).unwrap_or_else(|| panic!("`{name}` isn't installed"))
}

/// Fails the test if any of them was called.
pub(super) fn refuse(noted: &Path) {
    let called = fs::read_to_string(noted).unwrap_or_default();
    let Some(name) = called.lines().next() else { return };
    panic!(
        "a script called `{name}`, which the test doesn't declare: `site.program({name:?}, \"…\")`, or `site.real({name:?})`"
    );
}
