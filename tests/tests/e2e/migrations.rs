//! The recipe `migrations` on servers, with a database that is a file of names.

use e2e::Project;

/// Migrations are files, and the database of the server `db1` has the names of those that were applied.
const RECIPE: &str = r#"
[recipes.migrations]
preset = "custom"
pending = 'for file in migrations/*; do grep -qxF "${file#*/}" ../../database || echo "${file#*/}"; done'
newer = 'while read -r name; do [ -e "migrations/$name" ] || echo "$name"; done <../../database'
command = 'for file in migrations/*; do sh -eu "$file"; grep -qxF "${file#*/}" ../../database || echo "${file#*/}" >>../../database; done'
status = 'cat ../../database'
"#;

/// Two servers of which one migrates, and two releases: the database has the migrations of the newer one.
fn project() -> Project {
    let mut project = Project::over_ssh(&[("app1", "app web"), ("db1", "db")]);
    project.tables(RECIPE);
    project.server("db1").site.write("database", "");
    for name in ["1_posts", "2_body"] {
        project.repo.write(&format!("migrations/{name}"), "true\n").commit(name);
        project.xtask("deploy staging").success().says("1 migration ran");
    }
    project
}

fn database(project: &Project) -> String {
    project.server("db1").site.read("database")
}

fn live(project: &Project) -> Vec<String> {
    project.sites().iter().map(|site| site.current()).collect()
}

#[test]
fn a_deploy_migrates_on_the_server_of_the_role_what_the_database_lacks() {
    let project = project();
    assert_eq!(database(&project), "1_posts\n2_body\n");
    assert!(!project.server("app1").site.exists("database"));
    project.xtask("deploy staging").success().says("no migration is pending");
    // As after a restore of an older copy: the files are the same, and the database isn't.
    project.server("db1").site.write("database", "1_posts\n");
    project.xtask("deploy staging").success().says("1 migration ran");
    assert_eq!(database(&project), "1_posts\n2_body\n");
    assert_eq!(project.xtask("deploy migrate status staging").success().stdout(), "1_posts\n2_body\n");
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_live_everywhere() {
    let project = project();
    let before = live(&project);
    project.repo.write("migrations/3_bad", "echo 'no such table' >&2; exit 4\n").commit("bad");
    project.xtask("deploy staging").fails_with(1).says("deploy:migrate").says("no such table");
    assert_eq!(live(&project), before);
    assert_eq!(database(&project), "1_posts\n2_body\n");
}

#[test]
fn deploy_migrations_migrates_though_deploy_does_not() {
    let mut project = project();
    project.stage("recipes.migrations.on_deploy = false");
    let commit = project.repo.write("migrations/3_index", "true\n").commit("index");
    project.xtask("deploy staging").success().says_not("migration ran");
    assert_eq!(database(&project), "1_posts\n2_body\n");
    project
        .xtask(&format!("deploy migrations staging --revision {commit}"))
        .success()
        .says("1 migration ran")
        .says("deployed ");
    assert_eq!(database(&project), "1_posts\n2_body\n3_index\n");
}

#[test]
fn a_rollback_behind_the_database_has_to_be_allowed() {
    let project = project();
    let before = live(&project);
    let refused = project.xtask("deploy rollback staging --yes").fails_with(1).says("doesn't know: 2_body");
    refused.says("cargo xtask deploy rollback staging --allow-newer-schema");
    assert_eq!(live(&project), before);
    project.xtask("deploy rollback staging --allow-newer-schema").success();
    assert_ne!(live(&project), before);
    assert_eq!(database(&project), "1_posts\n2_body\n", "data is not taken back");
}

#[test]
fn an_older_commit_over_a_newer_database_has_to_be_allowed() {
    let project = project();
    let before = live(&project);
    let older = project.repo.git(&["rev-parse", "HEAD~1"]);
    let refused = project.xtask(&format!("deploy staging --revision {older}")).fails_with(1);
    refused.says("the live one does: 2_body").says("cargo xtask deploy staging --allow-newer-schema");
    assert_eq!(live(&project), before);
    project.xtask(&format!("deploy staging --revision {older} --allow-newer-schema")).success();
    assert_ne!(live(&project), before);
}

#[test]
fn a_rollback_that_the_database_gets_along_with_just_happens() {
    let project = project();
    project.xtask("deploy staging").success();
    project.xtask("deploy rollback staging").success().says("rolled back to");
}
