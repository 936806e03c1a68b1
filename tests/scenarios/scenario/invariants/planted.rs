//! Made-up histories, which test that each invariant is noticed when it is broken.

use oml_common::document::assignment::{ChangePolicy, OnDeadline};
use oml_common::document::report::Phase;
use oml_common::document::rollout::{FailureSummary, Rollout, State};
use oml_common::id::{ComponentName, NodeName, RevisionNumber};
use oml_common::time::Timestamp;
use oml_proto::v1;
use oml_proto::v1::ChangeOutcome;

use super::cut::{Cuts, Stop};
use super::strangers::{self, Strangers};
use crate::scenario::change_watch::{self, Heard};

/// An invariant, with its results for histories that keep it and for some that break it.
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) kept: Vec<Result<(), String>>,
    pub(crate) broken: Vec<Result<(), String>>,
}

/// One history of each kind.
pub(crate) fn histories() -> [Planted; 3] {
    [calls_are_not_cut_early(), strangers_stay_as_they_are(), a_watch_reports_the_end()]
}

fn instance() -> (NodeName, ComponentName) {
    ("acme-voice".parse().expect("a name"), "asterisk".parse().expect("a name"))
}

/// A stop at a second after a drain began, with a deadline of a minute.
fn stopped(on_deadline: OnDeadline, at_s: u64, act: impl FnOnce(&mut Cuts)) -> Result<(), String> {
    let mut cuts = Cuts::default();
    let (node, component) = instance();
    let forward_only = false;
    let policy =
        ChangePolicy { soak_ms: 30_000, drain_deadline_ms: 60_000, on_deadline, forward_only };
    cuts.see_policy(&node, &component, policy);
    let deadline = Timestamp(60_000);
    cuts.see_phase(&node, &component, Phase::Draining { deadline }, Timestamp(0));
    act(&mut cuts);
    cuts.check(&Stop {
        node,
        component: component.to_string(),
        container: "c1".to_owned(),
        calls: 12,
        at: Timestamp(at_s * 1_000),
    })
}

fn calls_are_not_cut_early() -> Planted {
    let (node, component) = instance();
    let drained_at_60 = |cuts: &mut Cuts| {
        cuts.see_phase(&node, &component, Phase::Starting, Timestamp(60_000));
    };
    Planted {
        name: "calls are not cut early",
        kept: vec![
            stopped(OnDeadline::Cut, 61, |_| {}),
            stopped(OnDeadline::Cut, 61, drained_at_60),
            stopped(OnDeadline::Wait, 5, |cuts| cuts.excuse(&node, "c1")),
        ],
        broken: vec![
            stopped(OnDeadline::Cut, 30, |_| {}),
            stopped(OnDeadline::Cut, 120, drained_at_60),
            stopped(OnDeadline::Wait, 61, |_| {}),
            stopped(OnDeadline::Abort, 61, |_| {}),
            stopped(OnDeadline::Wait, 61, |cuts| cuts.excuse(&node, "c2")),
        ],
    }
}

fn strangers_stay_as_they_are() -> Planted {
    let of = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned()));
        Strangers(pairs.collect())
    };
    let before = of(&[("container customer-database", "up"), ("unit customer.service", "text")]);
    let more = of(&[
        ("container customer-database", "up"),
        ("container another", "up"),
        ("unit customer.service", "text"),
    ]);
    let stopped =
        of(&[("container customer-database", "exited"), ("unit customer.service", "text")]);
    let rewritten = of(&[("container customer-database", "up"), ("unit customer.service", "ours")]);
    let removed = of(&[("unit customer.service", "text")]);
    Planted {
        name: "strangers stay as they are",
        kept: vec![strangers::check(&before, &before), strangers::check(&before, &more)],
        broken: [stopped, rewritten, removed]
            .iter()
            .map(|after| strangers::check(&before, after))
            .collect(),
    }
}

fn a_watch_reports_the_end() -> Planted {
    let rollout = |state: State| Rollout {
        from: Some(RevisionNumber(1)),
        to: RevisionNumber(2),
        waves: Vec::new(),
        state,
        since: Timestamp(0),
        failures: Vec::new(),
        moved: [].into(),
        inherited: [].into(),
    };
    let heard = |outcome: ChangeOutcome, in_effect: u64, end| Heard {
        verdict: Some(v1::Verdict { outcome: outcome.into(), in_effect, ..Default::default() }),
        end,
    };
    let second = |heard: Heard, state: State| {
        change_watch::check(RevisionNumber(2), &heard, &rollout(state))
    };
    let first = |heard: Heard, state: State| {
        change_watch::check(RevisionNumber(1), &heard, &rollout(state))
    };
    let (waits, ended) = (heard(ChangeOutcome::Waiting, 0, None), Some(Ok(())));
    let progressing = State::Progressing { wave: 0 };
    let rolled_back = State::RolledBack { why: FailureSummary { named: Vec::new(), more: 0 } };
    Planted {
        name: "the watch of a change reports its end",
        kept: vec![
            second(waits.clone(), progressing.clone()),
            second(heard(ChangeOutcome::Done, 2, ended.clone()), State::Completed),
            second(heard(ChangeOutcome::RolledBack, 1, ended.clone()), rolled_back.clone()),
            first(heard(ChangeOutcome::Done, 1, ended.clone()), progressing.clone()),
            first(waits.clone(), progressing.clone()),
        ],
        broken: vec![
            second(Heard::default(), progressing.clone()),
            second(waits.clone(), State::Completed),
            second(heard(ChangeOutcome::Done, 2, None), State::Completed),
            second(heard(ChangeOutcome::Done, 1, ended.clone()), State::Completed),
            second(heard(ChangeOutcome::Done, 1, ended.clone()), rolled_back),
            second(heard(ChangeOutcome::Done, 2, ended), progressing),
            first(waits, State::Completed),
        ],
    }
}
