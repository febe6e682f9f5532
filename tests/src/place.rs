//! Where sandboxes stand.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::StatVfsMountFlags;

/// The folder of all sandboxes: in memory where there is plenty, else the one for temporary files.
///
/// A test makes and removes thousands of files, which nobody needs after it; on a disk a third of the tests' processor time
/// is the file system's search for places to put them. The long trials write too much for that, and what is to be kept is
/// not kept in memory. Who sets `TMPDIR` has decided.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let decided = ["TMPDIR", "E2E_KEEP"].iter().any(|name| std::env::var_os(name).is_some());
        let memory = Path::new(MEMORY);
        if !decided && !crate::full() && suits(memory) { memory.to_owned() } else { std::env::temp_dir() }
    })
}

/// Linux has it on every machine, though a container's may be tiny or run no programs.
const MEMORY: &str = "/dev/shm";

/// A sandbox with databases takes 100 MiB at its largest, and as many are there as tests run at once.
const PLENTY: u64 = 4 << 30;

fn suits(folder: &Path) -> bool {
    let Ok(system) = rustix::fs::statvfs(folder) else { return false };
    let runs_programs = !system.f_flag.contains(StatVfsMountFlags::NOEXEC);
    runs_programs
        && system.f_bavail * system.f_frsize >= PLENTY
        && available(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default()) >= PLENTY
        && tempfile::tempdir_in(folder).is_ok()
}

/// The bytes of memory that nobody needs, of what `/proc/meminfo` says.
fn available(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"));
    line.and_then(|kibibytes| kibibytes.parse().ok()).map_or(0, |kibibytes: u64| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_told_in_bytes() {
        assert_eq!(available("MemTotal:       24683652 kB\nMemAvailable:       1024 kB\n"), 1 << 20);
        assert_eq!(available("nothing of the kind"), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_does_not_suit() {
        assert!(!suits(Path::new("/no/such/folder")));
    }
}
