//! A tool with tasks of a project's own, as a user would write it. The scenarios run it against real servers.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use deploy_core::prelude::*;
use deploy_core::task::{Effect, Host, Local, Opt, Output, ServerCx};

const CI_GREEN: TaskId = TaskId::new("ci:green");
const UPLOAD: TaskId = TaskId::new("page:upload");
const ARCHIVE: TaskId = TaskId::new("page:archive");
const RESTART: TaskId = TaskId::new("app:restart");
const CONSOLE: TaskId = TaskId::new("app:console");

fn main() -> ExitCode {
    broken_tasks(xtask()).run()
}

fn xtask() -> Xtask {
    Xtask::new()
        .task(Task::local(CI_GREEN, "Ask whether the commit may go out", ci_green))
        .hook(When::Before(flow::STARTING), CI_GREEN)
        .task(Task::on_host(UPLOAD, "Upload the maintenance page", Servers::role("web"), upload))
        .hook(When::After(flow::UPDATED), UPLOAD)
        .task(
            Task::local(ARCHIVE, "Copy the maintenance page to a file that nobody has yet", archive)
                .explained(|of| format!("copy `page` to `page.{}`", of.stage.name))
                .stage_option("staging")
                .output(Output::Data),
        )
        .task(Task::script(RESTART, "Restart the application", Servers::role("app"), restart).rolling(1, WAIT))
        .hook(When::After(flow::PUBLISHED), RESTART)
        .task(
            Task::on_host(CONSOLE, "Talk with a program", Servers::role("app"), console)
                .output(Output::Answer)
                .effect(Effect::Looks)
                .option(PROGRAM),
        )
}

const PROGRAM: Opt = Opt { name: "program", value: Some("COMMAND"), about: "The program to talk with" };

fn console(host: &Host<'_>) -> anyhow::Result<()> {
    let program = host.cx.option(PROGRAM.name).context("`--program` is missing")?;
    let status = host.console(program)?;
    anyhow::ensure!(status == 0, "the program ended with status {status}");
    Ok(())
}

/// How long to wait between two servers.
const WAIT: Duration = Duration::from_millis(200);

fn ci_green(local: &mut Local<'_>) -> anyhow::Result<()> {
    let shell = local.shell()?;
    xshell::cmd!(shell, "sh -c 'echo asked >>asked'").run()?;
    Ok(())
}

fn upload(host: &Host<'_>) -> anyhow::Result<()> {
    let remote = format!("{}/page", host.cx.layout().shared());
    host.upload(&host.cx.root.join("page"), &remote, "0640").context("the page is not there")?;
    let facts = host.run(Script::new().fact("sum", Cmd::new("md5sum").arg(&remote)))?;
    anyhow::ensure!(facts["sum"].contains(&remote), "odd sum: {facts:?}");
    Ok(())
}

fn archive(local: &mut Local<'_>) -> anyhow::Result<()> {
    let name = format!("page.{}", local.stage.name);
    let (from, to) = (local.config.root.join("page"), local.config.root.join(&name));
    let total = from.metadata()?.len();
    local.progress("copy", 0, Some(total));
    let done = std::fs::copy(from, to)?;
    local.progress("copy", done, Some(total));
    local.note(format!("a stage was named: {}", local.option("stage").is_some()));
    local.print(&format!("{name}\n"));
    Ok(())
}

/// Tells when it begins and ends, in the file that `TRACE` names.
fn restart(_cx: &ServerCx<'_>) -> Script {
    sh!("echo begin >>\"$TRACE\"").run(Cmd::new("sleep").arg("0.1")).then(sh!("echo end >>\"$TRACE\""))
}

/// Tasks that fail, each in a way that a careless tool takes for success. What follows the failure leaves a mark.
fn broken_tasks(xtask: Xtask) -> Xtask {
    let fail = || Cmd::new("sh").args(["-c", "echo oh no; exit 3"]);
    let scripts: [(TaskId, Script); 8] = [
        (TaskId::new("broken:first_of_a_pipe"), Script::new().pipe([fail(), Cmd::new("cat"), Cmd::new("cat")])),
        (TaskId::new("broken:subshell"), sh!("( exit 3; true )")),
        (TaskId::new("broken:function"), sh!("try_it() { sh -c 'exit 3'; true; }\ntry_it")),
        (TaskId::new("broken:if_body"), sh!("if true; then sh -c 'exit 3'; true; fi")),
        (
            TaskId::new("broken:when_body"),
            Script::new().when(Cmd::new("true"), Script::new().run(fail()), Script::new()),
        ),
        (TaskId::new("broken:background"), sh!("sh -c 'exit 3' & wait $!")),
        (TaskId::new("broken:middle"), sh!("true").run(fail()).then(sh!("true"))),
        (TaskId::new("broken:early_exit"), sh!("exit 0").then(sh!("true"))),
    ];
    let xtask = scripts.into_iter().fold(xtask, |xtask, (id, script)| {
        let body = script.then(sh!("touch after-the-failure"));
        xtask.task(Task::script(id, "Fail", Servers::releases(), move |_| body.clone()))
    });
    xtask
        .task(Task::on_host(TaskId::new("broken:on_host"), "Fail", Servers::releases(), |host| {
            host.run(sh!("exit 3")).context("the server would not")?;
            Ok(())
        }))
        .task(Task::local(TaskId::new("broken:local"), "Fail", |_| anyhow::bail!("the controller would not")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_wiring_is_sound() {
        super::xtask().check().unwrap();
    }
}
