//! Asking the application whether it is back.

use super::*;

/// A curl that answers with the numbers of `statuses`, one after the other.
fn curl(statuses: &str) -> Site {
    let text = format!("set -- {statuses}; shift $(($(grep -c ^curl \"$SITE/calls\") - 1)); printf %s \"$1\"");
    Site::default().program("curl", &text).program("sleep", ":")
}

fn check(site: &Site, toml: &str) -> Outcome {
    let recipe = recipe(toml);
    site.run(|_| recipe.health_check(recipe.health_url.as_ref().unwrap(), "app1.example.com", "production"))
}

#[test]
fn a_path_is_asked_of_the_server_itself_in_the_name_of_its_host() {
    let outcome = check(&curl("200"), "health_url = '/up'");
    let options = "--silent --output /dev/null --max-time 30 --write-out %{http_code}";
    assert_eq!(outcome.calls, [format!("curl {options} --header Host: app1.example.com http://127.0.0.1/up")]);
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn a_url_and_headers_can_name_the_host() {
    let toml = "health_url = 'http://{host}:8080/up'\nhealth_headers = ['Host: shop.example.com', 'X-From: {host}']\nhealth_timeout = '5s'\nhealth_status = 204";
    let outcome = check(&curl("204"), toml);
    assert!(outcome.calls[0].contains("--max-time 5 "), "{outcome:?}");
    let end = "--header Host: shop.example.com --header X-From: app1.example.com http://app1.example.com:8080/up";
    assert!(outcome.calls[0].ends_with(end), "{outcome:?}");
}

#[test]
fn a_host_of_the_users_own_takes_the_place_of_the_servers() {
    let outcome = check(&curl("200"), "health_url = '/up'\nhealth_headers = ['host: shop.example.com']");
    assert!(outcome.calls[0].ends_with("--header host: shop.example.com http://127.0.0.1/up"), "{outcome:?}");
}

#[test]
fn an_application_that_needs_a_while_is_asked_again() {
    let outcome = check(&curl("000 503 200"), "health_url = '/up'\nhealth_wait = '1500ms'");
    let calls: Vec<_> = outcome.calls.iter().map(|call| call.split_once(' ').unwrap()).collect();
    let programs: Vec<_> = calls.iter().map(|(program, _)| *program).collect();
    assert_eq!(programs, ["curl", "sleep", "curl", "sleep", "curl"]);
    assert_eq!((calls[1].1, outcome.status), ("1.5", Some(0)));
}

#[test]
fn a_wrong_answer_and_none_are_failures_with_the_way_back() {
    let outcome = check(&curl("500 500"), "health_url = '/up'\nhealth_retries = 1");
    assert_eq!(outcome.status, Some(1));
    assert_eq!(
        outcome.failure,
        [
            "http://127.0.0.1/up answers with status 500 instead of 200",
            "look into the logs of the application, in shared/log, and of the web server",
            "to go back: cargo xtask deploy rollback production",
        ]
    );
    let outcome = check(&curl("000"), "health_url = 'https://{host}/'\nhealth_retries = 0");
    assert_eq!(outcome.failure[0], "https://app1.example.com/ doesn't answer");
}

/// Where there is no curl: the first status counts, as redirections are not what was asked for.
#[test]
fn wget_does_it_too() {
    let says = "echo '  HTTP/1.1 301 Moved' >&2; echo '  HTTP/1.1 200 OK' >&2; exit 0";
    let recipe = recipe("health_url = '/up'\nhealth_status = 301\nhealth_timeout = 7");
    let site = Site::default().program("wget", says).program("timeout", "shift; exec \"$@\"");
    let check = |health_url: &HealthUrl| recipe.health_check(health_url, "app1", "production");
    // The stand-ins are all that this PATH has, besides what the library itself needs.
    let outcome = site.run(|root| {
        let bin = format!("{root}/bin");
        sh!("ln -s \"$(command -v sed)\" {}\nPATH={}", &bin, &bin).then(check(recipe.health_url.as_ref().unwrap()))
    });
    assert_eq!((outcome.status, &outcome.failure), (Some(0), &Vec::new()));
    assert_eq!(outcome.calls[0], "timeout 7 wget -q -S -O /dev/null --header Host: app1 http://127.0.0.1/up");
}

#[test]
fn without_curl_and_wget_it_is_told() {
    let recipe = recipe("health_url = '/up'");
    let outcome = Site::default().run(|root| {
        sh!("PATH={}", format!("{root}/bin")).then(recipe.health_check(
            recipe.health_url.as_ref().unwrap(),
            "app1",
            "x",
        ))
    });
    assert_eq!(outcome.failure, ["neither curl nor wget is here to ask the application"]);
}

#[test]
fn an_ipv6_host_stands_in_brackets() {
    let recipe = recipe("health_url = 'http://{host}/up'");
    let outcome = curl("200").run(|_| recipe.health_check(recipe.health_url.as_ref().unwrap(), "2001:db8::7", "x"));
    assert!(outcome.calls[0].ends_with(" http://[2001:db8::7]/up"), "{outcome:?}");
}

#[test]
fn what_is_neither_a_path_nor_a_url_is_a_mistake() {
    for wrong in ["up", "ftp://x/", "/a b"] {
        let table = RecipeTable::from_toml("passenger", &format!("health_url = '{wrong}'")).unwrap();
        let error = table.read::<Passenger>().unwrap_err().to_string();
        assert!(error.contains("expected a path such as \"/up\", or a URL"), "{error}");
    }
}
