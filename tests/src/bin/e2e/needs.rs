//! The programs that the tests need, and how to get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, and Debian's package of it.
struct Need {
    program: &'static str,
    package: &'static str,
}

const NEEDS: &[Need] = &[
    // The servers that the tests deploy to, the client that the harness is proven with, and what makes keys.
    Need { program: "sshd", package: "openssh-server" },
    Need { program: "ssh", package: "openssh-client" },
    Need { program: "ssh-keygen", package: "openssh-client" },
    Need { program: "ssh-agent", package: "openssh-client" },
    // Signs for a FIDO token that is none.
    Need { program: "openssl", package: "openssl" },
    Need { program: "git", package: "git" },
    // The shells that generated scripts run in, and what checks them.
    Need { program: "dash", package: "dash" },
    Need { program: "bash", package: "bash" },
    Need { program: "busybox", package: "busybox" },
    Need { program: "shellcheck", package: "shellcheck" },
    // Login shells that are no POSIX shells.
    Need { program: "fish", package: "fish" },
    Need { program: "tcsh", package: "tcsh" },
    // Tasks that run as another user.
    Need { program: "sudo", package: "sudo" },
    Need { program: "useradd", package: "passwd" },
    Need { program: "setpriv", package: "util-linux" },
    // The web servers that run Rails applications, what runs their tasks, and what asks whether they are well.
    Need { program: "apache2", package: "apache2" },
    Need { program: "passenger-config", package: "passenger" },
    Need { program: "/usr/lib/apache2/modules/mod_passenger.so", package: "libapache2-mod-passenger" },
    Need { program: "bundle", package: "bundler" },
    Need { program: "rake", package: "rake" },
    Need { program: "curl", package: "curl" },
    // The databases that are copied; other releases come as packages of Python's, and are unpacked.
    Need { program: "postgres", package: "postgresql" },
    // An extension that lives in one database of a server; of PostgreSQL's release in Debian 12.
    Need { program: "/usr/lib/postgresql/15/lib/pg_cron.so", package: "postgresql-15-cron" },
    // Proxies that hand sessions on, which are found out.
    Need { program: "pgbouncer", package: "pgbouncer" },
    Need { program: "pip3", package: "python3-pip" },
    Need { program: "tar", package: "tar" },
    // A machine with systemd, and with what a login to one has.
    Need { program: "/lib/systemd/systemd", package: "systemd" },
    Need { program: "dbus-daemon", package: "dbus" },
    Need { program: "/usr/lib/systemd/user/dbus.socket", package: "dbus-user-session" },
    Need { program: "/usr/share/pam-configs/systemd", package: "libpam-systemd" },
    Need { program: "unshare", package: "util-linux" },
    Need { program: "pgrep", package: "procps" },
    // Gives a test's command a terminal of its own.
    Need { program: "setsid", package: "util-linux" },
    // Counts what a server starts.
    Need { program: "strace", package: "strace" },
    // What directories are taken over from and handed back to.
    Need { program: "cap", package: "capistrano" },
];

/// The gems that Rails applications need, and Debian's packages of them.
const GEMS: &[Need] = &[
    Need { program: "rails", package: "ruby-rails" },
    Need { program: "pg", package: "ruby-pg" },
    Need { program: "sqlite3", package: "ruby-sqlite3" },
    Need { program: "sprockets-rails", package: "ruby-sprockets-rails" },
    Need { program: "bootsnap", package: "ruby-bootsnap" },
    Need { program: "puma", package: "puma" },
    // What files of variables are read by, to compare with.
    Need { program: "dotenv", package: "ruby-dotenv" },
];

/// Installs what is missing, where this user may; else says what to type.
pub(crate) fn meet() -> Result<(), String> {
    components()?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    let Some(mut installer) = installer() else {
        return Err(format!("the tests need programs that are not installed\n  hint: {by_hand}"));
    };
    println!("==> installing {}", packages.join(" "));
    let installed = installer.args(&packages).stdin(Stdio::null()).status().is_ok_and(|status| status.success());
    match missing() {
        left if installed && left.is_empty() => Ok(()),
        left => Err(format!("failed to install {}\n  hint: {by_hand}", left.join(" "))),
    }
}

/// rustfmt and clippy come with the toolchain, not with Debian.
fn components() -> Result<(), String> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let mut cargo = Command::new(env!("CARGO"));
        if !succeeds(cargo.args([subcommand, "--version"])) {
            return Err(format!("`cargo {subcommand}` is not installed\n  hint: rustup component add {component}"));
        }
    }
    Ok(())
}

/// The packages of all missing programs, each once.
fn missing() -> Vec<&'static str> {
    let programs = NEEDS.iter().filter(|need| find(need.program).is_none());
    let missing = programs.chain(GEMS.iter().filter(|need| !has_gem(need.program)));
    let mut packages: Vec<_> = missing.map(|need| need.package).collect();
    packages.dedup();
    packages
}

/// Servers' and administrators' programs are not on everybody's PATH.
fn find(program: &str) -> Option<PathBuf> {
    if program == "postgres" {
        return e2e::postgres::Release::find().map(|release| release.program(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| Path::is_file(file))
}

fn has_gem(name: &str) -> bool {
    succeeds(Command::new("ruby").args(["-e", "gem ARGV.fetch(0)", name]))
}

/// What installs the packages that are appended to it: apt-get as root, or through sudo if that asks for nothing.
fn installer() -> Option<Command> {
    find("apt-get")?;
    let mut command = if e2e::is_root() {
        Command::new("sh")
    } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    } else {
        return None;
    };
    command.args(["-c", INSTALL, "sh"]);
    Some(command)
}

/// The tests start servers of their own: installing one must not start it, which Debian asks `policy-rc.d` about.
const INSTALL: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get -o DPkg::Lock::Timeout=300 update --quiet
apt-get -o DPkg::Lock::Timeout=300 install --quiet --yes --no-install-recommends "$@"
"#;

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_outside_the_path_are_found_and_unknown_ones_are_not() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
    }

    #[test]
    fn gems_are_found_and_unknown_ones_are_not() {
        assert!(has_gem("rails"));
        assert!(!has_gem("no-such-gem"));
    }
}
