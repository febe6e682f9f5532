//! How many files may be open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Error, Result};

/// How many files a server takes: its socket, what wakes its thread, and one for what comes and goes with a command.
const PER_SERVER: u64 = 3;

/// How many files the rest of a run takes: logs, git and its pipes, the terminal.
const OWN: u64 = 100;

/// Sees to it that `servers` can be connected to at a time: where the limit is too low, it is raised as far as that takes and
/// the system lets us.
///
/// # Errors
///
/// When the system doesn't let us. Said before anything is connected to, since later it would look like many other things.
pub(crate) fn make_room_for(servers: usize) -> Result<()> {
    let needed = OWN + PER_SERVER * servers as u64;
    let limit = getrlimit(Resource::Nofile);
    let Some(raised) = raised(limit, needed).map_err(|allowed| too_few(servers, needed, allowed))? else {
        return Ok(());
    };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| too_few(servers, needed, limit.current.unwrap_or(0)).because(error))
}

/// The limit that has to be set, if any has to, or how many files there can be at most.
fn raised(limit: Rlimit, needed: u64) -> std::result::Result<Option<Rlimit>, u64> {
    match (limit.current, limit.maximum) {
        (None, _) => Ok(None),
        (Some(current), _) if current >= needed => Ok(None),
        (_, Some(maximum)) if maximum < needed => Err(maximum),
        (_, maximum) => Ok(Some(Rlimit { current: Some(needed), maximum })),
    }
}

fn too_few(servers: usize, needed: u64, allowed: u64) -> Error {
    Error::config(format!("{servers} servers take {needed} open files, and {allowed} are allowed"))
        .hint(format!("raise the limit: ulimit -n {needed}"))
        .hint("or go through the servers in groups, with `--hosts`")
}

/// Calls `work` in a process of its own in which no more files can be opened. `test` is the test that calls this.
#[cfg(test)]
pub(crate) fn without_files(test: &str, work: impl FnOnce()) {
    // The child knows by this limit that it is the child.
    const FEW: u64 = 61;
    if getrlimit(Resource::Nofile).current != Some(FEW) {
        let own = std::env::current_exe().expect("it has a path");
        let mut child = std::process::Command::new("sh");
        child.args(["-c", &format!("ulimit -n {FEW}; exec \"$@\""), "sh"]).arg(own).args(["--exact", test]);
        let output = child.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let _held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    work();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: u64, maximum: Option<u64>) -> Rlimit {
        Rlimit { current: Some(current), maximum }
    }

    #[test]
    fn a_limit_that_is_high_enough_is_left_alone() {
        assert_eq!(raised(limit(1024, Some(1024)), 1000), Ok(None));
        assert_eq!(raised(Rlimit { current: None, maximum: None }, 1_000_000), Ok(None));
    }

    #[test]
    fn a_low_one_is_raised_by_as_much_as_it_takes() {
        assert_eq!(raised(limit(256, Some(4096)), 1000), Ok(Some(limit(1000, Some(4096)))));
        assert_eq!(raised(limit(256, None), 1000), Ok(Some(limit(1000, None))));
    }

    #[test]
    fn what_the_system_does_not_allow_is_said() {
        assert_eq!(raised(limit(256, Some(512)), 1000), Err(512));
        let error = too_few(300, 1000, 512).to_string();
        assert!(error.contains("300 servers take 1000 open files, and 512 are allowed"), "{error}");
        assert!(error.contains("ulimit -n 1000"), "{error}");
    }

    #[test]
    fn three_hundred_servers_fit_into_the_usual_limit() {
        const { assert!(OWN + PER_SERVER * 300 <= 1024) };
    }
}
