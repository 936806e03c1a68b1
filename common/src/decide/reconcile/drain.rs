//! Decides the drain: calls are counted and waited for before the version that carries them
//! is stopped.

use crate::decide::observed::ObservedInstance;
use crate::decide::step::Step;
use crate::document::assignment::{ChangePolicy, OnDeadline};
use crate::document::instance::{ActiveProbe, Counting};
use crate::document::report::Phase;
use crate::document::update::{Count, InstanceUpdate, Stage};
use crate::time::Timestamp;

use super::case::{Case, Decision};
use super::reason::{CallCount, Reason};

/// The time from one count to the next during a drain.
const COUNT_INTERVAL_MS: u64 = 1_000;
/// The age from which a count is too old to act on: longer than a look at a host takes of which a
/// part does not answer. A stop after a count of 0 counts once more.
const COUNT_AGE_MS_MAX: u64 = 30_000;

/// The facts that decide whether a stop may cut calls.
#[derive(Clone, Copy)]
pub(super) struct Drain<'a> {
    pub(super) seen: &'a ObservedInstance,
    /// The way in which the calls of the running version are counted; none if it has no calls.
    pub(super) probe: Option<&'a ActiveProbe>,
    /// The operator's policy; without one the wait has no deadline.
    pub(super) policy: Option<&'a ChangePolicy>,
    pub(super) update: Option<&'a InstanceUpdate>,
    pub(super) now: Timestamp,
}

/// Whether the running version may be stopped.
pub(super) enum Drained {
    /// The stop may happen now. It cuts that many calls; none if they cannot be counted.
    Passed {
        calls_cut: Option<u64>,
        /// Whether calls are counted once more just before the stop.
        recount: bool,
    },
    /// The stop must wait, or the change is given up.
    Waits(Decision),
}

impl<'a> Drain<'a> {
    /// Returns the drain before the stop that a change needs.
    pub(super) fn of(case: Case<'a>) -> Self {
        let desired = case.desired;
        Self {
            seen: case.seen,
            probe: case.seen.counting.probe().or(desired.instance.active.as_ref()),
            policy: Some(&desired.policy),
            update: case.update,
            now: case.input.now,
        }
    }

    /// Returns the end of the wait.
    pub(super) fn deadline(self) -> Timestamp {
        let since = self.update.and_then(|update| update.stage.drained_since());
        let since = since.unwrap_or(self.now);
        since.plus_ms(self.policy.map_or(u64::MAX, |policy| policy.drain_deadline_ms))
    }

    /// Returns true if a stop may cut calls.
    pub(super) fn is_needed(self) -> bool {
        let counts = self.probe.is_some() || self.seen.counting == Counting::Unknown;
        counts && self.seen.running().is_some() && !self.seen.never_answered()
    }

    fn count(self) -> Option<&'a Count> {
        match self.update.map(|update| &update.stage) {
            Some(Stage::Draining { count, .. }) => count.as_ref(),
            Some(_) | None => None,
        }
    }

    /// Decides whether to count, to wait, to stop or to give up.
    pub(super) fn decide(self) -> Drained {
        if !self.is_needed() {
            return Drained::Passed { calls_cut: Some(0), recount: false };
        }
        let now = self.now;
        let deadline = self.deadline();
        let phase = Phase::Draining { deadline };
        let recent = |count: &&Count| count.at <= now && now.since_ms(count.at) <= COUNT_AGE_MS_MAX;
        let Some(count) = self.count().filter(recent) else {
            return Drained::Waits(Decision::act(phase, Step::CountActive, self.reason()));
        };
        if count.active == Some(0) {
            return Drained::Passed { calls_cut: Some(0), recount: true };
        }
        if now >= deadline {
            match self.on_deadline() {
                OnDeadline::Cut => {
                    return Drained::Passed { calls_cut: count.active, recount: false };
                }
                OnDeadline::Abort => {
                    let still = self.reason();
                    let why = Reason::NotBegun { calls: Box::new(still.clone()) };
                    let step = Step::Fail { why: Box::new(why) };
                    return Drained::Waits(Decision::act(Phase::Pending, step, still));
                }
                OnDeadline::Wait => {}
            }
        }
        let next = count.at.plus_ms(COUNT_INTERVAL_MS);
        Drained::Waits(if now >= next {
            Decision::act(phase, Step::CountActive, self.reason())
        } else {
            let wake_at = if now < deadline { next.min(deadline) } else { next };
            Decision::wait(phase, self.reason()).until(wake_at)
        })
    }

    fn on_deadline(self) -> OnDeadline {
        self.policy.map_or(OnDeadline::Wait, |policy| policy.on_deadline)
    }

    /// Returns the last count as a reason.
    pub(super) fn reason(self) -> Reason {
        let count = match self.count() {
            None => CallCount::Asked,
            Some(Count { active: Some(active), .. }) => CallCount::Up(*active),
            Some(Count { unreadable, .. }) => CallCount::Unreadable(unreadable.clone()),
        };
        Reason::Draining {
            noun: self.probe.map_or("calls", |probe| &probe.noun).to_owned(),
            count,
            is_overdue: self.now >= self.deadline() && self.on_deadline() == OnDeadline::Wait,
        }
    }
}
