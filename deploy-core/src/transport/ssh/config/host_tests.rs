use super::*;

fn parsed(lines: &str) -> HostConfig {
    HostConfig::parse(&Query { host: "alias".into(), ..Default::default() }, lines)
}

#[test]
fn lines_of_ssh_are_understood() {
    let config = parsed(
        "hostname 10.0.0.1\nuser deploy\nport 2222\nidentitiesonly yes\nhostkeyalias app\nhashknownhosts yes\n\
         connecttimeout 7\nserveraliveinterval 3\nuserknownhostsfile /a /b\nglobalknownhostsfile /c\n",
    );
    assert_eq!((config.host.as_str(), config.port, config.user.as_str()), ("10.0.0.1", 2222, "deploy"));
    assert!(config.identities_only && config.hash_known_hosts);
    assert_eq!(config.host_key_alias.as_deref(), Some("app"));
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(config.keepalive_interval, Some(Duration::from_secs(3)));
    assert_eq!(config.known_hosts_files, [PathBuf::from("/a"), "/b".into()]);
    assert_eq!(config.global_known_hosts_files, [PathBuf::from("/c")]);
}

#[test]
fn no_value_is_no_setting() {
    let config = parsed(
        "connecttimeout none\nserveraliveinterval 0\nproxyjump none\nproxycommand none\nhostkeyalias none\n\
         identityagent none\nforwardagent no\n",
    );
    assert_eq!(config.connect_timeout, None);
    assert_eq!(config.keepalive_interval, None);
    assert_eq!((config.proxy, config.host_key_alias, config.agent, config.forward_agent), (None, None, None, None));
}

#[test]
fn tokens_in_paths_and_commands_stand_for_the_host() {
    let config = parsed(
        "hostname real\nuser deploy\nport 22\nidentityfile ~/keys/%r@%h\nidentityfile %d/%n-%p%%\n\
         proxycommand nc %h %p %x\n",
    );
    let home = home();
    assert_eq!(config.identity_files, [home.join("keys/deploy@real"), home.join("alias-22%")]);
    assert_eq!(config.proxy, Some(Proxy::Command { command: "nc real 22 %x".into(), shell: shell() }));
}

#[test]
fn the_files_that_ssh_looks_for_by_default_are_not_named_ones() {
    let config = parsed("identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ed25519\n");
    assert!(config.identity_files.is_empty());
    assert_eq!(config.default_identity_files.len(), 2);
    let config = parsed("identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/deploy\n");
    assert_eq!(config.identity_files.len(), 2);
}

#[test]
fn what_deploy_toml_says_wins() {
    let mut config = parsed(
        "identityfile ~/.ssh/id_rsa\nidentitiesonly yes\nproxyjump bastion\nuserknownhostsfile /a\n\
         globalknownhostsfile /b\nforwardagent yes\n",
    );
    config.override_with(&Ssh {
        identity_files: vec!["/mine".into(), "/other".into()],
        identities_only: Some(false),
        proxy_jump: Some("none".into()),
        known_hosts_files: vec!["/c".into()],
        forward_agent: Some(false),
        ..Default::default()
    });
    assert_eq!(config.identity_files, [PathBuf::from("/mine"), "/other".into()]);
    assert!(config.default_identity_files.is_empty() && !config.identities_only);
    assert_eq!((config.proxy, config.forward_agent), (None, None));
    assert_eq!(config.known_hosts_files, [PathBuf::from("/c")]);
    assert!(config.global_known_hosts_files.is_empty());
}

#[test]
fn what_deploy_toml_leaves_open_stays() {
    let mut config = parsed("proxyjump bastion\nidentityfile /key\nidentitiesonly yes\nuserknownhostsfile /a\n");
    let before = config.clone();
    config.override_with(&Ssh::default());
    assert_eq!(config, before);
}

