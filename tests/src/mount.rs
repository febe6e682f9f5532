//! Disks that fill up.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own, unmounted when dropped. Only root can mount one, and not everywhere.
pub struct Mount {
    path: PathBuf,
}

impl Mount {
    /// An empty one at `path`, with options such as `size=4m`; `None` where it can't be mounted.
    pub fn tmpfs(path: &Path, options: &str) -> Option<Mount> {
        std::fs::create_dir_all(path).expect("a folder can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "e2e"]).arg(path);
        let mounted = crate::is_root() && mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Mount { path: path.to_owned() })
    }

    /// Mounts it anew with other options, such as `ro`.
    pub fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{options}")]).arg(&self.path);
        assert!(mount.status().expect("mount runs").success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
