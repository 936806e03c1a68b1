//! When a change has ended, how, and what operators read of it.

use std::collections::BTreeMap;

use super::*;
use crate::decide::diff::diff;
use crate::document::rollout::FailedComponent;
use crate::testing::{SPEC, plan_of, spec_with, with_unreadable_voice};

/// When the change, revision 8, was accepted; its rollout ended 41 s later.
const ACCEPTED: Timestamp = Timestamp(1_000_000);
const ENDED: Timestamp = Timestamp(1_041_300);

fn rollout(from: u64, to: u64, state: State) -> Rollout {
    Rollout {
        from: (from > 0).then_some(RevisionNumber(from)),
        to: RevisionNumber(to),
        waves: Vec::new(),
        state,
        since: ENDED,
        failures: Vec::new(),
        moved: BTreeSet::new(),
        inherited: BTreeSet::new(),
    }
}

fn failed() -> FailureSummary {
    let failed = FailedComponent {
        component: "voice".parse().unwrap(),
        node: "n2".parse().unwrap(),
        message: "it ended".to_owned(),
    };
    FailureSummary { named: vec![failed], more: 0 }
}

fn rolled_back() -> State {
    State::RolledBack { why: failed() }
}

fn paused(why: PauseReason) -> State {
    State::Paused { why, returning: false }
}

/// The change of the voice server from version 1 to 2, revision 8, and its verdict
/// where `later` is the specification of the revision that the nodes run now.
fn decision(rollout: Option<&Rollout>, later: Option<&str>) -> Verdict {
    let (before, made) = (plan_of(SPEC, 7).unwrap(), plan_of(&spec_with("voice", "2"), 8).unwrap());
    let changes = diff(Some(&before), &made);
    assert_eq!(changes.len(), 2, "the voice server of two nodes: {changes:?}");
    let change = ChangeRef {
        revision: RevisionNumber(8),
        at: ACCEPTED,
        changes: &changes,
        plan: Some(&made),
    };
    let now = later.map(|spec| plan_of(spec, 9).unwrap());
    verdict(change, rollout, now.as_ref())
}

fn decided(rollout: &Rollout, later: Option<&str>) -> (ChangeOutcome, String) {
    let verdict = decision(Some(rollout), later);
    let tenant = "acme".parse().unwrap();
    let sentence = Sentence { verdict: &verdict, revision: RevisionNumber(8), tenant: &tenant };
    (verdict.outcome(), sentence.to_string())
}

#[test]
fn a_rollout_in_progress_has_no_verdict_yet() {
    let why = failed();
    let states = [State::Progressing { wave: 0 }, State::RollingBack { why }, State::Superseded];
    for state in states {
        for to in [8, 9] {
            assert_eq!(decision(Some(&rollout(7, to, state.clone())), None), Verdict::Waiting);
        }
    }
    assert_eq!(decision(None, None), Verdict::Waiting);
}

#[test]
fn the_revision_in_effect_is_that_of_the_nodes() {
    let in_effect = |rollout: &Rollout| {
        decision(Some(rollout), Some(SPEC)).in_effect(RevisionNumber(8)).unwrap_or_default().0
    };
    let table = [
        (rollout(7, 8, State::Progressing { wave: 0 }), 0),
        (rollout(7, 8, State::Completed), 8),
        (rollout(7, 8, rolled_back()), 7),
        (rollout(8, 9, rolled_back()), 8),
        (rollout(7, 9, rolled_back()), 7),
        (rollout(0, 8, rolled_back()), 0),
        (rollout(7, 9, State::Completed), 9),
        (rollout(7, 8, paused(PauseReason::Restored)), 0),
    ];
    for (rollout, expected) in table {
        assert_eq!(in_effect(&rollout), expected, "{rollout:?}");
    }
}

#[test]
fn the_rollout_of_an_earlier_revision_has_no_effect() {
    for state in [State::Completed, rolled_back(), paused(PauseReason::Restored)] {
        assert_eq!(decision(Some(&rollout(6, 7, state)), None), Verdict::Waiting);
    }
}

#[test]
fn every_end_has_an_outcome_and_a_sentence() {
    let table = [
        (
            rollout(7, 8, State::Completed),
            ChangeOutcome::Done,
            "done: acme runs revision 8, after 41s",
        ),
        (
            rollout(7, 8, rolled_back()),
            ChangeOutcome::RolledBack,
            "rolled back: revision 8 of acme failed, and its nodes run revision 7 again: voice on n2: it ended",
        ),
        (
            rollout(7, 9, rolled_back()),
            ChangeOutcome::RolledBack,
            "rolled back: revision 9 of acme, which superseded 8, failed; its nodes run revision 7 again, without this change: voice on n2: it ended",
        ),
        (
            rollout(8, 9, rolled_back()),
            ChangeOutcome::Done,
            "done: acme runs revision 8 again, because revision 9 failed: voice on n2: it ended",
        ),
        (
            rollout(7, 8, paused(PauseReason::Failed { change: failed() })),
            ChangeOutcome::Failed,
            "failed: the rollout of revision 8 of acme is paused: voice on n2: it ended",
        ),
        (
            rollout(7, 9, paused(PauseReason::Restored)),
            ChangeOutcome::Failed,
            "failed: the rollout of revision 9 of acme is paused: restored from a backup; apply again",
        ),
    ];
    for (rollout, outcome, sentence) in table {
        assert_eq!(decided(&rollout, None), (outcome, sentence.to_owned()));
    }
}

