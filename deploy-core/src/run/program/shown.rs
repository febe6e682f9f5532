//! A program as people get to see it: the very script, with stars for what is secret in it.

use crate::error::Result;
use crate::script::{Shell, TaskScript, compile, quote};
use crate::secret::{self, STARS};

/// The program of `scripts` for somebody to read. Values of variables that are secret by their names never get into it:
/// what the shell would make of one isn't one text in the script.
///
/// # Errors
///
/// When it can't be compiled.
pub(in crate::run) fn shown(scripts: &[TaskScript], shell: &Shell) -> Result<Vec<u8>> {
    let (mut scripts, mut shell) = (scripts.to_owned(), shell.clone());
    let variables = scripts.iter_mut().map(|script| &mut script.env).chain([&mut shell.env]);
    variables.flatten().filter(|(name, _)| secret::is_name(name)).for_each(|(_, value)| STARS.clone_into(value));
    let text = compile(&scripts, &shell)?.text(&shell);
    let secrets = scripts.iter().flat_map(|task| task.script.secrets()).map(quote);
    Ok(secrets.fold(text, |text, secret| without(&text, &secret)))
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
        let text = String::from_utf8(shown(&[task], &shell).unwrap()).unwrap();
        assert!(!text.contains("hush"), "{text}");
        for line in ["export API_KEY='*****'", "export SHOP_TOKEN='*****'", "login *****"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
