use super::*;

fn sample(milliseconds: u64) -> Result<Sample, String> {
    Ok(Sample { wall: Duration::from_millis(milliseconds), ..Sample::default() })
}

fn key(tool: &'static str, servers: usize, rtt: u64) -> Key {
    Key { what: "small, next".to_owned(), point: Some(Point { servers, rtt }), tool }
}

fn empty() -> Report {
    let (command, machine) = ("cargo xtask bench deploy".to_owned(), BTreeMap::new());
    Report { command, machine, timings: Vec::new(), counts: Vec::new(), problems: Vec::new() }
}

/// Ten servers at two distances: 14 round trips for this tool, 150 for the other one.
fn report() -> Report {
    let mut report = empty();
    for milliseconds in [900, 1000, 1700] {
        report.add(key("xtask", 10, 50), &sample(milliseconds));
        report.add(key("capistrano", 10, 50), &sample(milliseconds * 8));
    }
    report.add(key("capistrano", 10, 50), &Err("it hung".to_owned()));
    report.add(key("xtask", 10, 150), &sample(2400));
    report.add(key("capistrano", 10, 150), &sample(23_000));
    report.count(key("xtask", 10, 0), Counts { commands: 1, ..Counts::default() });
    report
}

#[test]
fn others_are_compared_with_this_tool_at_the_same_point() {
    let report = report();
    assert_eq!(report.ratio(&report.timings[0]), Some(1.0));
    assert_eq!(report.ratio(&report.timings[1]), Some(8.0));
}

#[test]
fn round_trips_come_from_two_delays() {
    let report = report();
    let close = |trips: Option<f64>, wanted: f64| (trips.unwrap() - wanted).abs() < 0.001;
    assert!(close(report.round_trips(&key("xtask", 10, 0)), 14.0));
    assert!(close(report.round_trips(&key("capistrano", 10, 0)), 150.0));
    assert_eq!(report.round_trips(&key("xtask", 1, 0)), None);
}

#[test]
fn the_direct_link_counts_only_where_there_is_one_delay() {
    let mut report = report();
    report.add(key("xtask", 10, 0), &sample(1));
    assert!((report.round_trips(&key("xtask", 10, 0)).unwrap() - 14.0).abs() < 0.001);
}

#[test]
fn failures_are_told_and_are_no_times() {
    let report = report();
    let json: Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["times"][1]["failures"], 1);
    assert_eq!(json["times"][1]["seconds"].as_array().unwrap().len(), 3);
    assert_eq!(json["counts"][0]["commands"], 1);
    let table = report.table();
    let row = table.lines().find(|line| line.contains("capistrano")).unwrap();
    assert!(row.ends_with("  1"), "{row}");
}

#[test]
fn what_is_missing_is_told() {
    let mut report = report();
    assert_eq!(report.missing(), None);
    report.add(key("ssh", 10, 50), &Err("it hung".to_owned()));
    assert_eq!(report.missing().unwrap(), "`ssh` never succeeded at `small, next`");
    report.problem("no servers".to_owned());
    assert!(report.missing().unwrap().starts_with("no servers\n"));
}

#[test]
fn tables_have_a_row_for_each_tool_at_each_point() {
    let markdown = report().markdown();
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| small, next")).collect();
    assert_eq!(rows.len(), 5, "{markdown}");
    let widths: Vec<usize> =
        markdown.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
    assert!(widths.iter().all(|width| *width == 13), "{markdown}");
}

#[test]
fn the_chart_has_a_bar_for_each_median() {
    let chart = report().chart();
    assert_eq!(chart.matches("<rect x=").count(), 4);
    assert!(chart.contains("small, next: 10 servers, 150 ms"));
    assert!(chart.contains("capistrano 23.00"));
}

#[test]
fn a_document_gets_the_report_in_the_marked_place_again_and_again() {
    let document = "# Speed\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n";
    let once = report().insert(document, Some(std::path::Path::new("docs/bench.svg"))).unwrap();
    assert!(once.starts_with("# Speed\n<!-- bench -->\n![") && once.ends_with("<!-- /bench -->\nafter\n"), "{once}");
    assert!(once.contains("| small, next: 10 servers, 50 ms | 1.00 | 8.00 (8.00) |"), "{once}");
    assert!(once.contains("| small, next: 10 servers: commands | 1 |"), "{once}");
    assert!(!once.contains("old"), "{once}");
    assert_eq!(report().insert(&once, Some(std::path::Path::new("docs/bench.svg"))).unwrap(), once);
    assert!(report().insert("nothing is marked", None).unwrap_err().contains("<!-- bench -->"));
}
