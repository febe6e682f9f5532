//! A visitor during many deploys and rollbacks.

use std::io::Write;

use super::shop::{ALONE, Shop};
use super::visitor::Visitor;

/// Restarts what is live in the middle of every deploy and rollback, as Passenger itself may at any time.
const MEANWHILE: &str = r#"
[tasks."boot:meanwhile"]
run = 'passenger-config restart-app "$(cd ../.. && pwd)/" && curl -fsS -o /dev/null http://127.0.0.1/up'
roles = ["web"]
after = ["deploy:updated", "deploy:reverted"]
"#;

/// Deploys and rollbacks by turns, each of them watched from its beginning to its end.
#[test]
fn a_visitor_sees_neither_an_error_nor_a_mixture() {
    let rounds = if e2e::full() { 20 } else { 4 };
    let mut shop = Shop::on(&ALONE);
    shop.xtask("deploy staging").success();
    shop.project.tables(MEANWHILE);
    let visitor = Visitor::of(shop.web("app1").port());
    let mut expected = vec!["first".to_owned()];
    for round in 1..=rounds {
        // Every fourth run is a rollback.
        if round % 4 == 3 {
            shop.xtask("deploy rollback staging").success();
            expected.push(expected[expected.len() - 2].clone());
        } else {
            let edition = format!("edition-{round}");
            shop.commit(&edition, &[]);
            shop.xtask("deploy staging").success();
            expected.push(edition);
        }
        assert_eq!(shop.visit("app1").edition, expected[expected.len() - 1]);
    }
    let visits = visitor.leave();
    let (pages, problems) = (visits.pages.len(), visits.problems.len());
    let _ = writeln!(
        std::io::stderr(),
        "trial: visits during {rounds} deploys and rollbacks that showed a page of one piece: {pages} of {}, the longest took {:.1?}",
        pages + problems,
        visits.longest,
    );
    visits.were_undisturbed();
    assert_eq!(visits.editions(), expected, "each edition in its turn, and none twice");
}
