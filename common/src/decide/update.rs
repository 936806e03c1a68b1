//! The update of an instance to another workload: the state that neither the engine nor
//! systemd has, so the agent keeps it on disk.

use std::collections::BTreeMap;

use crate::decide::step::Step;
use crate::document::assignment::Assignment;
use crate::document::report::Failure;
use crate::document::update::{Backoff, Count, InstanceUpdate, LastGood, ReloadStage, Stage};
use crate::id::{ComponentName, ContentHash, Version};
use crate::time::Timestamp;

mod last_good;
mod many;
mod outcome;
mod progress;
mod reload;

pub use self::many::{align, align_unreadable, ask_again, restart_timers, retry_now, shift};
pub use self::outcome::{Counted, NotDone, Outcome};
pub use self::progress::{Doing, begin, finish, finish_beside};

const RETRY_FIRST_MS: u64 = 1_000;
const RETRY_LONGEST_MS: u64 = 60_000;
/// A change fails after so many refusals, which takes at least a minute with the pauses.
const REFUSALS_MAX: u32 = 7;

impl InstanceUpdate {
    /// Creates an update that has not begun.
    #[must_use]
    pub fn new(desired_hash: ContentHash) -> Self {
        Self {
            desired_hash,
            last_good: LastGood::Current,
            has_answered: false,
            stage: Stage::Preparing,
            backoff: None,
            revival: None,
            reload: None,
        }
    }

