//! `db:console`: the database's own client on the server, with the user's terminal.

use super::site::Site;
use crate::error::{Error, Result};
use crate::script::{Arg, Hold, Script, nonce};
use crate::sh;
use crate::task::Local;

/// How to connect stands in a file that only its owner can read, for as long as the talk lasts: a command line would
/// show it, and so would a terminal that it is typed on.
pub(super) fn console(local: &Local<'_>) -> Result<()> {
    let site = Site::connect(local, local.stage)?;
    let found = site.run(vec![site.adapter.client().into()], &mut |_, _| {})?;
    let client = found.get("client").map(String::as_str).unwrap_or_default();
    let script = site.adapter.console(client).text();
    let file = format!("{}/deploy-console-{}", site.stage.settings.tmp_dir, nonce()?);
    let write = Script::shell("( umask 077; set -C; printf '%s' {} >{} )", &[Arg::secret(script), Arg::from(&file)]);
    let hold = Hold { on_beat: Script::new(), on_end: sh!("rm -f -- {}", &file) };
    let (_, held) = site.machine.hold(write.into(), hold, &mut |_, _| {}).map_err(|error| site.explain(error))?;
    let status = site.machine.talk(&format!("sh {}", Arg::from(&file)));
    held.give_up();
    match status? {
        0 => Ok(()),
        status => Err(Error::task(format!("the client of the database ended with status {status}"))),
    }
}
