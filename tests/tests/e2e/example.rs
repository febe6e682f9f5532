//! What the README says to try first.

use std::fs;
use std::path::Path;

use e2e::Sandbox;

#[test]
fn this_repository_deploys_its_own_example_and_goes_back() {
    let sandbox = Sandbox::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut clone = sandbox.command("git");
    clone.args(["clone", "--quiet"]).arg(workspace).arg("clone");
    sandbox.run(clone).success();
    // What is not committed yet counts too.
    fs::copy(workspace.join("deploy.toml"), sandbox.join("clone/deploy.toml")).unwrap();
    let xtask = |words: &str| {
        let mut xtask = sandbox.command(e2e::xtask());
        xtask.current_dir(sandbox.join("clone/deploy-core/src")).args(words.split(' '));
        sandbox.run(xtask).success()
    };
    let site = e2e::Site::new(sandbox.join("clone/target/deploy/local"));
    xtask("deploy local");
    let first = site.current();
    xtask("deploy local");
    assert_ne!(site.current(), first);
    xtask("deploy rollback local");
    assert_eq!(site.current(), first);
    assert_eq!(site.releases().len(), 2);
}
