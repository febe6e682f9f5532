//! Asking the application whether it is back.

use std::os::unix::fs::symlink;

use super::*;

/// A server that has restarted the application, and whose curl answers with the numbers of `statuses`, one after the
/// other.
fn asks(table: &str, statuses: &str) -> Ran {
    let [first, others @ ..] = SHELLS.map(|shell| {
        let site = site(&format!("method = 'touch'\n{table}"), MODERN, WORKS).shell(shell);
        let next = "asked=$(cat \"$HOME/asked\" 2>/dev/null || :)\nprintf x >>\"$HOME/asked\"\nshift ${#asked}";
        site.program("curl", &format!("set -- {statuses}\n{next}\nprintf %s \"$1\""));
        on(&site)
    });
    others.iter().for_each(|other| assert_eq!(told(other), told(&first)));
    first
}

#[test]
fn a_path_is_asked_of_the_server_itself_in_the_name_of_its_host() {
    let run = asks("health_url = '/up'", "200");
    run.succeeded();
    let options = "--silent --output /dev/null --max-time 30 --write-out '%{http_code}'";
    assert_eq!(told(&run), [format!("curl {options} --header 'Host: app1' http://127.0.0.1/up")]);
}

#[test]
fn a_url_and_headers_can_name_the_host() {
    let table = "health_url = 'http://{host}:8080/up'\nhealth_headers = ['Host: shop.example.com', 'X-From: {host}']\nhealth_timeout = '5s'\nhealth_status = 204";
    let run = asks(table, "204");
    run.succeeded();
    assert!(told(&run)[0].contains("--max-time 5 "), "{:?}", told(&run));
    let end = "--header 'Host: shop.example.com' --header 'X-From: app1' http://app1:8080/up";
    assert!(told(&run)[0].ends_with(end), "{:?}", told(&run));
}

#[test]
fn a_host_of_the_users_own_takes_the_place_of_the_servers() {
    let run = asks("health_url = '/up'\nhealth_headers = ['host: shop.example.com']", "200");
    assert!(told(&run)[0].ends_with("--header 'host: shop.example.com' http://127.0.0.1/up"), "{:?}", told(&run));
}

#[test]
fn an_application_that_needs_a_while_is_asked_again() {
    let run = asks("health_url = '/up'\nhealth_wait = '1500ms'", "000 503 200");
    run.succeeded();
    let calls = told(&run);
    let programs: Vec<_> = calls.iter().map(|call| call.split(' ').next().unwrap()).collect();
    assert_eq!(programs, ["curl", "sleep", "curl", "sleep", "curl"]);
    assert_eq!(calls[1], "sleep 1.5");
}

#[test]
fn a_wrong_answer_and_none_are_failures_with_the_way_back() {
    let said = [
        "app1: `passenger:restart`: http://127.0.0.1/up answers with status 500 instead of 200",
        "look into the logs of the application, in shared/log, and of the web server",
        "to go back: cargo xtask deploy rollback production",
    ];
    fails_with(&asks("health_url = '/up'\nhealth_retries = 1", "500 500"), &said);
    fails_with(&asks("health_url = 'https://{host}/'\nhealth_retries = 0", "000"), &["https://app1/ doesn't answer"]);
}

/// What comes of a health check of a release whose commit is `abcdef0123…`, with curl's `answer`.
fn tells(place: &str, answer: &str) -> Ran {
    let [first, others @ ..] = SHELLS.map(|shell| {
        let table = format!("method = 'touch'\nhealth_url = '/up'\nhealth_revision = '{place}'\nhealth_retries = 0");
        let site = site(&table, MODERN, WORKS).shell(shell);
        site.write("app1", "current/REVISION", "abcdef0123456789abcdef0123456789abcdef01\n");
        site.program("curl", &format!("printf '{answer}'"));
        on(&site)
    });
    let failed = |run: &Ran| run.order().len();
    others.iter().for_each(|other| assert_eq!((told(other), failed(other)), (told(&first), failed(&first))));
    first
}

#[test]
fn an_answer_that_tells_the_commit_has_to_tell_this_releases() {
    let run = tells("X-Revision", "HTTP/1.1 200 OK\\r\\nx-revision: abcdef0123456789\\r\\n\\r\\nok");
    run.succeeded();
    assert_eq!(told(&run), ["curl --silent --include --max-time 30 --header 'Host: app1' http://127.0.0.1/up"]);
    assert_eq!(run.notes(), [""; 0], "nothing has to be seen any more");
    tells("body", "HTTP/2 200\\r\\n\\r\\nrunning abcdef0").succeeded();
    for (place, answer, said) in [
        (
            "X-Revision",
            "HTTP/1.1 200 OK\\r\\nX-Revision: 0123456\\r\\n\\r\\n",
            "its X-Revision is 0123456 instead of abcdef0",
        ),
        ("X-Revision", "HTTP/1.1 200 OK\\r\\n\\r\\nabcdef0", "/up tells no X-Revision"),
        (
            "X-Revision",
            "HTTP/1.1 503 No\\r\\nX-Revision: abcdef0\\r\\n\\r\\n",
            "answers with status 503 instead of 200",
        ),
        ("body", "HTTP/1.1 200 OK\\r\\n\\r\\nrunning 0123456", "/up doesn\'t tell the commit abcdef0"),
        ("body", "", "/up doesn\'t answer"),
    ] {
        fails_with(&tells(place, answer), &[said, "cargo xtask deploy rollback production"]);
    }
}

