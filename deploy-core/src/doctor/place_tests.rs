use super::super::finding::Severity;
use super::super::testing::{about, assert_mendable, by_hand, stage};
use super::*;

/// What is found in a deployment that says `facts`, with the linked file `config/database.yml`.
fn found(facts: &[(&str, &str)]) -> Vec<Finding> {
    let stage = stage(&["config/database.yml"]);
    let all = findings(&Facts::of(facts), by_hand(&stage));
    assert_mendable(&all);
    all
}

fn deploy_to_with(place: &str, place_use: &str) -> Finding {
    let facts =
        [("user", "deploy"), ("place", place), ("place_owner", "drwxr-xr-x root root"), ("place_use", place_use)];
    about("deploy_to", &found(&facts)).clone()
}

#[test]
fn a_folder_that_can_be_used_or_made_is_fine() {
    assert_eq!(deploy_to_with("/var/www/shop", "writable").severity, Severity::Ok);
    assert_eq!(deploy_to_with("/var/www", "writable").severity, Severity::Ok);
}

#[test]
fn a_folder_that_cannot_be_used_comes_with_what_makes_it_ours() {
    let make = "ssh -t -p 2222 deploy@app1 'sudo mkdir -p /var/www/shop && sudo chown deploy /var/www/shop'";
    for (place, value) in [
        ("/var/www/shop", "/var/www/shop can't be written to by `deploy` (drwxr-xr-x root root)"),
        ("/var/www", "/var/www/shop isn't there, and `deploy` can't make it in /var/www (drwxr-xr-x root root)"),
    ] {
        let finding = deploy_to_with(place, "");
        assert_eq!((finding.severity, finding.value.as_str()), (Severity::Problem, value));
        assert_eq!(finding.mend[0], make);
    }
    assert_eq!(deploy_to_with("/var/www/shop", "full").severity, Severity::Problem);
    assert!(deploy_to_with("/var/www", "file").value.contains("no folder"));
}

#[test]
fn a_deployment_that_a_group_shares_stays_shared() {
    let own = [("user", "ada"), ("groups", "ada web"), ("group", "drwxrwsr-x bob web")];
    let unusable = [("place_use", "writable"), ("unusable", "revisions.log (-rw-r--r-- bob bob)")];
    let all = found(&[&own[..], &unusable].concat());
    let mend = about("folders", &all).mend.join("\n");
    assert!(mend.contains("sudo chgrp -R web /var/www/shop") && !mend.contains("usermod"), "{mend}");
    let closed = [("place", "/var/www/shop"), ("place_owner", "drwxr-xr-x bob web")];
    let mend = about("deploy_to", &found(&[&own[..], &closed].concat())).mend.join("\n");
    assert!(mend.contains("chgrp -R web") && !mend.contains("chown"), "{mend}");
    // A server's word goes into no command unless it is a name.
    let strange = [("group", "drwxrwsr-x bob $(reboot)"), ("groups", "x")];
    let mend = about("folders", &found(&[&own[..1], &strange, &unusable].concat())).mend.join("\n");
    assert!(mend.contains("chgrp -R GROUP") && !mend.contains("reboot"), "{mend}");
}

#[test]
fn folders_of_somebody_else_inside_of_it_are_named() {
    let facts =
        [("user", "deploy"), ("place_use", "writable"), ("unusable", "releases (drwxr-xr-x root root)\nrepo (x)")];
    let all = found(&facts);
    assert!(about("folders", &all).value.contains("releases (drwxr-xr-x root root), repo"));
    let mend = about("folders", &all).mend.join("\n");
    assert!(mend.contains("sudo chgrp -R GROUP /var/www/shop && ") && !mend.contains("chown"), "{mend}");
    assert!(mend.contains("sudo usermod -aG GROUP deploy") && mend.contains("umask = \"0002\""), "{mend}");
}

#[test]
fn space_is_read_from_what_df_writes_everywhere() {
    let lines = [
        "/dev/sda1          41152736 3800000  37352736      10% /",
        "tmpfs 41152736 3800000 37352736 10% /a folder",
        "overlay with blanks 41152736 3800000 37352736 10% /",
    ];
    assert!(lines.iter().all(|line| left(line) == Some(37_352_736)));
    assert_eq!(left("btrfs 0 0 0 - /"), None);
    assert_eq!(left(""), None);
}

