//! A program as people get to see it: the very script, with stars for what is secret in it.

use crate::error::Result;
use crate::script::{Program, Shell, TaskScript, compile, quote};
use crate::secret::{self, STARS};

/// `program`, which is that of `scripts`, for somebody to read.
///
/// # Errors
///
/// When it can't be compiled.
pub(in crate::run) fn masked(scripts: &[TaskScript], shell: &Shell, program: &Program) -> Result<Vec<u8>> {
    let mut variables = scripts.iter().map(|script| &script.env).chain([&shell.env]).flatten();
    let text = if variables.any(|(name, _)| secret::is_name(name)) {
        without_variables(scripts, shell)?
    } else {
        program.text(shell)
    };
    let secrets = scripts.iter().flat_map(|task| task.script.secrets()).map(quote);
    Ok(secrets.fold(text, |text, secret| without(&text, &secret)))
}

/// The program with stars for the values of variables that are secret by their names. They never get into it: what the shell
/// would make of one isn't one text in the script.
fn without_variables(scripts: &[TaskScript], shell: &Shell) -> Result<Vec<u8>> {
    let (mut scripts, mut shell) = (scripts.to_owned(), shell.clone());
    let variables = scripts.iter_mut().map(|script| &mut script.env).chain([&mut shell.env]);
    variables.flatten().filter(|(name, _)| secret::is_name(name)).for_each(|(_, value)| STARS.clone_into(value));
    Ok(compile(&scripts, &shell)?.text(&shell))
}

/// `text` with stars for `secret`.
fn without(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(secret.len().max(1)).position(|window| window == secret) {
        shown.extend_from_slice(&rest[..at]);
        shown.extend_from_slice(STARS.as_bytes());
        rest = &rest[at + secret.len()..];
    }
    shown.extend_from_slice(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Arg, Cmd, Script};

    #[test]
    fn secret_variables_and_arguments_are_stars_however_a_shell_reads_them() {
        let script = Script::new().run(Cmd::new("login").arg(Arg::secret("it's hush")));
        let env = |name: &str| [(name.to_owned(), "a$$hush'$HOME".to_owned())].into();
        let task = TaskScript { script, env: env("SHOP_TOKEN"), ..TaskScript::default() };
        let shell = Shell { env: env("API_KEY"), ..Shell::default() };
        let program = compile(std::slice::from_ref(&task), &shell).unwrap();
        let text = String::from_utf8(masked(&[task], &shell, &program).unwrap()).unwrap();
        assert!(!text.contains("hush"), "{text}");
        for line in ["export API_KEY='*****'", "export SHOP_TOKEN='*****'", "login *****"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
