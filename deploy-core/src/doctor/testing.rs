//! A server to judge, in few words.

use super::by_hand::ByHand;
use super::finding::{Finding, Severity};
use crate::config::Stage;
use crate::plan::testing;

/// A stage whose only server is `deploy@app1:2222`, with these linked files.
pub(super) fn stage(linked_files: &[&str]) -> Stage {
    let mut stage = testing::stage(&["app1 app"]);
    stage.settings.linked_files = linked_files.iter().map(ToString::to_string).collect();
    stage.servers[0].user = Some("deploy".into());
    stage.servers[0].port = Some(2222);
    stage
}

pub(super) fn by_hand(stage: &Stage) -> ByHand<'_> {
    ByHand { stage, server: &stage.servers[0] }
}

/// The only finding about `what`.
#[track_caller]
pub(super) fn about<'f>(what: &str, findings: &'f [Finding]) -> &'f Finding {
    let own: Vec<_> = findings.iter().filter(|finding| finding.what == what).collect();
    assert_eq!(own.len(), 1, "{what}: {findings:?}");
    own[0]
}

/// Every finding that is not fine names what mends it.
#[track_caller]
pub(super) fn assert_mendable(findings: &[Finding]) {
    for finding in findings {
        let mends = finding.mend.iter().filter(|mend| !mend.trim().is_empty()).count();
        assert_eq!(mends > 0, finding.severity != Severity::Ok, "{finding:?}");
    }
}
