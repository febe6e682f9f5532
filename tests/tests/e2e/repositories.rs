//! How the code gets from the repository to the servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use e2e::{Key, Project, Sshd};

const STRATEGIES: [&str; 2] = ["push", "fetch"];

fn project_with(git: &str, servers: &[(&str, &str)]) -> Project {
    let mut project = Project::over_ssh(servers);
    project.tables(&format!("[git]\n{git}"));
    project
}

#[test]
fn a_relative_path_starts_at_the_project_root() {
    let mut project = project_with("", &[("app1", "app")]);
    project.top("repo_url = \"../shop\"");
    project.xtask("deploy staging").success();
    assert!(project.server("app1").site.has_current());
}

#[test]
fn a_relative_path_means_nothing_to_a_server_that_fetches() {
    let mut project = project_with("strategy = \"fetch\"", &[("app1", "app")]);
    project.top("repo_url = \"../shop\"");
    project.xtask("deploy staging").fails().says("../shop");
    assert!(!project.server("app1").site.has_current());
}

#[test]
fn a_repository_behind_ssh_is_deployed() {
    for strategy in STRATEGIES {
        let mut project = project_with(&format!("strategy = {strategy:?}"), &[("app1", "app")]);
        let forge = Sshd::start(&project.sandbox, "forge", &[], None);
        let known_hosts = project.sandbox.join("forge_known_hosts");
        fs::write(&known_hosts, format!("[127.0.0.1]:{} {}\n", forge.port(), forge.host_key())).unwrap();
        let ssh = format!(
            "ssh -F none -o BatchMode=yes -o UserKnownHostsFile={} -i {}",
            known_hosts.display(),
            project.key().path().display()
        );
        let url = format!("ssh://{}@127.0.0.1:{}{}", forge.user(), forge.port(), project.repo.path().display());
        project.top(&format!("repo_url = {url:?}"));
        project.tables(&format!("[default_env]\nGIT_SSH_COMMAND = {ssh:?}"));
        let mut deploy = project.command(&["deploy", "staging"]);
        deploy.env("GIT_SSH_COMMAND", &ssh);
        project.sandbox.run(deploy).success();
        assert_eq!(project.server("app1").site.read("current/index.html"), "one\n", "{strategy}");
        assert!(forge.connections() > 0, "{strategy}");
    }
}

#[test]
fn a_host_key_that_git_does_not_know_is_refused_and_nobody_is_asked() {
    let mut project = project_with("strategy = \"fetch\"", &[("app1", "app")]);
    let forge = Sshd::start(&project.sandbox, "forge", &[], None);
    let ssh = format!("ssh -F none -o UserKnownHostsFile=/dev/null -i {}", project.key().path().display());
    let url = format!("ssh://{}@127.0.0.1:{}{}", forge.user(), forge.port(), project.repo.path().display());
    project.top(&format!("repo_url = {url:?}"));
    project.tables(&format!("[default_env]\nGIT_SSH_COMMAND = {ssh:?}"));
    let mut deploy = project.command(&["deploy", "staging"]);
    deploy.env("GIT_SSH_COMMAND", &ssh);
    project.sandbox.run(deploy).fails().says("Host key verification failed");
    assert_eq!(forge.execs(), 0);
}

#[test]
fn only_so_many_servers_fetch_at_a_time() {
    let servers = [("app1", "app"), ("app2", "app"), ("app3", "app")];
    let mut project = project_with("strategy = \"fetch\"\nmax_fetches = 1", &servers);
    let bin = project.sandbox.join("bin");
    let log = project.sandbox.join("fetches");
    fs::create_dir(&bin).unwrap();
    let wrapper = format!(
        "#!/bin/sh\nPATH=${{PATH#*:}}\ncase \" $* \" in *' fetch '*) ;; *) exec git \"$@\" ;; esac\n\
         echo begin >>{0}\nsleep 0.2\ngit \"$@\"\nstatus=$?\necho end >>{0}\nexit $status\n",
        log.display()
    );
    fs::write(bin.join("git"), wrapper).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    project.tables(&format!("[default_env]\nPATH = \"{}:$PATH\"", bin.display()));
    project.xtask("deploy staging").success();
    assert_eq!(fs::read_to_string(log).unwrap(), "begin\nend\n".repeat(3));
}

