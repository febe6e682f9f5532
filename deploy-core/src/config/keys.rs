//! The names of every key that `deploy.toml` may have, table by table.
//!
//! `docs/CONFIGURATION.md` describes each; a test holds it to that.

/// Settings: they may stand at the top level and in a stage, and be overridden by variables and flags.
pub(super) const SETTINGS: &[&str] = &[
    "application",
    "repo_url",
    "repo_tree",
    "branch",
    "deploy_to",
    "keep_releases",
    "linked_files",
    "optional_linked_files",
    "linked_dirs",
    "default_env",
    "command_prefix",
    "tmp_dir",
    "umask",
    "local_user",
    "failed_releases",
    "rolled_back_releases",
    "properties",
    "git",
    "ssh",
    "database",
];

/// What stands at the top level besides settings.
pub(super) const TOP: &[&str] = &["stages", "recipes", "tasks", "commands"];

/// What stands in a stage besides settings.
pub(super) const STAGE: &[&str] = &["transport", "servers", "recipes", "tasks", "protected"];

/// What variables and flags may name besides settings.
pub(super) const OVERRIDES: &[&str] = &["recipes", "stages"];

/// `[git]`
pub(super) const GIT: &[&str] =
    &["strategy", "shallow", "verify_commit", "max_fetches", "ignore_submodules", "ignore_lfs"];

/// `[ssh]`
pub(super) const SSH: &[&str] = &[
    "user",
    "port",
    "identity_files",
    "identities_only",
    "config_file",
    "known_hosts_files",
    "host_key_policy",
    "proxy_jump",
    "forward_agent",
    "connect_timeout",
    "keepalive_interval",
    "max_connections",
];

/// `[database]`
pub(super) const DATABASE: &[&str] = &[
    "adapter",
    "url",
    "url_env",
    "env_file",
    "env_key",
    "rails",
    "rails_env",
    "host",
    "port",
    "user",
    "password",
    "name",
    "owner",
    "maintenance_database",
    "bin_dir",
    "jobs",
    "compress",
    "backup_dir",
    "source",
    "after_restore",
    "require_sanitize",
    "keep_replaced",
    "keep_last",
    "keep_daily",
    "keep_weekly",
    "backup_before_migrate",
    "exclude",
    "exclude_data",
    "settings",
];

/// `[[stages.NAME.servers]]`
pub(super) const SERVER: &[&str] =
    &["host", "user", "port", "roles", "primary", "no_release", "deploy_to", "properties"];

/// `[tasks."NAME"]`
pub(super) const TASK: &[&str] = &["about", "run", "roles", "primary", "before", "after", "as", "env"];

/// `[commands.NAME]`
pub(super) const COMMAND: &[&str] = &["about", "run"];

/// Where `key` belongs, if it is known elsewhere but not in the table whose keys are `here`.
pub(super) fn home(key: &str, here: &[&str]) -> Option<String> {
    if here.contains(&"ssh") && SSH.contains(&key) {
        return Some(format!("did you mean `ssh.{key}`?"));
    }
    if here.contains(&"ssh") && GIT.contains(&key) {
        return Some(format!("did you mean `git.{key}`?"));
    }
    if here == SERVER && (SETTINGS.contains(&key) || STAGE.contains(&key)) {
        return Some("it is the same for all servers of a stage".to_owned());
    }
    None
}
