//! Good files.

use super::*;

const EXAMPLE: &str = r#"
application = "disastrously"
repo_url = "git@git.example.com:ops/disastrously.git"
deploy_to = "/var/www/disastrously"
keep_releases = 5
linked_files = ["config/database.yml"]
linked_dirs = ["log", "tmp/pids", "public/system"]

[ssh]
user = "deploy"
forward_agent = false

[stages.staging]
branch = "staging"
[[stages.staging.servers]]
host = "staging.example.com"
roles = ["app", "web", "db"]

[stages.production]
branch = "master"
[[stages.production.servers]]
host = "app1.example.com"
roles = ["app", "web"]
[[stages.production.servers]]
host = "db1.example.com"
roles = ["db"]
primary = true
no_release = false

[stages.dev]
transport = "local"

[recipes.migrations]
command = "bundle exec rake db:migrate"
"#;

#[test]
fn the_example_of_the_documentation_is_good() {
    let config = load(EXAMPLE);
    let names: Vec<&str> = config.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["staging", "production", "dev"]);
    let labels: Vec<String> = config.stages[1].servers.iter().map(Server::label).collect();
    assert_eq!(labels, ["deploy@app1.example.com", "deploy@db1.example.com"]);
    let settings = format!("{:#?}", config.stages[0].settings);
    insta::assert_snapshot!(settings.replace(&config.root.display().to_string(), "ROOT"), @r#"
    Settings {
        application: "disastrously",
        repo_url: "git@git.example.com:ops/disastrously.git",
        repo_tree: None,
        branch: "staging",
        keep_releases: 5,
        linked_files: [
            "config/database.yml",
        ],
        optional_linked_files: [],
        linked_dirs: [
            "log",
            "tmp/pids",
            "public/system",
        ],
        made_paths: [],
        default_env: {},
        command_prefix: {},
        tmp_dir: "/tmp",
        umask: None,
        local_user: "ann",
        failed_releases: Remove,
        rolled_back_releases: Keep,
        git: Git {
            strategy: Push,
            shallow: false,
            verify_commit: false,
            max_fetches: 10,
            ignore_submodules: false,
            ignore_lfs: false,
        },
        ssh: Ssh {
            user: Some(
                "deploy",
            ),
            port: None,
            identity_files: [],
            identities_only: None,
            config_file: Default,
            known_hosts_files: [],
            host_key_policy: Strict,
            proxy_jump: None,
            forward_agent: Some(
                false,
            ),
            connect_timeout: None,
            keepalive_interval: None,
            max_connections: None,
        },
        database: Database {
            adapter: Postgresql,
            connection: None,
            parts: ConnectionParts {
                host: None,
                port: None,
                user: None,
                password: None,
                name: None,
            },
            owner: None,
            maintenance_database: "postgres",
            bin_dir: None,
            jobs: None,
            compress: 0,
            backup_dir: "ROOT/backups",
            source: "production",
            after_restore: [],
            require_sanitize: false,
            keep_replaced: 1,
            retention: Retention {
                last: 5,
                daily: 7,
                weekly: 4,
            },
            backup_before_migrate: false,
            exclude: Exclude {
                schemas: [],
                tables: [],
                extensions: [],
                data: [],
            },
            settings: Target,
        },
    }
    "#);
}

#[test]
fn production_is_protected_unless_it_says_otherwise() {
    let protected = |text: &str| {
        let stages = load(&format!("application = \"shop\"\nrepo_url = \".\"\n{text}")).stages;
        stages.into_iter().map(|stage| (stage.name, stage.protected)).collect::<Vec<_>>()
    };
    let stage = |name: &str, protected| (name.to_owned(), protected);
    assert_eq!(
        protected("[stages.production]\ntransport = \"local\"\n[stages.dev]\ntransport = \"local\"\n"),
        [stage("production", true), stage("dev", false)]
    );
    assert_eq!(
        protected(
            "[stages.production]\ntransport = \"local\"\nprotected = false\n\
             [stages.live]\ntransport = \"local\"\nprotected = true\n"
        ),
        [stage("production", false), stage("live", true)]
    );
    for (name, meant) in [("prod", true), ("live", true), ("eu-prod2", true), ("shop_live", true), ("PROD", true)]
        .into_iter()
        .chain([("pre-prod", false), ("preproduction", false), ("staging", false), ("prod-like", false)])
    {
        assert_eq!(protected(&format!("[stages.{name}]\ntransport = \"local\"\n")), [stage(name, meant)]);
    }
    assert_eq!(
        protected(
            "[stages.eu]\ntransport = \"local\"\n[stages.us]\ntransport = \"local\"\nprotected = false\n\
             [stages.dev]\ntransport = \"local\"\ndatabase = { name = \"x\", source = \"eu\" }\n\
             [stages.test]\ntransport = \"local\"\ndatabase = { name = \"x\", source = \"us\" }\n"
        ),
        [stage("eu", true), stage("us", false), stage("dev", false), stage("test", false)],
        "whose data others take is protected, unless it says otherwise"
    );
}

#[test]
fn no_flag_takes_the_protection_of_a_stage_away() {
    let set = |request: &mut LoadRequest| request.set = vec!["stages.production.protected=false".to_owned()];
    let errors = errors_with(EXAMPLE, set);
    assert!(errors.contains("unknown key `protected`") && errors.contains("--set stages.production"), "{errors}");
}

#[test]
fn a_stage_is_found_by_its_name_or_the_nearest_is_named() {
    let config = load(EXAMPLE);
    assert_eq!(config.stage("dev").unwrap().name, "dev");
    let hint = |config: &Config, name: &str| config.stage(name).unwrap_err().to_string();
    insta::assert_snapshot!(hint(&config, "prodution"), @"
    unknown stage `prodution`
      hint: did you mean `production`?
    ");
    insta::assert_snapshot!(hint(&config, "qa"), @"
    unknown stage `qa`
      hint: the stages are `staging`, `production` and `dev`
    ");
    assert!(hint(&load(""), "qa").contains("hint: add `[stages.qa]` to `"));
}