/// Has git sign commits with `key` and trust them.
fn trust(project: &Project, key: &Key) {
    let signers = project.sandbox.join("allowed_signers");
    fs::write(&signers, format!("ada@example.com {}\n", key.public())).unwrap();
    let path = project.sandbox.join("gitconfig");
    let mut config = fs::read_to_string(&path).unwrap();
    config.push_str(&format!(
        "[gpg]\n\tformat = ssh\n[gpg \"ssh\"]\n\tallowedSignersFile = {}\n[user]\n\tsigningKey = {}\n",
        signers.display(),
        key.path().display()
    ));
    fs::write(path, config).unwrap();
}

#[test]
fn a_commit_without_a_good_signature_is_refused_where_one_is_asked_for() {
    for strategy in STRATEGIES {
        let project = project_with(&format!("strategy = {strategy:?}\nverify_commit = true"), &[("app1", "app")]);
        trust(&project, &Key::ed25519(project.sandbox.join("signing")));
        project.xtask("deploy staging").fails();
        assert!(!project.server("app1").site.has_current(), "{strategy}");
        project.repo.git(&["commit", "--quiet", "--allow-empty", "--gpg-sign", "--message", "Sign"]);
        project.xtask("deploy staging").success();
        assert!(project.server("app1").site.has_current(), "{strategy}");
    }
}

#[test]
fn files_in_lfs_are_refused_unless_their_pointers_will_do() {
    for strategy in STRATEGIES {
        let mut project = project_with(&format!("strategy = {strategy:?}"), &[("app1", "app")]);
        project.repo.write("art/.gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n").commit("Plan for art");
        project.xtask("deploy staging").success();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
        project.repo.write("art/logo.psd", pointer).commit("Keep art in LFS");
        project.xtask("deploy staging").fails().says("LFS");
        project.no_tables().tables(&format!("[git]\nstrategy = {strategy:?}\nignore_lfs = true"));
        project.xtask("deploy staging").success();
    }
}

#[test]
fn release_names_never_go_backwards() {
    let project = project_with("", &[("app1", "app"), ("app2", "app")]);
    project.xtask("deploy staging").success();
    let first = project.sites()[0].current();
    let ahead: u64 = first.parse::<u64>().unwrap() + 3;
    project.server("app2").site.make_folder(&format!("releases/{ahead}"));
    project.xtask("deploy staging").success();
    assert!(project.sites().iter().all(|site| site.current().parse::<u64>().unwrap() > ahead));
}

#[test]
fn a_release_whose_name_is_far_ahead_names_no_other() {
    let project = project_with("", &[("app1", "app"), ("app2", "app")]);
    project.server("app2").site.make_folder("releases/20991231000000");
    project.xtask("deploy staging").success().says("has a name that is no time, or one in the future");
    assert!(project.sites().iter().all(|site| site.current().as_str() < "2099"));
}

#[test]
fn the_umask_holds_for_everything_that_is_made() {
    let mut project = project_with("", &[("app1", "app")]);
    project.top("umask = \"0027\"");
    project.tables("[tasks.\"make:it\"]\nrun = \"touch made\"\nafter = \"deploy:updated\"");
    project.xtask("deploy staging").success();
    let site = &project.server("app1").site;
    assert_eq!(site.mode("current/made"), 0o640);
    assert_eq!(site.mode(&format!("releases/{}", site.current())), 0o750);
}

#[test]
fn servers_take_turns_to_fetch() {
    let servers = [("app1", "app"), ("app2", "app"), ("app3", "app")];
    let project = project_with("strategy = \"fetch\"\nmax_fetches = 1", &servers);
    for _ in 0..5 {
        project.xtask("deploy staging").success();
    }
}

#[test]
fn a_checkout_of_another_user_is_read_where_git_was_told_to_trust_it() {
    if !e2e::is_root() {
        return;
    }
    let mut project = project_with("", &[("app1", "app")]);
    let checkout = project.repo.path().to_owned();
    project.top(&format!("repo_url = \"{}/.\"", checkout.display()));
    let user = e2e::User::existing("daemon");
    user.own(&checkout);
    let config = project.sandbox.join("gitconfig");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("directory = *", "directory = /nowhere")).unwrap();
    project.xtask("deploy staging").fails_with(4).says("git config --global --add safe.directory $SANDBOX/");
    fs::write(&config, text.replace("directory = *", &format!("directory = {}", checkout.display()))).unwrap();
    project.xtask("deploy staging").success();
    assert!(project.server("app1").site.has_current());
}
