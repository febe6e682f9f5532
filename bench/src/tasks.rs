//! `bench tasks`: how long it takes to see what there is to do.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::arguments::Arguments;
use crate::measure;
use crate::report::{Key, Report, first_line};
use crate::tools::{Tool, capistrano};

/// Measures in this repository, where nothing has to be built any more.
pub(crate) fn measure(arguments: &Arguments, xtask: &Path) -> Result<Report, String> {
    let mut report = Report::new(arguments);
    let folder = tempfile::Builder::new().prefix("bench-").tempdir().map_err(|error| error.to_string())?;
    let mut commands = vec![
        ("xtask tasks", in_workspace(Command::new(xtask), "tasks")),
        ("cargo xtask tasks", in_workspace(Command::new(env!("CARGO")), "xtask tasks")),
    ];
    if arguments.tools.contains(&Tool::Capistrano) {
        report.made_with("capistrano", first_line("cap", &["--version"]));
        commands.push(("cap -T", cap(folder.path())?));
    }
    let log = folder.path().join("output");
    for (_, make) in &commands {
        // Whatever has to be built or read for the first time.
        measure::run(make(), &log)?;
    }
    for round in 0..arguments.rounds {
        let turn = round % commands.len();
        commands.rotate_left(turn);
        for (tool, make) in &commands {
            let key = Key { what: "list the tasks".to_owned(), point: None, tool };
            report.add(key, &Ok(measure::run(make(), &log)?));
        }
    }
    Ok(report)
}

/// Makes the same command again and again.
type Make = Box<dyn Fn() -> Command>;

fn in_workspace(program: Command, words: &'static str) -> Make {
    let program = program.get_program().to_owned();
    Box::new(move || {
        let mut command = Command::new(&program);
        command.args(words.split(' ')).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        command
    })
}

/// A project as `cap install` makes it.
fn cap(folder: &Path) -> Result<Make, String> {
    let folder = folder.join("capistrano");
    let stage = "server 'app1.example.com', roles: %w[app web db]\n";
    for (path, text) in [
        ("Capfile", capistrano::CAPFILE),
        ("config/deploy.rb", "set :application, 'shop'\nset :repo_url, 'git@example.com:ops/shop.git'\n"),
        ("config/deploy/production.rb", stage),
        ("config/deploy/staging.rb", stage),
    ] {
        let path = folder.join(path);
        let parent = path.parent().expect("a file stands in a folder");
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)).map_err(|error| error.to_string())?;
    }
    Ok(Box::new(move || {
        let mut cap = Command::new("cap");
        cap.arg("-T").current_dir(&folder);
        cap
    }))
}
