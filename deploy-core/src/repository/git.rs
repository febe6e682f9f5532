//! Starting git on the controller: never with a question, never with a secret in its arguments.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Output;

use xshell::{Cmd, Shell, cmd};

use super::url::Url;
use crate::error::{Error, Result};
use crate::script::quote;

/// Variables by which a repository around us (we may run in a hook) would get hold of the commands.
const OF_A_REPOSITORY: [&str; 12] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Hands out a login by the names of variables, so that no process list shows it.
const HELPER: &str = "credential.helper=!f() { [ \"$1\" != get ] || \
                      printf 'username=%s\\npassword=%s\\n' \"$DEPLOY_GIT_USER\" \"$DEPLOY_GIT_PASSWORD\"; }; f";

/// A shell in the project's root.
pub(super) fn shell(root: &Path) -> Result<Shell> {
    let shell = Shell::new().map_err(|error| Error::task("can't run commands here").because(error))?;
    shell.change_dir(root);
    Ok(shell)
}

/// What holds for each command: no repository's hooks are run, nor a program that would watch its files; and nobody waits for
/// the disk, since a cache that a power failure damages is made anew.
const ALWAYS: [&str; 7] =
    ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.fsync=none", "--literal-pathspecs"];

/// `git`, for commands that need no network.
pub(super) fn plain<'s>(shell: &'s Shell, args: &[&str]) -> Cmd<'s> {
    let git = cmd!(shell, "git").args(ALWAYS).args(args).quiet();
    OF_A_REPOSITORY.iter().fold(git, |git, name| git.env_remove(name))
}

/// `git`, for commands that talk to `url`. Nothing is asked, since a question would stand in the middle of a run's
/// output: keys belong in the agent, passwords in a credential helper. A silent web server is given up after a minute.
pub(super) fn remote<'s>(shell: &'s Shell, url: &Url, args: &[&str]) -> Cmd<'s> {
    let trusted = trusted_folder(shell, url);
    let args = match &trusted {
        Some(option) => with_option(args, option),
        None => args.to_vec(),
    };
    let git = match url.login() {
        None => plain(shell, &args),
        Some(login) => plain(shell, &["-c", "credential.helper=", "-c", HELPER])
            .args(&args)
            .env("DEPLOY_GIT_USER", &login.user)
            .env("DEPLOY_GIT_PASSWORD", &login.password),
    };
    let git =
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_HTTP_LOW_SPEED_LIMIT", "1").env("GIT_HTTP_LOW_SPEED_TIME", "60");
    if url.is_ssh() && !has_own_ssh(shell) {
        git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=30")
    } else {
        git
    }
}

/// The option by which git reads a folder of another user that it was told to trust. It asks again for the folder's `.git`,
/// which nobody names who trusts the folder.
fn trusted_folder(shell: &Shell, url: &Url) -> Option<String> {
    let folder = Path::new(url.address());
    let owner = fs::metadata(folder).ok().filter(|_| url.is_path())?.uid();
    if owner == rustix::process::geteuid().as_raw() {
        return None;
    }
    let look = plain(shell, &["-C", url.address(), "rev-parse", "--absolute-git-dir"]).ignore_status().output().ok()?;
    let git_dir = String::from_utf8(look.stdout).ok().filter(|_| look.status.success())?;
    let option = format!("safe.directory={}", git_dir.trim_end());
    Some(format!("--upload-pack=git -c {} upload-pack", String::from_utf8_lossy(&quote(option.as_bytes()))))
}

/// `args` with `option` behind the command that they name.
fn with_option<'a>(args: &[&'a str], option: &'a str) -> Vec<&'a str> {
    let behind = args.iter().position(|arg| matches!(*arg, "ls-remote" | "fetch")).map_or(0, |at| at + 1);
    [&args[..behind], &[option], &args[behind..]].concat()
}

/// `git` that fetches into the repository `git_dir`. It has what the checkout around us says of the way to other repositories
/// (a token for a web server, an `ssh`), as `git ls-remote` in it has. By variables, since arguments can be seen.
pub(super) fn fetch<'s>(shell: &'s Shell, url: &Url, git_dir: &str, args: &[&str]) -> Cmd<'s> {
    let git = remote(shell, url, &[&[git_dir, "fetch", "--quiet"], args].concat());
    let own = if url.is_path() { Vec::new() } else { ways_of_checkout(shell) };
    let known = shell.var("GIT_CONFIG_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    let count = known + own.len();
    let git = own.into_iter().enumerate().fold(git, |git, (number, (key, value))| {
        let number = known + number;
        git.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value)
    });
    if count == known { git } else { git.env("GIT_CONFIG_COUNT", count.to_string()) }
}

/// Settings of the repository that we stand in about the way to others.
const WAYS: &str = r"^(http|credential|url)\.|^core\.sshcommand$|^ssh\.variant$";

