//! When a change is none, and what may run when one is made.

use std::collections::BTreeSet;

use super::*;
use crate::document::rollout::{FailureSummary, PauseReason};
use crate::testing::{SPEC, spec_with};
use crate::time::Timestamp;

const HEAD: Head =
    Head { current: RevisionNumber(3), last: RevisionNumber(3), good: Some(RevisionNumber(2)) };

fn rollout(state: State, moved: &[&str]) -> Rollout {
    Rollout {
        from: Some(RevisionNumber(2)),
        to: RevisionNumber(3),
        waves: Vec::new(),
        state,
        since: Timestamp(0),
        failures: Vec::new(),
        moved: moved.iter().map(|node| node.parse().unwrap()).collect(),
        inherited: BTreeSet::new(),
    }
}

fn failed() -> FailureSummary {
    FailureSummary { named: Vec::new(), more: 0 }
}

fn spec(text: &str) -> TenantSpec {
    TenantSpec::parse(text).unwrap()
}

#[test]
fn the_same_in_other_words_is_in_effect_already() {
    let (before, again) = (spec(SPEC), spec(&format!("# said again\n{SPEC}")));
    let completed = rollout(State::Completed, &[]);
    let current = Some(RevisionNumber(3));
    assert_eq!(
        already_in_effect(Some(HEAD), Some(&completed), &[], Some(&before), &again),
        current
    );
    // Nothing on a node differs, but the rollout of the next change would.
    let slower = spec(&SPEC.replace("5s", "6s"));
    assert_eq!(already_in_effect(Some(HEAD), Some(&completed), &[], Some(&before), &slower), None);
    assert_eq!(already_in_effect(None, None, &[], None, &again), None);
}

#[test]
fn what_went_wrong_is_tried_again_when_asked_for_again() {
    let spec = spec(&spec_with("db", "2"));
    let in_effect = |state: State| {
        let rollout = rollout(state, &["n1"]);
        already_in_effect(Some(HEAD), Some(&rollout), &[], Some(&spec), &spec).is_some()
    };
    assert!(in_effect(State::Progressing { wave: 0 }));
    assert!(in_effect(State::RolledBack { why: failed() }), "what was rolled back to is current");
    assert!(!in_effect(State::RollingBack { why: failed() }));
    assert!(!in_effect(State::Paused { why: PauseReason::Restored, returning: false }));
}

#[test]
fn the_good_revision_may_run_and_so_may_one_that_a_rollout_has_begun_to_bring() {
    let (two, three) = (RevisionNumber(2), RevisionNumber(3));
    let begun = State::Progressing { wave: 0 };
    assert_eq!(may_run(Some(HEAD), Some(&rollout(begun.clone(), &["n1"]))), [two, three]);
    assert_eq!(may_run(Some(HEAD), Some(&rollout(begun, &[]))), [two]);
    let rolled_back = State::RolledBack { why: failed() };
    assert_eq!(may_run(Some(HEAD), Some(&rollout(rolled_back, &["n1"]))), [two]);
    assert_eq!(may_run(Some(Head { good: None, ..HEAD }), None), []);
}