#[test]
fn a_later_revision_with_the_same_instances_contains_the_change() {
    let completed = rollout(8, 9, State::Completed);
    let same = spec_with("voice", "2");
    let elsewhere = same.replace("db: \"1\"", "db: \"2\"");
    let text_only = format!("# only a comment\n{same}");
    for later in [&same, &elsewhere, &text_only] {
        let expected = "done: acme runs revision 9, which superseded 8 and contains this change";
        assert_eq!(decided(&completed, Some(later)), (ChangeOutcome::Done, expected.to_owned()));
    }
    let restored = rollout(9, 10, rolled_back());
    assert_eq!(decided(&restored, Some(&same)).0, ChangeOutcome::Done, "revision 9 runs again");
}

#[test]
fn a_later_revision_with_a_different_instance_does_not_contain_the_change() {
    let completed = rollout(8, 9, State::Completed);
    let undone = SPEC.to_owned();
    let other = spec_with("voice", "3");
    let same_version =
        spec_with("voice", "2").replace("{colour: blue}", "{colour: blue, sip_port: \"5070\"}");
    let removed = SPEC.replace("  voice: \"1\"\n", "");
    for later in [&undone, &other, &same_version, &removed] {
        let expected = "failed: revision 9 of acme superseded 8 and undid or altered this change: voice on n2, voice on n3";
        assert_eq!(
            decided(&completed, Some(later)),
            (ChangeOutcome::Failed, expected.to_owned()),
            "{later}"
        );
    }
    let restored = rollout(9, 10, rolled_back());
    assert_eq!(decided(&restored, Some(&undone)).0, ChangeOutcome::Failed, "revision 9 runs again");
}

#[test]
fn only_the_nodes_with_differences_are_named() {
    let one = SPEC.replace("voice: \"1\"", "voice: {version: \"2\", nodes: [n2]}");
    let (outcome, sentence) = decided(&rollout(8, 9, State::Completed), Some(&one));
    assert_eq!(outcome, ChangeOutcome::Failed);
    assert!(sentence.ends_with("undid or altered this change: voice on n3"), "{sentence}");
}

#[test]
fn without_a_comparison_nothing_counts_as_contained() {
    let unknown = |verdict: &Verdict, why: Incomparable| {
        assert_eq!(verdict.holds(), Some(&Holds::Unknown(why)), "{verdict:?}");
        assert_eq!(verdict.outcome(), ChangeOutcome::Failed);
    };
    let completed = rollout(8, 9, State::Completed);
    unknown(&decision(Some(&completed), None), Incomparable::UnreadablePlan);
    let plan = plan_of(SPEC, 8).unwrap();
    let of_text =
        ChangeRef { revision: RevisionNumber(8), at: ACCEPTED, changes: &[], plan: Some(&plan) };
    unknown(&verdict(of_text, Some(&completed), Some(&plan)), Incomparable::TextOnly);
    let (_, sentence) = decided(&completed, None);
    let expected = "failed: revision 9 of acme superseded 8, and it is unknown whether it contains this change (the plan of one of them cannot be read); compare them with omlctl history tenant=acme";
    assert_eq!(sentence, expected);
}

#[test]
fn a_sentence_names_only_the_first_of_many_places() {
    let place = |n: usize| InstancePlace {
        node: format!("n{n}").parse().unwrap(),
        component: "voice".parse().unwrap(),
    };
    let holds = Holds::Altered((1..=7).map(place).collect());
    let verdict = Verdict::Superseded { by: RevisionNumber(9), holds };
    let tenant = "acme".parse().unwrap();
    let sentence = Sentence { verdict: &verdict, revision: RevisionNumber(8), tenant: &tenant };
    assert!(sentence.to_string().ends_with("voice on n5 and 2 more"), "{sentence}");
}

#[test]
fn only_a_rollout_that_ended_with_a_revision_everywhere_is_converged() {
    let table: BTreeMap<u64, State> =
        [(9, State::Completed), (7, rolled_back())].into_iter().collect();
    for (converged, state) in table {
        assert_eq!(converged_revision(&rollout(7, 9, state)), Some(RevisionNumber(converged)));
    }
    let why = failed();
    for state in [
        State::Progressing { wave: 1 },
        State::RollingBack { why },
        paused(PauseReason::Restored),
        State::Superseded,
    ] {
        assert_eq!(converged_revision(&rollout(7, 9, state)), None);
    }
}

#[test]
fn a_change_that_cannot_be_read_is_not_known_to_be_contained() {
    let (before, made) = (plan_of(SPEC, 7).unwrap(), plan_of(&spec_with("voice", "2"), 8).unwrap());
    let changes = diff(Some(&before), &made);
    let held = with_unreadable_voice(&made);
    for (made, now) in [(&held, &made), (&made, &held), (&held, &held)] {
        let change = ChangeRef {
            revision: RevisionNumber(8),
            at: ACCEPTED,
            changes: &changes,
            plan: Some(made),
        };
        let verdict = verdict(change, Some(&rollout(7, 9, State::Completed)), Some(now));
        assert_eq!(verdict.holds(), Some(&Holds::Unknown(Incomparable::NewerRelease)));
        assert_eq!(verdict.outcome(), ChangeOutcome::Failed);
    }
}