#[test]
fn without_ssh_the_files_are_read_on_top_of_its_defaults() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    let text =
        "Host alias\n  HostName %h.example.com\n  Port 2222\n  User me\n  ProxyJump a,b\nMatch user x\n  Port 1\n";
    std::fs::write(&file, text).unwrap();
    let query =
        Query { host: "alias".into(), user: Some("deploy".into()), port: None, file: SshConfigFile::File(file) };
    let config = HostConfig::read_files(&query, home.path());
    assert_eq!((config.host.as_str(), config.port, config.user.as_str()), ("alias.example.com", 2222, "deploy"));
    assert_eq!(config.proxy, Some(Proxy::Jump("a,b".into())));
    assert_eq!(config.known_hosts_files[0], home.path().join(".ssh/known_hosts"));
    assert_eq!(config.default_identity_files.len(), DEFAULT_IDENTITIES.len());
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn ways_to_log_in_that_are_switched_off_are_unwanted() {
    let config = parsed("pubkeyauthentication true\npasswordauthentication yes\nkbdinteractiveauthentication yes\n");
    assert!(config.unwanted_methods.is_empty());
    let config = parsed("pubkeyauthentication no\npasswordauthentication no\nkbdinteractiveauthentication no\n");
    assert_eq!(config.unwanted_methods, ["publickey", "password", "keyboard-interactive"]);
    assert_eq!(parsed("batchmode yes\n").unwanted_methods, ["keyboard-interactive", "password"]);
}

#[test]
fn addresses_may_be_of_one_family_only() {
    let (four, six) = ("127.0.0.1:22".parse().unwrap(), "[::1]:22".parse().unwrap());
    for (line, expected) in [
        ("addressfamily any\n", (true, true)),
        ("addressfamily inet\n", (true, false)),
        ("addressfamily inet6\n", (false, true)),
    ] {
        let family = parsed(line).address_family;
        assert_eq!((family.includes(&four), family.includes(&six)), expected, "{line}");
    }
}

#[test]
fn a_user_is_called_as_the_machine_calls_it() {
    let users = "root:x:0:0::/root:/bin/sh\nbroken\nada:x:1000:1000:Ada:/home/ada:/bin/sh\n";
    assert_eq!(name_of(1000, users).as_deref(), Some("ada"));
    assert_eq!(name_of(0, users).as_deref(), Some("root"));
    assert_eq!(name_of(12345, users), None, "in a container, say");
}

#[test]
fn variables_stand_in_paths() {
    let value = |name: &str| (name == "KEYS").then(|| "/my keys".to_owned());
    assert_eq!(with_variables("${KEYS}/a${KEYS}", value), "/my keys/a/my keys");
    assert_eq!(with_variables("${NONE}/a $KEYS ${KEYS", value), "${NONE}/a $KEYS ${KEYS");
}

#[test]
fn where_no_file_is_to_be_read_nobody_is_asked() {
    let query = Query { host: "app".into(), file: SshConfigFile::None, ..Default::default() };
    let config = HostConfig::read(&query);
    assert_eq!((config.host.as_str(), config.port), ("app", 22));
    assert_eq!((config.source.as_str(), config.warnings.len()), ("ssh_config, read without `ssh`", 0));
}

#[test]
fn a_file_that_ssh_refuses_is_read_without_it_with_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, "Host app\n  NoSuchOption yes\n  Port 2222\n").unwrap();
    let query = Query { host: "app".into(), file: SshConfigFile::File(file), ..Default::default() };
    let config = HostConfig::read(&query);
    assert_eq!((config.port, config.warnings.len()), (2222, 1));
    assert!(config.warnings[0].contains("nosuchoption"), "{:?}", config.warnings);
}

#[test]
fn a_file_may_have_blanks_in_its_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    std::fs::write(&file, "UserKnownHostsFile \"~/my hosts\" /other\\ hosts\nIdentityFile ~/my\\ key\n").unwrap();
    let query = Query { host: "app".into(), file: SshConfigFile::File(file), ..Default::default() };
    let config = HostConfig::read_files(&query, home.path());
    assert_eq!(config.known_hosts_files, [home.path().join("my hosts"), "/other hosts".into()]);
    assert_eq!(config.identity_files, [home.path().join("my key")]);
}
