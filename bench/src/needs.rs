//! What this machine has to have.

use std::path::{Path, PathBuf};

use crate::arguments::{Arguments, Subject};
use crate::tools::Tool;

/// Says what is missing, and how to get it.
pub(crate) fn check(arguments: &Arguments) -> Result<(), String> {
    let missing: Vec<_> = needs(arguments).into_iter().filter(|(program, _)| find(program).is_none()).collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|(program, _)| format!("`{program}`")).collect();
        let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        packages.dedup();
        let hint = format!("sudo apt-get install {}", packages.join(" "));
        return Err(format!(
            "the benchmark needs programs that are not installed: {}\n  hint: {hint}",
            names.join(", ")
        ));
    }
    if arguments.subject == Subject::Tasks {
        return Ok(());
    }
    if !e2e::is_root() {
        return Err("network namespaces need root\n  hint: sudo -E cargo xtask bench …".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Err("there is no `/dev/net/tun`, which delays packets\n  hint: sudo modprobe tun".to_owned());
    }
    Ok(())
}

/// Programs, and Debian's packages of them.
fn needs(arguments: &Arguments) -> Vec<(&'static str, &'static str)> {
    let mut needs = Vec::new();
    if arguments.tools.contains(&Tool::Capistrano) && arguments.subject != Subject::Copy {
        needs.push(("cap", "capistrano"));
    }
    if arguments.subject == Subject::Tasks {
        return needs;
    }
    needs.extend([
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("setpriv", "util-linux"),
        ("sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("ssh-keygen", "openssh-client"),
        ("git", "git"),
    ]);
    if arguments.counts {
        needs.push(("strace", "strace"));
    }
    if arguments.subject == Subject::Copy {
        needs.extend([("postgres", "postgresql"), ("psql", "postgresql-client"), ("zstd", "zstd")]);
    }
    needs
}

/// Servers' and administrators' programs are not on everybody's PATH.
fn find(program: &str) -> Option<PathBuf> {
    if program == "postgres" {
        return e2e::postgres::Release::find().map(|release| release.program(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
