//! Made-up histories, which test that each invariant is noticed when it is broken.

use oml_common::document::assignment::{ChangePolicy, OnDeadline};
use oml_common::document::report::Phase;
use oml_common::id::{ComponentName, NodeName};
use oml_common::time::Timestamp;

use super::cut::{Cuts, Stop};
use super::strangers::{self, Strangers};

/// An invariant, with its results for histories that keep it and for some that break it.
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) kept: Vec<Result<(), String>>,
    pub(crate) broken: Vec<Result<(), String>>,
}

/// One history of each kind.
pub(crate) fn histories() -> [Planted; 2] {
    [calls_are_not_cut_early(), strangers_stay_as_they_are()]
}

fn instance() -> (NodeName, ComponentName) {
    ("acme-voice".parse().expect("a name"), "asterisk".parse().expect("a name"))
}

/// A stop at a second after a drain began, with a deadline of a minute.
fn stopped(on_deadline: OnDeadline, at_s: u64, act: impl FnOnce(&mut Cuts)) -> Result<(), String> {
    let mut cuts = Cuts::default();
    let (node, component) = instance();
    let policy = ChangePolicy { soak_ms: 30_000, drain_deadline_ms: 60_000, on_deadline };
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