    /// Returns true if the update equals one that has not begun.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.stage == Stage::Preparing
            && self.last_good == LastGood::Current
            && !self.has_answered
            && self.backoff.is_none()
            && self.revival.is_none()
            && self.reload.is_none()
    }

    /// Returns the update after a step has begun. It is saved before the step acts.
    #[must_use]
    pub fn entering(mut self, step: &Step, now: Timestamp) -> Self {
        match step {
            Step::Switch { previous, calls_cut, .. } => {
                let drained_since = self.stage.drained_since();
                let calls_cut = *calls_cut;
                self.has_answered = self.may_have_written();
                self.stage = Stage::Switching { since: now, calls_cut, drained_since };
                match previous {
                    // The cause of an earlier failure to start may have passed, so it is tried again.
                    Some(hash) => self.last_good = LastGood::Previous(hash.clone()),
                    // The desired workload is the last good one itself, and stays that.
                    None if self.last_good.previous() == Some(&self.desired_hash) => {}
                    None => self.last_good = LastGood::None,
                }
            }
            Step::Reload { was_healthy, .. } => {
                self.reload = Some(ReloadStage::Begun { was_healthy: *was_healthy });
            }
            Step::CountActive => match &self.stage {
                // Calls may have come since, if the switch was interrupted before the stop.
                Stage::Preparing
                | Stage::Switching { .. }
                | Stage::Committed { .. }
                | Stage::RolledBack { .. } => {
                    let since = self.stage.drained_since().unwrap_or(now);
                    self.stage = Stage::Draining { since, count: None };
                }
                Stage::Draining { .. } | Stage::Soaking { .. } | Stage::Failed { .. } => {}
            },
            Step::Remove { .. }
            | Step::Pull
            | Step::Create
            | Step::RunOnce { .. }
            | Step::RevertDocument { .. }
            | Step::Repair { .. }
            | Step::Soak
            | Step::Fail { .. }
            | Step::RollBack { .. }
            | Step::Commit { .. }
            | Step::Start
            | Step::RewriteConfig
            | Step::ReplaceSupervisor
            | Step::StopContainer
            | Step::Promote => {}
        }
        self
    }

    /// Returns the update after a step has ended.
    #[must_use]
    pub fn after(mut self, step: &Step, outcome: Outcome, now: Timestamp) -> Self {
        match outcome {
            Outcome::Retry(why) => {
                self.backoff = Some(Backoff::next(self.backoff.as_ref(), &why, now));
                return self;
            }
            Outcome::Refused(why) => {
                let next = Backoff::next(self.backoff.as_ref(), &why, now);
                let refusals = next.refusals.saturating_add(1);
                let next = Backoff { refusals, ..next };
                if matches!(step, Step::RollBack { .. })
                    && next.is_final()
                    && self.awaits_rollback()
                {
                    return self.without_rollback(next, now);
                }
                self.backoff = Some(next);
                return self;
            }
            Outcome::Failed(failure) => {
                let is_rollback = matches!(step, Step::RollBack { .. });
                // The failure of a version that only runs in the meantime is not that of the desired one.
                if !(is_rollback && self.is_preparing()) {
                    self.has_answered = self.may_have_written();
                    self.stage = self.stage.failed(failure);
                }
                if is_rollback {
                    self.last_good = self.last_good.after_failed_rollback();
                }
            }
            Outcome::Counted(counted) => {
                // A switch that was not begun goes back to its drain, whose deadline stays.
                if let Some(since) = self.stage.drained_since() {
                    let count = Some(Count::new(counted, now));
                    self.stage = Stage::Draining { since, count };
                }
            }
            Outcome::Done if *step == Step::Soak && self.is_preparing() => {
                self.stage = Stage::Soaking { since: now, calls_cut: Some(0) };
            }
            Outcome::Done => {
                self.stage = self.stage.after(step, now);
                if matches!(step, Step::RollBack { .. }) {
                    self.last_good = self.last_good.after_rollback();
                    self.has_answered = false;
                }
            }
        }
        if matches!(self.stage, Stage::Committed { .. }) {
            self.last_good = LastGood::Current;
            self.has_answered = false;
        }
        self.backoff = None;
        self
    }

    /// Returns true if nothing but a rollback, which has not failed yet, is done now.
    fn awaits_rollback(&self) -> bool {
        let waits = self.is_preparing() || matches!(self.stage, Stage::Failed { .. });
        waits && matches!(self.last_good, LastGood::Previous(_))
    }

    /// Returns the update after the rollback was refused too often. A change goes on without it;
    /// after a failed one it is still tried, because somebody may mend the cause.
    fn without_rollback(mut self, refused: Backoff, now: Timestamp) -> Self {
        let is_failed = matches!(self.stage, Stage::Failed { .. });
        if is_failed {
            let hash = self.desired_hash.clone();
            let failure = given_up(hash, None, refused.message.clone(), now);
            self.stage = self.stage.failed(failure);
        }
        self.last_good = self.last_good.after_failed_rollback();
        self.backoff = is_failed.then_some(refused);
        self
    }

    /// Returns the update after the version in use was put right or started beside the change. Every
    /// such step makes the pause before the next one longer, also one that was done: the version has
    /// ended, or was changed by hand, again if another is needed.
    #[must_use]
    pub fn after_beside(mut self, outcome: Outcome, now: Timestamp) -> Self {
        let why = match outcome {
            Outcome::Done | Outcome::Counted(_) => NotDone::HostError(String::new()),
            Outcome::Retry(why) | Outcome::Refused(why) => why,
            Outcome::Failed(failure) => {
                self.last_good = self.last_good.after_failed_rollback();
                NotDone::HostError(failure.message)
            }
        };
        self.revival = Some(Backoff::next(self.revival.as_ref(), &why, now));
        self
    }

    /// Returns true if there is a workload to roll back to that has not failed.
    fn is_rolling_back(&self) -> bool {
        self.returns_to().is_some() && matches!(self.last_good, LastGood::Previous(_))
    }

    fn is_preparing(&self) -> bool {
        matches!(self.stage, Stage::Preparing | Stage::Draining { .. })
    }

    /// Returns the update towards another workload that supersedes this one; none if the last
    /// good workload is running.
    fn superseded(&self, desired_hash: ContentHash) -> Option<Self> {
        let (last_good, has_answered) = (self.last_good.clone(), self.may_have_written());
        let is_under_way = last_good != LastGood::Current;
        is_under_way.then(|| Self { last_good, has_answered, ..Self::new(desired_hash) })
    }

    /// Returns true if the desired workload is the last good one, also after another one was rolled back
    /// to it, and nothing is being switched.
    #[must_use]
    pub fn desires_last_good(&self) -> bool {
        let is_switching = matches!(self.stage, Stage::Switching { .. } | Stage::Soaking { .. });
        match &self.last_good {
            LastGood::Current => true,
            LastGood::Previous(hash) => *hash == self.desired_hash && !is_switching,
            LastGood::PreviousFailed(_) | LastGood::None => false,
        }
    }

    /// Returns the workload that was started again after the desired one failed.
    #[must_use]
    pub fn rolled_back_to(&self) -> Option<&ContentHash> {
        self.last_good.previous().filter(|_| matches!(self.stage, Stage::RolledBack { .. }))
    }

    /// Returns the failure of the update, if it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.stage {
            Stage::Failed { failure, .. } | Stage::RolledBack { failure, .. } => Some(failure),
            Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Switching { .. }
            | Stage::Soaking { .. }
            | Stage::Committed { .. } => None,
        }
    }

    /// Returns the number of calls that our own stop cut; none if they could not be counted.
    #[must_use]
    pub fn calls_cut(&self) -> Option<u64> {
        match self.stage {
            Stage::Switching { calls_cut, .. }
            | Stage::Soaking { calls_cut, .. }
            | Stage::Committed { calls_cut }
            | Stage::Failed { calls_cut, .. }
            | Stage::RolledBack { calls_cut, .. } => calls_cut,
            Stage::Preparing | Stage::Draining { .. } => Some(0),
        }
    }
}

