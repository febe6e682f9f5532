//! Files and folders that all releases share.

use e2e::Project;
use insta::assert_snapshot;

fn linking() -> Project {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.top("linked_files = [\"config/database.yml\", \"config/deep/er/secrets.yml\"]");
    project.top("linked_dirs = [\"bin\", \"log\", \"public/system\"]");
    project
}

fn write_shared_files(project: &Project) {
    for site in project.sites() {
        site.write("shared/config/database.yml", "shared\n");
        site.write("shared/config/deep/er/secrets.yml", "secret\n");
    }
}

#[test]
fn checking_makes_the_folders() {
    let project = linking();
    project.xtask("deploy check directories staging").success();
    for site in project.sites() {
        assert!(site.exists("shared") && site.exists("releases"));
    }
    project.xtask("deploy check linked-dirs staging").success();
    for site in project.sites() {
        assert!(["bin", "log", "public/system"].iter().all(|dir| site.exists(&format!("shared/{dir}"))));
    }
    project.xtask("deploy check make-linked-dirs staging").success();
    for site in project.sites() {
        assert!(site.exists("shared/config/deep/er"));
    }
}

#[test]
fn every_missing_file_on_every_server_is_named_at_once() {
    let project = linking();
    project.server("app2").site.write("shared/config/database.yml", "shared\n");
    let output = project.xtask("deploy check linked-files staging").fails_with(1);
    assert_snapshot!(output.errors(), @r"

    deploy:check:linked_files failed on deploy@app1
      reason: the linked file `$SANDBOX/servers/app1/www/shared/config/database.yml` doesn't exist; the linked file `$SANDBOX/servers/app1/www/shared/config/deep/er/secrets.yml` doesn't exist
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/database.yml deploy@127.0.0.1:$SANDBOX/servers/app1/www/shared/config/database.yml
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/deep/er/secrets.yml deploy@127.0.0.1:$SANDBOX/servers/app1/www/shared/config/deep/er/secrets.yml

    deploy:check:linked_files failed on deploy@app2
      reason: the linked file `$SANDBOX/servers/app2/www/shared/config/deep/er/secrets.yml` doesn't exist
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/deep/er/secrets.yml deploy@127.0.0.1:$SANDBOX/servers/app2/www/shared/config/deep/er/secrets.yml
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy-check-linked_files.log
    error: `deploy:check:linked_files` failed on 2 of 2 servers
    [exit status: 1]
    ");
}

#[test]
fn a_deploy_stops_at_missing_files_before_it_makes_a_release() {
    let project = linking();
    let output = project.xtask("deploy staging").fails_with(1);
    assert_snapshot!(output.errors(), @r"

    deploy:check:linked_files failed on deploy@app1
      reason: the linked file `$SANDBOX/servers/app1/www/shared/config/database.yml` doesn't exist; the linked file `$SANDBOX/servers/app1/www/shared/config/deep/er/secrets.yml` doesn't exist
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/database.yml deploy@127.0.0.1:$SANDBOX/servers/app1/www/shared/config/database.yml
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/deep/er/secrets.yml deploy@127.0.0.1:$SANDBOX/servers/app1/www/shared/config/deep/er/secrets.yml

    deploy:check:linked_files failed on deploy@app2
      reason: the linked file `$SANDBOX/servers/app2/www/shared/config/database.yml` doesn't exist; the linked file `$SANDBOX/servers/app2/www/shared/config/deep/er/secrets.yml` doesn't exist
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/database.yml deploy@127.0.0.1:$SANDBOX/servers/app2/www/shared/config/database.yml
      hint: scp -F none -i $SANDBOX/home/.ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$SANDBOX/known_hosts -o GlobalKnownHostsFile=/dev/null -P PORT config/deep/er/secrets.yml deploy@127.0.0.1:$SANDBOX/servers/app2/www/shared/config/deep/er/secrets.yml
    everything is in $SANDBOX/project/target/deploy/log/TIME-staging-deploy.log
    error: `deploy` failed on 2 of 2 servers
      nothing is live on deploy@app1, deploy@app2
    [exit status: 1]
    ");
    for site in project.sites() {
        assert!(site.releases().is_empty() && !site.has_current());
    }
}

#[test]
fn present_files_pass_the_check() {
    let project = linking();
    write_shared_files(&project);
    project.xtask("deploy check linked-files staging").success();
}

#[test]
fn a_folder_where_a_linked_file_should_be_is_missing() {
    let project = linking();
    write_shared_files(&project);
    let app2 = &project.server("app2").site;
    std::fs::remove_file(app2.join("shared/config/database.yml")).unwrap();
    app2.make_folder("shared/config/database.yml");
    project.xtask("deploy check linked-files staging").fails_with(1).says("shared/config/database.yml");
}

#[test]
fn links_replace_what_the_repository_ships() {
    let project = linking();
    project.repo.write("config/database.yml", "shipped\n").write("log/.keep", "").commit("Ship what is linked");
    write_shared_files(&project);
    project.xtask("deploy staging").success();
    for site in project.sites() {
        for path in ["config/database.yml", "config/deep/er/secrets.yml", "bin", "log", "public/system"] {
            let target = site.link(&format!("current/{path}"));
            assert_eq!(target, Some(site.join("shared").join(path)), "{path}");
        }
        assert_eq!(site.read("current/config/database.yml"), "shared\n");
        assert!(site.exists("current/config/routes"), "its neighbours stay");
    }
}

#[test]
fn what_is_written_through_a_link_outlives_the_release() {
    let project = linking();
    write_shared_files(&project);
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    site.write("current/log/production.log", "hello\n");
    project.xtask("deploy staging").success();
    assert_eq!(site.read("current/log/production.log"), "hello\n");
}

#[test]
fn an_optional_file_is_linked_where_it_is_there() {
    let mut project = Project::over_ssh(&[("app1", "app"), ("app2", "app")]);
    project.top("optional_linked_files = [\"config/master.key\", \"config/database.yml\"]");
    project.repo.write("config/database.yml", "shipped\n").commit("Ship what is optional");
    let [there, not_there] = ["app1", "app2"].map(|name| &project.server(name).site);
    there.write("shared/config/master.key", "secret\n");
    project.xtask("deploy staging").success();
    assert_eq!(there.link("current/config/master.key"), Some(there.join("shared/config/master.key")));
    assert!(!not_there.exists("current/config/master.key") && not_there.exists("shared/config"));
    assert_eq!(not_there.read("current/config/database.yml"), "shipped\n");
}

#[test]
fn the_line_that_is_shown_uploads_the_file() {
    let mut project = Project::over_ssh(&[("app1", "app")]);
    project.top("linked_files = [\"config/database.yml\"]");
    let output = project.xtask("deploy staging").fails_with(1);
    let line = output.stderr().lines().find_map(|line| line.trim().strip_prefix("hint: scp ")).expect("a line to type");
    let server = project.server("app1");
    let line = line.replace("$SANDBOX", &project.sandbox.path().display().to_string());
    let line = line.replace("PORT", &server.port.to_string()).replace("deploy@", &format!("{}@", server.sshd.user()));
    let folder = project.sandbox.join("project");
    std::fs::create_dir_all(folder.join("config")).unwrap();
    std::fs::write(folder.join("config/database.yml"), "here\n").unwrap();
    let mut shell = project.sandbox.command("sh");
    shell.args(["-c", &format!("scp {line}")]).current_dir(folder).stdin(std::process::Stdio::null());
    project.sandbox.run(shell).success();
    project.xtask("deploy staging").success();
}
