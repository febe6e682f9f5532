//! Servers that lie about their databases: what is kept here of it is harmless, and so is what is shown.

use e2e::Liar;

use super::scene::{Shop, list};
use crate::lies::{self, Said, some};

/// What `db backup create` is told by a server.
const FACTS: [&str; 9] =
    ["live_revision", "live", "maintenance", "schema", "tools", "psql", "packers", "sent_sha256", "sent_bytes"];

#[test]
fn a_backup_is_lied_to() {
    let mut shop = Shop::new(&["staging"]);
    shop.fill("staging", 10);
    let liar = Liar::new(shop.project.sandbox.join("lies"));
    let option = liar.option(env!("CARGO_BIN_EXE_liar"));
    shop.project.server_mut("staging1").sshd.set_option(&option);
    let cases = lies::of_facts(&FACTS).into_iter().step_by(if e2e::full() { 4 } else { 1 });
    let grave = ["live_revision is \\xc3\\xa9", "schema is \\x1b[2J\\x1b]0;lied\\x07"];
    let mut sum = crate::trials::Sum::default();
    for case in some(cases.collect(), &grave) {
        liar.tell(&case.lies);
        let result = lied(&shop, &liar);
        sum.add(&case.name, result);
    }
    sum.tell("`db backup create` is lied to");
}

fn lied(shop: &Shop, liar: &Liar) -> Result<(), String> {
    for line in ["db backup create --stage staging", "db backup list", "db backup list --json"] {
        let said = Said::of(&shop.project, line)?;
        said.is_harmless().map_err(|problem| format!("{line}: {problem}\n{}", said.text))?;
        if line.ends_with("create --stage staging") {
            said.names("staging1").map_err(|problem| format!("{problem}\n{}", said.text))?;
        } else if !said.is_success() {
            return Err(format!("{line}: {}", said.text));
        }
    }
    let is_ours = |name: &String| name == ".gitignore" || name.contains(".staging.pgdump");
    let strange = list(&shop.folder()).into_iter().find(|name| !is_ours(name));
    match strange {
        Some(name) => Err(format!("a file `{name}` was made")),
        None if !liar.has_told() => Err("nobody lied".to_owned()),
        None => Ok(()),
    }
}