fn ways_of_checkout(shell: &Shell) -> Vec<(String, String)> {
    let look = plain(shell, &["config", "--local", "--includes", "--null", "--get-regexp", WAYS]);
    let Ok(found) = look.ignore_status().ignore_stderr().output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    let pair = |entry: &str| entry.split_once('\n').map(|(key, value)| (key.to_owned(), value.to_owned()));
    text.split('\0').filter_map(pair).collect()
}

/// Whether the user has told git which `ssh` to start; that one is left alone.
fn has_own_ssh(shell: &Shell) -> bool {
    ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| shell.var_os(name).is_some())
        || plain(shell, &["config", "--get", "core.sshCommand"]).ignore_stdout().ignore_stderr().run().is_ok()
}

/// What `git --version` says here.
pub(crate) fn git_version(root: &Path) -> Result<String> {
    let version = output(&plain(&shell(root)?, &["--version"]).ignore_status())?;
    Ok(String::from_utf8_lossy(&version.stdout).trim().to_owned())
}

/// Runs `git` to its end, whatever that is.
pub(super) fn output(git: &Cmd<'_>) -> Result<Output> {
    git.output().map_err(|error| Error::task("can't run `git`").because(error).hint("is it installed?"))
}

/// What `git` said about its failure, without the advice that it always gives.
pub(super) fn said(output: &Output) -> anyhow::Error {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_advice = |line: &&str| {
        matches!(line.trim(), "" | "Please make sure you have the correct access rights" | "and the repository exists.")
    };
    anyhow::anyhow!(text.lines().filter(|line| !is_advice(line)).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// The arguments and the variables with which `git ls-remote` of `url` is started.
    fn started(url: &str) -> (String, String) {
        let root = tempfile::tempdir().unwrap();
        let shell = shell(root.path()).unwrap();
        shell.set_var("GIT_CONFIG_GLOBAL", "/dev/null");
        let url = Url::new(url, root.path());
        let command = Command::from(remote(&shell, &url, &["ls-remote", "--", url.address()]));
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let set = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
            Some(format!("{}={}", name.to_string_lossy(), value?.to_string_lossy()))
        };
        (args.join(" "), command.get_envs().filter_map(set).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn that_git_cannot_be_run_for_want_of_files_is_not_called_a_lack_of_git() {
        let test = "repository::git::tests::that_git_cannot_be_run_for_want_of_files_is_not_called_a_lack_of_git";
        crate::transport::without_files(test, || {
            let error = git_version(Path::new("/")).unwrap_err().to_string();
            assert!(error.contains("Too many open files") && error.contains("ulimit -n"), "{error}");
            assert!(!error.contains("installed"), "{error}");
        });
    }

    #[test]
    fn nothing_is_asked_on_the_terminal() {
        for url in ["git@git.example.com:shop.git", "ssh://git@git.example.com/shop.git"] {
            let (_, env) = started(url);
            assert!(env.contains("GIT_TERMINAL_PROMPT=0") && env.contains("BatchMode=yes"), "{env}");
        }
        let (_, env) = started("https://git.example.com/shop.git");
        assert!(env.contains("GIT_TERMINAL_PROMPT=0") && !env.contains("BatchMode"), "{env}");
    }

    #[test]
    fn a_fetch_knows_the_ways_that_the_checkout_around_us_knows() {
        let root = tempfile::tempdir().unwrap();
        let shell = shell(root.path()).unwrap();
        let set = |key: &str, value: &str| plain(&shell, &["config", "--local", "--", key, value]).run().unwrap();
        plain(&shell, &["init", "--quiet"]).run().unwrap();
        set("http.https://git.example.com/.extraheader", "AUTHORIZATION: basic hunter2");
        set("user.name", "ann");
        let url = Url::new("https://git.example.com/shop.git", root.path());
        let command = Command::from(fetch(&shell, &url, "--git-dir=/mirror", &["--", url.address()]));
        assert!(!command.get_args().any(|arg| arg.to_string_lossy().contains("hunter2")));
        let value = |name: &str| {
            let found = command.get_envs().find(|(own, _)| *own == name)?;
            Some(found.1?.to_string_lossy().into_owned())
        };
        assert_eq!(value("GIT_CONFIG_COUNT").as_deref(), Some("1"));
        assert_eq!(value("GIT_CONFIG_KEY_0").as_deref(), Some("http.https://git.example.com/.extraheader"));
        assert_eq!(value("GIT_CONFIG_VALUE_0").as_deref(), Some("AUTHORIZATION: basic hunter2"));
    }

    #[test]
    fn a_password_stands_in_no_argument() {
        let (args, env) = started("https://ann:hunter2@git.example.com/shop.git");
        assert!(args.ends_with("ls-remote -- https://git.example.com/shop.git") && !args.contains("hunter2"), "{args}");
        assert!(env.contains("DEPLOY_GIT_PASSWORD=hunter2"), "{env}");
        let (args, _) = started("https://git.example.com/shop.git");
        assert!(!args.contains("credential"), "the user's own helpers are asked: {args}");
    }
}
