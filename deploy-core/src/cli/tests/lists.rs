//! What `tasks` shows.

use super::*;

#[test]
fn tasks_stand_in_families() {
    assert_snapshot!(as_text(&tasks(), &commands(), &list()), @r"
    cargo xtask deploy STAGE           # Deploy a new release
    cargo xtask deploy rollback STAGE  # Go back to an earlier release
    cargo xtask deploy status STAGE    # Show what is live, which releases there are, and who holds the lock
    cargo xtask deploy restart STAGE   # Restart the application
    cargo xtask doctor STAGE           # Look for what would stand in a deployment's way, and say what mends it

    cargo xtask deploy cleanup STAGE   # Remove old releases
    cargo xtask deploy unlock STAGE    # Break the stage's lock

    cargo xtask git check STAGE        # Check that the repository can be reached

    cargo xtask cache clear STAGE      # cache:clear
    cargo xtask cache warm STAGE       # cache:warm

    cargo xtask test                   # Run the tests
    cargo xtask tasks --all            # List 36 more, which these consist of
    ");
}

#[test]
fn all_tasks() {
    assert_snapshot!(as_text(&tasks(), &[], &ListRequest { all: true, ..list() }), @r"
    cargo xtask deploy STAGE                         # Deploy a new release
    cargo xtask deploy rollback STAGE                # Go back to an earlier release
    cargo xtask deploy status STAGE                  # Show what is live, which releases there are, and who holds the lock
    cargo xtask deploy restart STAGE                 # Restart the application
    cargo xtask doctor STAGE                         # Look for what would stand in a deployment's way, and say what mends it

    cargo xtask deploy check STAGE                   # Check that everything is there which a deployment needs
    cargo xtask deploy check directories STAGE       # Make the folders of the deployment
    cargo xtask deploy check linked-dirs STAGE       # Make the linked folders in `shared`
    cargo xtask deploy check linked-files STAGE      # Check that the linked files are there
    cargo xtask deploy check make-linked-dirs STAGE  # Make the folders of the linked files in `shared`
    cargo xtask deploy check releases STAGE          # Read which releases there are
    cargo xtask deploy choose-release STAGE          # Choose the release to go back to
    cargo xtask deploy cleanup STAGE                 # Remove old releases
    cargo xtask deploy cleanup-rollback STAGE        # Deal with the release that the rollback left
    cargo xtask deploy discard-release STAGE         # Put the unfinished release away
    cargo xtask deploy ensure-stage STAGE            # Refuse a stage that nothing can be deployed to
    cargo xtask deploy failed STAGE                  # Failed: runs when a flow fails, a hook point
    cargo xtask deploy finished STAGE                # Finished: a hook point
    cargo xtask deploy finishing STAGE               # Finish the deployment, clean up everything
    cargo xtask deploy finishing-rollback STAGE      # Finish the rollback, clean up everything
    cargo xtask deploy lock STAGE                    # Take the stage's lock
    cargo xtask deploy log-revision STAGE            # Add a line to `revisions.log`
    cargo xtask deploy mark-published STAGE          # Write down that the release is live
    cargo xtask deploy new-release STAGE             # Name the new release
    cargo xtask deploy published STAGE               # Published: a hook point
    cargo xtask deploy publishing STAGE              # Publish the release
    cargo xtask deploy revert-release STAGE          # Check the release to go back to
    cargo xtask deploy reverted STAGE                # Reverted: a hook point
    cargo xtask deploy reverting STAGE               # Revert the servers to an earlier release
    cargo xtask deploy set-current-revision STAGE    # Write the revision into the release
    cargo xtask deploy started STAGE                 # Started: a hook point
    cargo xtask deploy starting STAGE                # Start a deployment, make sure everything is ready
    cargo xtask deploy status read STAGE             # Read what is live, and what else there is
    cargo xtask deploy symlink linked-dirs STAGE     # Link shared folders into the release
    cargo xtask deploy symlink linked-files STAGE    # Link shared files into the release
    cargo xtask deploy symlink release STAGE         # Make the release live
    cargo xtask deploy symlink shared STAGE          # Link shared files and folders into the release
    cargo xtask deploy unlock STAGE                  # Break the stage's lock
    cargo xtask deploy updated STAGE                 # Updated: a hook point
    cargo xtask deploy updating STAGE                # Update the servers with a new release

    cargo xtask git check STAGE                      # Check that the repository can be reached
    cargo xtask git create-release STAGE             # Put the commit's files into a new release
    cargo xtask git resolve STAGE                    # Find out which commit is deployed
    cargo xtask git update STAGE                     # Bring the servers' mirrors up to date

    cargo xtask cache clear STAGE                    # cache:clear
    cargo xtask cache warm STAGE                     # cache:warm

    cargo xtask tasks                                # List the tasks
    ");
}

#[test]
fn a_pattern_finds_names_calls_and_descriptions() {
    let find = |pattern: &str| as_text(&tasks(), &commands(), &ListRequest { pattern: Some(pattern.into()), ..list() });
    assert_snapshot!(find("linked-files"), @r"
    cargo xtask deploy check linked-files STAGE    # Check that the linked files are there
    cargo xtask deploy symlink linked-files STAGE  # Link shared files into the release
    ");
    assert_eq!(find("cache:cl"), "cargo xtask cache clear STAGE  # cache:clear\n");
    assert!(find("EARLIER").contains("rollback"));
    assert_eq!(find("nothing like it"), "no task matches; `cargo xtask tasks --all` lists them\n");
}

#[test]
fn programs_get_ids_calls_and_options() {
    let text = as_json(&tasks(), &ListRequest { pattern: Some("cache:clear".into()), ..list() });
    assert_snapshot!(text, @r#"
    [
      {
        "about": "cache:clear",
        "id": "cache:clear",
        "on": true,
        "options": [
          {
            "about": "Only this key",
            "name": "key",
            "value": "KEY"
          }
        ],
        "recipe": null,
        "stage": {
          "as": "word",
          "required": true
        },
        "usage": "cargo xtask cache clear STAGE"
      }
    ]
    "#);
}

/// All but the tasks of `recipes` are on, and a restart that nobody fills isn't.
fn list_without(recipes: &[(&'static str, &'static str)], request: &ListRequest) -> String {
    let mut tasks = stock(GitStrategy::Push);
    for (recipe, task) in recipes {
        tasks.active(recipe, |tasks| tasks.task(script(task, "app")));
    }
    let is_on = |task: &&Task| task.is_filled() && tasks.recipe_of(task.id()).is_none();
    let on = Some(tasks.iter().filter(is_on).map(|task| task.id().clone()).collect());
    Listing { tasks: &tasks, commands: &[], request, on }.as_text()
}

#[test]
fn what_is_off_is_listed_on_request() {
    let recipes = [("bundler", "bundle:clean"), ("systemd", "systemd:restart")];
    assert_snapshot!(list_without(&recipes, &list()), @r"
    cargo xtask deploy STAGE           # Deploy a new release
    cargo xtask deploy rollback STAGE  # Go back to an earlier release
    cargo xtask deploy status STAGE    # Show what is live, which releases there are, and who holds the lock
    cargo xtask doctor STAGE           # Look for what would stand in a deployment's way, and say what mends it

    cargo xtask deploy cleanup STAGE   # Remove old releases
    cargo xtask deploy unlock STAGE    # Break the stage's lock

    cargo xtask git check STAGE        # Check that the repository can be reached

    cargo xtask tasks --all            # List 39 more, which these consist of, and those of recipes that are off: `bundler`, `systemd`
    ");
    let found = list_without(&recipes, &ListRequest { pattern: Some("bundle".into()), ..list() });
    assert_eq!(found, "cargo xtask bundle clean STAGE  # bundle:clean (the recipe `bundler` is off)\n");
    assert!(list_without(&recipes, &ListRequest { all: true, ..list() }).contains("(the recipe `systemd` is off)"));
}
