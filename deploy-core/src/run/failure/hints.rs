//! Likely causes: from what a command said and how it ended to what to do next.

/// What to do about a command that ended with `status` after writing `tail`.
pub(in crate::run) fn for_failure(status: i32, command: Option<&str>, tail: &[String]) -> Vec<String> {
    let said = tail.join("\n");
    let has = |text: &str| said.contains(text);
    let mut hints = Vec::new();
    let mut hint = |condition: bool, text: &str| {
        if condition {
            hints.push(text.to_owned());
        }
    };
    hint(
        status == 127,
        "the program isn't on the PATH of a non-interactive login: set it in deploy.toml: [default_env] PATH = \"/opt/ruby/bin:$PATH\"",
    );
    hint(status == 126, "the file can't be executed: is it executable, and its file system not mounted noexec?");
    hint(status == 137, "the kernel may have run out of memory: look for `Out of memory` in `dmesg` on the server");
    hint(has("No space left on device"), "the disk is full: `df -h` and `df -i` on the server show where");
    hint(has("Read-only file system"), "the file system is mounted read-only");
    hint(
        has("Permission denied") && !has("publickey"),
        "the user that deploys may not write there: check the owner with `ls -ld`",
    );
    hint(
        has("dubious ownership"),
        "git leaves a repository of another user alone until it is told to trust it, as the user that deploys: git config --global --add safe.directory PATH",
    );
    hint(
        has("Permission denied (publickey") || has("Host key verification failed"),
        "the server itself can't log in to the repository: give it a deploy key and the repository's host key, or use git.strategy = \"push\"",
    );
    // sudo, and sudo-rs.
    hint(
        has("a password is required") || has("interactive authentication is required"),
        "sudo asks for a password: allow the command with NOPASSWD in /etc/sudoers.d",
    );
    hint(
        has("is not in the sudoers file") || has("I'm sorry ") || has("is not allowed to execute"),
        "sudo doesn't let this user run the command: allow it in /etc/sudoers.d, and see `sudo -l` on the server",
    );
    hint(
        command.is_some_and(|command| command.starts_with("sudo")) && status == 1 && tail.is_empty(),
        "sudo refused without a word: try the command by hand",
    );
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_points_to_the_path() {
        assert!(for_failure(127, Some("rake"), &["sh: rake: not found".into()])[0].contains("PATH"));
    }

    #[test]
    fn what_sudo_says_is_known_in_both_of_its_tongues() {
        for said in ["sudo: a password is required", "sudo: interactive authentication is required"] {
            assert!(for_failure(1, Some("sudo"), &[said.into()])[0].contains("NOPASSWD"), "{said}");
        }
        for said in ["ada is not in the sudoers file.", "sudo: I'm sorry ada. I'm afraid I can't do that"] {
            assert!(for_failure(1, Some("sudo"), &[said.into()])[0].contains("sudo -l"), "{said}");
        }
    }

    #[test]
    fn an_ordinary_failure_has_no_guess() {
        assert!(for_failure(1, Some("rake"), &["rake aborted!".into()]).is_empty());
    }
}
