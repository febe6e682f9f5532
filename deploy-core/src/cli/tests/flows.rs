//! What `tasks --flow` shows.

use super::*;

fn tree(flow: &str, all: bool) -> String {
    let tasks = stock(GitStrategy::Push);
    flow_tree(&tasks, tasks.find(flow).unwrap(), all)
}

#[test]
fn the_flow_of_a_deploy_is_capistranos() {
    assert_snapshot!(tree("deploy", false), @r"
    deploy
      deploy:starting
        [before]
          deploy:ensure_stage
        deploy:check
      deploy:started
      deploy:updating
        git:create_release
        deploy:symlink:shared
      deploy:updated
      deploy:publishing
        deploy:symlink:release
      deploy:published
      deploy:finishing
        deploy:cleanup
      deploy:finished
        deploy:log_revision
    ");
}

#[test]
fn the_flow_of_a_rollback_is_capistranos() {
    assert_snapshot!(tree("deploy:rollback", false), @r"
    deploy
      deploy:starting
        [before]
          deploy:ensure_stage
        deploy:check
      deploy:started
      deploy:reverting
        deploy:revert_release
      deploy:reverted
      deploy:publishing
        deploy:symlink:release
      deploy:published
      deploy:finishing_rollback
        deploy:cleanup_rollback
      deploy:finished
        deploy:log_revision
    ");
}

#[test]
fn everything_shows_prerequisites_and_parts() {
    assert_snapshot!(tree("deploy", true), @r"
    deploy
      [before]
        git:resolve
      deploy:starting
        [before]
          deploy:ensure_stage
        deploy:check
          deploy:check:directories
          deploy:check:releases
          deploy:check:linked_dirs
            [before]
              deploy:check:directories
          deploy:check:make_linked_dirs
            [before]
              deploy:check:directories
          deploy:check:linked_files
          git:check
            [before]
              git:resolve
      deploy:started
      deploy:updating
        git:create_release
          [before]
            deploy:new_release
              [before]
                deploy:check:releases
            git:update
              [before]
                git:resolve
                git:check
                  [before]
                    git:resolve
        deploy:set_current_revision
          [before]
            git:resolve
        deploy:symlink:shared
          deploy:symlink:linked_files
          deploy:symlink:linked_dirs
      deploy:updated
      deploy:publishing
        deploy:symlink:release
      deploy:published
        deploy:mark_published
      deploy:finishing
        deploy:cleanup
      deploy:finished
        deploy:log_revision
    ");
}
