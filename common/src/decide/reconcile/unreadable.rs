//! Decides for an instance whose document or update only a later release can read. No change is
//! begun, but a version must be running.

use crate::decide::observed::{ActiveState, ObservedInstance, ObservedUnit};
use crate::decide::step::Step;
use crate::document::report::Phase;
use crate::document::update::{InstanceUpdate, LastGood, Stage};
use crate::id::{ComponentName, ContentHash};
use crate::time::Timestamp;

use super::case::{Decision, Input, is_active};
use super::maintain;
use super::reason::{Meanwhile, Reason};

/// Decides for such an instance. An interrupted update continues only until the last good
/// version, or the version that was started last, is running.
pub(super) fn decide_unreadable(name: &ComponentName, why: &str, input: Input<'_>) -> Decision {
    let newer = |meanwhile| Reason::NeedsNewerAgent { why: why.to_owned(), meanwhile };
    let wait = Decision::wait(Phase::Blocked, newer(None));
    let Some(seen) = input.observed.instances.get(name) else { return wait };
    let Some(unit) = seen.unit.as_ref().filter(|unit| unit.hash.is_some()) else { return wait };
    let is_ours_to_start = seen.foreign.is_none() && !unit.masked && !unit.counts_as_stopped();
    if !is_ours_to_start || input.busy.contains_key(name) {
        return wait;
    }
    let update = input.updates.get(name);
    let backoff = update.and_then(|update| update.backoff.as_ref());
    if let Some(backoff) = backoff.filter(|backoff| backoff.retry_at > input.now) {
        let retrying = Meanwhile::Retrying(Box::new(Reason::retrying(backoff, 0)));
        return Decision::wait(Phase::Blocked, newer(Some(retrying))).until(backoff.retry_at);
    }
    match (Unreadable { seen, unit, update }).next(input.now) {
        Next::Nothing => wait,
        Next::Act(step, why) => Decision::act(Phase::Blocked, step, newer(Some(why))),
        Next::Later(at) => wait.until(at),
    }
}

/// What is known of an instance that needs a newer agent.
#[derive(Clone, Copy)]
struct Unreadable<'a> {
    seen: &'a ObservedInstance,
    unit: &'a ObservedUnit,
    /// The update that was on its way when the document came.
    update: Option<&'a InstanceUpdate>,
}

enum Next {
    /// The running version is left as it is.
    Nothing,
    Act(Step, Meanwhile),
    /// Nothing runs, and it is too early to start it again.
    Later(Timestamp),
}

impl Unreadable<'_> {
    fn next(self, now: Timestamp) -> Next {
        if let Some(running) = self.runs_by_another_document() {
            let step = Step::RevertDocument { running: running.clone() };
            return Next::Act(step, Meanwhile::NeverStopped);
        }
        let last_good = self.last_good().filter(|hash| !self.seen.has_document_of(hash));
        if let Some(previous) = last_good.filter(|_| self.needs_last_good()) {
            let step = Step::RollBack { previous: previous.clone(), runs: false };
            return Next::Act(step, Meanwhile::LastGood);
        }
        let is_on_disk = self.seen.document.as_ref().is_some_and(|document| document.on_disk);
        // Its supervisor finds a container that runs and holds it again, if it is the right one.
        let is_another =
            self.seen.running().is_some_and(|running| !self.seen.has_document_of(&running.hash));
        if !self.is_down() || is_another || self.has_failed() || !is_on_disk {
            return Next::Nothing;
        }
        match maintain::paused_until(self.unit, now) {
            Some(at) => Next::Later(at),
            None => Next::Act(Step::Start, Meanwhile::StartAgain),
        }
    }

    /// Returns the running workload if the document was changed for a stop that never happened.
    /// If its program ended, the supervisor would start a version that may not start.
    fn runs_by_another_document(&self) -> Option<&ContentHash> {
        let was_begun = self.update.is_some_and(|update| update.last_good != LastGood::Current);
        let running = &self.seen.running()?.hash;
        (was_begun && is_active(self.unit) && !self.seen.has_document_of(running))
            .then_some(running)
    }

    /// Returns true if the version of the last switch is not running, does not start, or failed.
    fn needs_last_good(&self) -> bool {
        let never_comes_up = self.unit.keeps_failing()
            && (self.seen.running().is_none() || self.seen.never_answered());
        let rests = self.is_down() && self.seen.running().is_none();
        rests || never_comes_up || self.has_failed()
    }

    /// Returns the last good version, unless the rollback to it failed.
    fn last_good(&self) -> Option<&ContentHash> {
        match &self.update?.last_good {
            LastGood::Previous(hash) => Some(hash),
            LastGood::PreviousFailed(_) | LastGood::Current | LastGood::None => None,
        }
    }

    /// Returns true if the workload of the current document is known to have failed.
    fn has_failed(&self) -> bool {
        self.update.is_some_and(|update| match (&update.stage, update.last_good.previous()) {
            (Stage::Failed { .. }, Some(previous)) => !self.seen.has_document_of(previous),
            (Stage::Failed { .. }, None) => true,
            (
                Stage::Preparing
                | Stage::Draining { .. }
                | Stage::Switching { .. }
                | Stage::Soaking { .. }
                | Stage::Committed { .. }
                | Stage::RolledBack { .. },
                _,
            ) => false,
        })
    }

    fn is_down(&self) -> bool {
        matches!(self.unit.active, ActiveState::Inactive | ActiveState::Failed)
    }
}
