//! Ending what is left when the tests themselves were ended, and nothing could be dropped.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The beginning of the names of all folders of this process's sandboxes.
pub(crate) fn prefix() -> String {
    format!("e2e-{}-", std::process::id())
}

/// From here on, whatever happens to this process, no process of its sandboxes outlives it.
pub(crate) fn watch() {
    static REAPER: OnceLock<Child> = OnceLock::new();
    // Its standard input stays open for as long as this process lives.
    REAPER.get_or_init(start);
}

fn start() -> Child {
    let mut reaper = Command::new("sh");
    reaper.args(["-c", REAP, "sh"]).arg(format!("/{}", prefix()));
    reaper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    reaper.spawn().expect("there is a shell")
}

/// A sandbox's processes have its folder in their environment; an sshd, which overwrites that, in its command line.
const REAP: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
for process in /proc/[0-9]*; do
    [ "${process#/proc/}" = $$ ] || ! grep -q -s -a -F -e "$1" "$process/environ" "$process/cmdline" ||
        kill -s KILL "${process#/proc/}"
done
"#;