impl Count {
    fn new(counted: Counted, at: Timestamp) -> Self {
        match counted {
            Ok(active) => Self { active: Some(active), unreadable: String::new(), at },
            Err(unreadable) => Self { active: None, unreadable, at },
        }
    }
}

impl Stage {
    /// Returns when the drain began that the stage belongs to, if there is one.
    pub(in crate::decide) fn drained_since(&self) -> Option<Timestamp> {
        match self {
            Stage::Draining { since, .. } => Some(*since),
            Stage::Switching { drained_since, .. } => *drained_since,
            Stage::Preparing
            | Stage::Soaking { .. }
            | Stage::Committed { .. }
            | Stage::Failed { .. }
            | Stage::RolledBack { .. } => None,
        }
    }

    /// Returns when the start began that the stage waits for or judges.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        match self {
            Stage::Switching { since, .. } => Some(*since),
            // The program answered before its soak began, and its last start may be a later one.
            Stage::Soaking { .. } | Stage::Committed { .. } | Stage::Failed { .. } => {
                Some(Timestamp(0))
            }
            Stage::Preparing | Stage::Draining { .. } | Stage::RolledBack { .. } => None,
        }
    }

    fn after(self, step: &Step, now: Timestamp) -> Self {
        match (step, self) {
            (Step::Switch { .. } | Step::Soak, Stage::Switching { calls_cut, .. })
            | (Step::Soak, Stage::Soaking { calls_cut, .. }) => {
                Stage::Soaking { since: now, calls_cut }
            }
            (
                Step::Commit { .. },
                Stage::Soaking { calls_cut, .. } | Stage::Failed { calls_cut, .. },
            ) => Stage::Committed { calls_cut },
            (Step::RollBack { .. }, Stage::Failed { failure, calls_cut }) => {
                Stage::RolledBack { failure, calls_cut }
            }
            (_, stage) => stage,
        }
    }

    fn failed(self, failure: Failure) -> Self {
        match self {
            Stage::Switching { calls_cut, .. } | Stage::Soaking { calls_cut, .. } => {
                Stage::Failed { failure, calls_cut }
            }
            // Before the switch nothing was stopped, so there is nothing to roll back.
            Stage::Preparing | Stage::Draining { .. } => {
                Stage::RolledBack { failure, calls_cut: Some(0) }
            }
            Stage::Failed { failure: first, calls_cut } => {
                let message =
                    format!("{}; the rollback failed too: {}", first.message, failure.message);
                Stage::Failed { failure: Failure { message, ..first }, calls_cut }
            }
            kept @ (Stage::Committed { .. } | Stage::RolledBack { .. }) => kept,
        }
    }
}

impl Backoff {
    fn next(before: Option<&Backoff>, why: &NotDone, now: Timestamp) -> Self {
        let failures = before.map_or(0, |backoff| backoff.failures).saturating_add(1);
        let doublings = failures.saturating_sub(1).min(20);
        let pause_ms = (RETRY_FIRST_MS << doublings).min(RETRY_LONGEST_MS);
        let refusals = before.map_or(0, |backoff| backoff.refusals);
        let (message, about) = (why.to_string(), why.about());
        Self { message, about, failures, refusals, retry_at: now.plus_ms(pause_ms) }
    }

    /// Returns true if it was refused so often that a change fails.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.refusals >= REFUSALS_MAX
    }
}

/// Returns the hash that stands for the desired workload of a removal.
#[must_use]
pub fn nothing() -> ContentHash {
    ContentHash::of(b"")
}

/// Returns the workload that a component's update is towards, which is that of the assignment.
/// If only a newer agent can read the assignment's, the update keeps its own.
#[must_use]
pub fn desired_hash(
    assignment: Option<&Assignment>,
    updates: &BTreeMap<ComponentName, InstanceUpdate>,
    component: &ComponentName,
) -> ContentHash {
    let Some(share) = assignment.map(|assignment| &assignment.content.share) else {
        return nothing();
    };
    let held = updates.get(component).filter(|_| share.unreadable.contains_key(component));
    match (share.instances.get(component), held) {
        (Some(desired), _) => desired.instance.workload_hash(),
        (None, Some(update)) => update.desired_hash.clone(),
        (None, None) => nothing(),
    }
}

/// Returns a failure without an exit code or log lines.
#[must_use]
pub fn given_up(
    desired_hash: ContentHash,
    version: Option<Version>,
    message: String,
    at: Timestamp,
) -> Failure {
    Failure { hash: desired_hash, version, at, message, exit_code: None, log_tail: Vec::new() }
}
