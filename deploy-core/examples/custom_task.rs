//! Tasks of a project's own, one of each kind, and where they are hooked.

use std::process::ExitCode;

use deploy_core::prelude::*;
use deploy_core::task::{Host, Local};
use xshell::cmd;

const CLEAN_TREE: TaskId = TaskId::new("git:clean_tree");
const MAINTENANCE_PAGE: TaskId = TaskId::new("maintenance:page");
const WARM: TaskId = TaskId::new("cache:warm");

fn main() -> ExitCode {
    xtask().run()
}

fn xtask() -> Xtask {
    Xtask::new()
        .task(Task::local(CLEAN_TREE, "Refuse to deploy what isn't committed", clean_tree))
        .hook(When::Before(flow::STARTING), CLEAN_TREE)
        .task(Task::on_host(MAINTENANCE_PAGE, "Upload the maintenance page", Servers::role("web"), upload_page))
        // `cargo xtask cache warm production` runs it by itself.
        .task(Task::script(WARM, "Warm the page cache", Servers::role("web"), |cx| {
            sh!("curl -fsS -o /dev/null {}", format!("http://{}/", cx.server.host))
        }))
        .hook(When::After(flow::PUBLISHED), WARM)
}

/// Runs here, once.
fn clean_tree(local: &mut Local<'_>) -> anyhow::Result<()> {
    let shell = local.shell()?;
    let changes = cmd!(shell, "git status --porcelain").read()?;
    anyhow::ensure!(changes.is_empty(), "the working tree has changes:\n{changes}");
    Ok(())
}

/// Runs here, for each server: what a script can't do.
fn upload_page(host: &Host<'_>) -> anyhow::Result<()> {
    let remote = format!("{}/maintenance.html", host.cx.layout().shared());
    host.upload(&host.cx.root.join("public/maintenance.html"), &remote, "0644")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_wiring_is_sound() {
        super::xtask().check().unwrap();
    }
}