#[test]
fn little_space_and_few_inodes_are_told() {
    let severity = |what: &str, free: &str| {
        let line = format!("/dev/sda1 41152736 1 {free} 99% /");
        about(what, &found(&[(what, &line)])).severity
    };
    assert_eq!(severity("space", "5000000"), Severity::Ok);
    assert_eq!(severity("space", "500000"), Severity::Warning);
    assert_eq!(severity("space", "50000"), Severity::Problem);
    assert_eq!(severity("inodes", "500000"), Severity::Ok);
    assert_eq!(severity("inodes", "10000"), Severity::Warning);
    assert_eq!(severity("inodes", "0"), Severity::Problem);
}

#[test]
fn each_linked_file_that_is_missing_comes_with_its_upload() {
    let path = "/var/www/shop/shared/config/database.yml";
    let all = found(&[("linked", &format!("missing there {path}"))]);
    let upload = "scp -P 2222 config/database.yml deploy@app1:/var/www/shop/shared/config/database.yml";
    assert_eq!(about("linked_files", &all).mend, [upload]);
    let all = found(&[("linked", &format!("missing missing {path}"))]);
    let first = "ssh -t -p 2222 deploy@app1 'mkdir -p /var/www/shop/shared/config' && ";
    assert_eq!(about("linked_files", &all).mend, [format!("{first}{upload}")]);
    let all = found(&[("linked", &format!("folder there {path}\nunreadable there {path}"))]);
    let severities: Vec<_> = all.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Problem, Severity::Warning]);
    assert_eq!(about("linked_files", &found(&[("linked", "")])).severity, Severity::Ok);
    let all = found(&[("linked", "missing there /var/www/shop/shared/$(rm -rf ~)")]);
    assert!(all.iter().all(|finding| finding.mend.is_empty()), "nothing that a server invents is to be typed: {all:?}");
}

#[test]
fn a_lock_is_free_held_or_left_behind() {
    let lock = |age: &str| {
        let facts = [("current", "none"), ("lock", "ada on laptop"), ("lock_age", age)];
        about("lock", &found(&facts)).clone()
    };
    assert_eq!(about("lock", &found(&[("current", "none")])).value, "free");
    assert_eq!(lock("3").value, "held by ada on laptop");
    assert_eq!(lock("3").mend[0], "cargo xtask deploy --lock-wait 10m production");
    assert_eq!(lock("1790000000").mend, ["cargo xtask deploy unlock production"]);
}

#[test]
fn a_mirror_that_the_next_deploy_mends_is_worth_a_warning() {
    let severity = |facts: &[(&str, &str)]| about("mirror", &found(facts)).severity;
    assert_eq!(severity(&[("mirror", "none")]), Severity::Ok);
    assert_eq!(severity(&[("mirror", "fine"), ("mirror_tip", "1234567")]), Severity::Ok);
    assert_eq!(severity(&[("mirror", "suspect")]), Severity::Warning);
    assert_eq!(severity(&[("mirror", "damaged")]), Severity::Warning);
}

#[test]
fn what_is_live_must_be_a_link_to_a_release() {
    let severity = |state: &str| about("current", &found(&[("current", state), ("live", "20261122101500")])).severity;
    assert_eq!([severity("none"), severity("link")], [Severity::Ok, Severity::Ok]);
    assert_eq!([severity("dangling"), severity("other")], [Severity::Problem, Severity::Problem]);
}

#[test]
fn a_server_that_fetches_and_may_not_read_the_repository_says_why() {
    let facts = [("repository_status", "128"), ("repository_said", "Permission denied (publickey)")];
    let all = found(&facts);
    let repository = about("repository", &all);
    assert!(repository.value.ends_with("Permission denied (publickey)"));
    assert_eq!(repository.mend[0], "ssh -t -p 2222 deploy@app1 'git ls-remote git@example.com:shop.git HEAD'");
    assert_eq!(about("repository", &found(&[("repository_status", "0")])).severity, Severity::Ok);
}