#[test]
fn wget_tells_the_commit_too() {
    let tools = ["mkdir", "touch", "sed", "timeout", "chmod", "cat", "grep", "tr", "head", "readlink"];
    let site = with_tools("health_url = '/up'\nhealth_revision = 'X-Revision'", &tools);
    site.write("app1", "current/REVISION", "abcdef0123456789abcdef0123456789abcdef01\n");
    has_tool(&site, "wget", "echo '  HTTP/1.1 200 OK' >&2\necho '  X-Revision: abcdef0' >&2\necho ok\n");
    on(&site).succeeded();
}

#[test]
fn a_release_without_a_commit_is_told() {
    let site = site("method = 'touch'\nhealth_url = '/up'\nhealth_revision = 'body'", MODERN, WORKS);
    std::fs::remove_file(site.path("app1", "current/REVISION")).unwrap();
    fails_with(&on(&site), &["the release has no REVISION that could be compared with the answer"]);
}

#[test]
fn a_place_for_the_commit_is_a_headers_name_and_needs_an_answer() {
    let refusal = refusal::<Passenger>("health_revision = 'X Revision'");
    assert!(refusal.contains("expected the name of a header such as \"X-Revision\", or \"body\""), "{refusal}");
    let mut tasks = Tasks::default();
    let place = HealthUrl::try_from("/up".to_owned()).map(|_| Revision::try_from("body".to_owned()).unwrap());
    Passenger { health_revision: place.ok(), ..Passenger::default() }.register(&mut tasks);
    assert!(tasks.check().iter().any(|problem| problem.contains("say what is asked by `health_url`")));
}

/// A server whose restart finds nothing on its `PATH` but these tools of this machine and, in `tools`, its own.
fn with_tools(table: &str, tools: &[&str]) -> Site {
    let table = format!("method = 'touch'\nenv = {{ PATH = '$HOME/deploy/tools' }}\n{table}");
    let site = site(&table, MODERN, WORKS);
    site.write("app1", "tools/README", "");
    for tool in tools {
        let found = ["/bin", "/usr/bin"].iter().map(|folder| format!("{folder}/{tool}"));
        let found = found.into_iter().find(|file| std::path::Path::new(file).exists()).expect("the tool is here");
        symlink(found, site.path("app1", &format!("tools/{tool}"))).unwrap();
    }
    site
}

/// Adds a program of the test's own to those of `with_tools`.
fn has_tool(site: &Site, name: &str, body: &str) {
    site.write("app1", &format!("tools/{name}"), &format!("#!/bin/sh\n{body}"));
    let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(site.path("app1", &format!("tools/{name}")), runs).unwrap();
}

/// Where there is no curl: the first status counts, as redirections are not what was asked for.
#[test]
fn wget_does_it_too() {
    let table = "health_url = '/up'\nhealth_status = 301\nhealth_timeout = 7";
    let site = with_tools(table, &["mkdir", "touch", "sed", "timeout", "chmod", "cat", "grep", "tr", "readlink"]);
    let wget = "echo \"$*\" >\"$HOME/deploy/asked\"\necho '  HTTP/1.1 301 Moved' >&2\necho '  HTTP/1.1 200 OK' >&2\n";
    has_tool(&site, "wget", wget);
    on(&site).succeeded();
    let asked = site.read("app1", "asked").unwrap();
    assert_eq!(asked, "-q -S -O /dev/null --header Host: app1 http://127.0.0.1/up\n");
}

#[test]
fn without_curl_and_wget_it_is_told() {
    let site = with_tools("health_url = '/up'", &["mkdir", "touch", "sed", "grep", "tr"]);
    fails_with(&on(&site), &["neither curl nor wget is here to ask the application"]);
}

#[test]
fn an_ipv6_host_stands_in_brackets() {
    let url = HealthUrl::try_from("http://{host}/up".to_owned()).unwrap();
    assert_eq!(url.on("2001:db8::7").0, "http://[2001:db8::7]/up");
}

#[test]
fn what_is_neither_a_path_nor_a_url_is_a_mistake() {
    for wrong in ["up", "ftp://x/", "/a b"] {
        let refusal = refusal::<Passenger>(&format!("health_url = '{wrong}'"));
        assert!(refusal.contains("expected a path such as \"/up\", or a URL"), "{refusal}");
    }
}
