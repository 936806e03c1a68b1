//! Every state of a rollout, with and without something to roll back to.

use std::collections::BTreeSet;

use super::*;
use crate::document::rollout::{FailureSummary, PauseReason, Rollout};

const HEAD: Head =
    Head { current: RevisionNumber(3), last: RevisionNumber(3), good: Some(RevisionNumber(2)) };

fn states() -> [State; 7] {
    let failed = || FailureSummary { named: Vec::new(), more: 0 };
    [
        State::Progressing { wave: 0 },
        State::Completed,
        State::Paused { why: PauseReason::Restored, returning: false },
        State::Paused { why: PauseReason::Failed { change: failed() }, returning: true },
        State::RollingBack { why: failed() },
        State::RolledBack { why: failed() },
        State::Superseded,
    ]
}

fn rollout(state: State, from: Option<u64>) -> Rollout {
    Rollout {
        from: from.map(RevisionNumber),
        to: RevisionNumber(3),
        waves: Vec::new(),
        state,
        since: Timestamp(7),
        failures: Vec::new(),
        moved: BTreeSet::new(),
        inherited: BTreeSet::new(),
    }
}

/// Current and good revision after a rollout, whether its outcome is recorded,
/// and the base of the next change.
fn line(state: &State, from: Option<u64>) -> String {
    let rollout = rollout(state.clone(), from);
    let (head, outcome) = after_rollout(HEAD, &rollout);
    assert_eq!(head.last, HEAD.last, "no number is given twice");
    if let Some(outcome) = &outcome {
        assert_eq!((&outcome.state, outcome.at), (state, Timestamp(7)));
    }
    let good = head.good.map_or("none".to_owned(), |good| good.to_string());
    let base = base(head, Some(&rollout));
    let recorded = if outcome.is_some() { "recorded" } else { "under way" };
    format!("{}: current {} good {good} base {base}, {recorded}", state.as_str(), head.current)
}

#[test]
fn what_a_rollout_came_to_moves_the_head() {
    let lines: Vec<String> = states().iter().map(|state| line(state, Some(2))).collect();
    assert_eq!(
        lines,
        [
            "progressing: current 3 good 2 base 3, under way",
            "completed: current 3 good 3 base 3, recorded",
            "paused: current 3 good 2 base 3, recorded",
            "paused: current 3 good 2 base 2, recorded",
            "rolling-back: current 3 good 2 base 2, under way",
            "rolled-back: current 2 good 2 base 2, recorded",
            "superseded: current 3 good 2 base 3, recorded",
        ]
    );
}

#[test]
fn without_a_good_revision_no_rollout_makes_another_revision_current() {
    for state in states() {
        let (head, _) = after_rollout(HEAD, &rollout(state, None));
        assert_eq!(head.current, RevisionNumber(3));
    }
}

#[test]
fn a_change_becomes_current_and_keeps_what_is_good() {
    let (head, superseded) =
        after_change(Some(HEAD), next_revision(Some(HEAD)), None, Timestamp(9));
    let four = RevisionNumber(4);
    assert_eq!(head, Head { current: four, last: four, good: Some(RevisionNumber(2)) });
    assert_eq!(superseded, None);
    let (first, _) = after_change(None, next_revision(None), None, Timestamp(9));
    let one = RevisionNumber(1);
    assert_eq!(first, Head { current: one, last: one, good: None });
}

#[test]
fn a_change_supersedes_only_a_rollout_that_is_under_way() {
    for state in states() {
        let rollout = rollout(state, Some(2));
        let (_, superseded) =
            after_change(Some(HEAD), RevisionNumber(4), Some(&rollout), Timestamp(9));
        let (_, ended) = after_rollout(HEAD, &rollout);
        assert_eq!(superseded.is_some(), ended.is_none(), "one outcome each: {rollout:?}");
        if let Some((number, outcome)) = superseded {
            assert_eq!((number, outcome.state), (RevisionNumber(3), State::Superseded));
        }
    }
}

#[test]
fn after_a_restore_the_next_change_has_the_same_base_and_nothing_is_good() {
    for state in states() {
        let rollout = rollout(state, Some(2));
        let head = HEAD.quiesced(Some(&rollout));
        assert_eq!((head.current, head.good), (base(HEAD, Some(&rollout)), None));
        assert_eq!(head.last, HEAD.last);
    }
}
