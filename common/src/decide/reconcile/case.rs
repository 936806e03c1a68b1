//! The inputs and the result of `reconcile`, shared by its parts.

use std::collections::BTreeMap;

use crate::decide::observed::{ActiveState, Observed, ObservedInstance, ObservedUnit};
use crate::decide::step::Step;
use crate::document::assignment::{Assignment, Desired};
use crate::document::instance::Workload;
use crate::document::report::Phase;
use crate::document::update::{InstanceUpdate, LastGood, Stage, UnreadableUpdate};
use crate::id::{ComponentName, ContentHash};
use crate::time::Timestamp;

use super::reason::Reason;

/// The time for systemd and the engine beyond the limits of the instance itself.
pub(super) const START_MARGIN_MS: u64 = 10_000;

/// A supervisor creates a missing container within this time of its start.
const CREATION_MS_MAX: u64 = 10_000;

/// The input of `reconcile`.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The desired state of the node; without it nothing is done.
    pub assignment: Option<&'a Assignment>,
    /// The state that was found on the host.
    pub observed: &'a Observed,
    /// The updates that are in progress.
    pub updates: &'a BTreeMap<ComponentName, InstanceUpdate>,
    /// The updates whose stage only a later release can read.
    pub unreadable: &'a BTreeMap<ComponentName, UnreadableUpdate>,
    /// The steps that are being done at this moment.
    pub busy: &'a BTreeMap<ComponentName, Busy>,
    /// The host's clock.
    pub now: Timestamp,
}

/// A step that is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    pub step: Step,
    /// Bytes pulled and in all, for [`Step::Pull`].
    pub bytes: (u64, u64),
}

/// The state of an instance and its next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// For the report.
    pub phase: Phase,
    pub reason: Reason,
    /// The step to do now; none if the instance waits.
    pub step: Option<Step>,
    /// The repair or the start of the version in use, which is done beside the step or while it waits.
    pub beside: Option<Step>,
    /// The time of the next decision if nothing changes before.
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    /// Returns true if something is to be done on the host.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.step.is_some() || self.beside.is_some()
    }

    pub(super) fn wait(phase: Phase, reason: Reason) -> Self {
        Self { phase, reason, step: None, beside: None, wake_at: None }
    }

    pub(super) fn act(phase: Phase, step: Step, reason: Reason) -> Self {
        Self { phase, reason, step: Some(step), beside: None, wake_at: None }
    }

    /// Fails the change for that reason.
    pub(super) fn fail(phase: Phase, reason: Reason) -> Self {
        Self::act(phase, Step::Fail { why: Box::new(reason.clone()) }, reason)
    }

    pub(super) fn until(mut self, at: Timestamp) -> Self {
        self.wake_at = Some(at);
        self
    }
}

/// One instance with its inputs.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) desired: &'a Desired,
    /// Identity of the desired workload.
    pub(super) desired_hash: &'a ContentHash,
    pub(super) seen: &'a ObservedInstance,
    /// The update towards that desired workload; one towards another workload is left out.
    pub(super) update: Option<&'a InstanceUpdate>,
    pub(super) input: Input<'a>,
}

impl<'a> Case<'a> {
    /// Returns true if the host is set up for the desired workload.
    pub(super) fn is_set_up(self) -> bool {
        is_set_up_for(self.seen, self.desired_hash, &self.desired.instance.workload)
    }

    /// Returns true if the document of the instance is on the disk as it should be.
    pub(super) fn document_is_current(self) -> bool {
        let desired = self.desired.instance.hash();
        let document = self.seen.document.as_ref();
        document.is_some_and(|document| document.on_disk && document.hash == *desired)
    }

    /// Returns true if something was stopped for the change and its end is not recorded.
    pub(super) fn is_under_way(self) -> bool {
        self.update.is_some_and(|update| match update.stage {
            Stage::Switching { .. } | Stage::Soaking { .. } | Stage::Failed { .. } => true,
            Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Committed { .. }
            | Stage::RolledBack { .. } => false,
        })
    }

    /// The last good workload, where it is another than the desired workload.
    pub(super) fn returns_to(self) -> Option<&'a ContentHash> {
        self.update.and_then(InstanceUpdate::returns_to)
    }

    /// Returns true if the version before cannot read what a version after it may have written, so that
    /// it must not be started again.
    pub(super) fn has_no_way_back(self) -> bool {
        let may_have_written = self.update.is_some_and(InstanceUpdate::may_have_written);
        self.desired.policy.forward_only && may_have_written
    }

    /// Returns the commit step. It keeps the last good workload, which may be needed until the
    /// commit is recorded.
    pub(super) fn commit(self) -> Step {
        Step::Commit { previous: self.returns_to().cloned() }
    }

    /// Returns true if the rollback to the last good workload failed.
    pub(super) fn previous_failed(self) -> bool {
        self.update.is_some_and(|update| matches!(update.last_good, LastGood::PreviousFailed(_)))
    }

    /// Returns true if the desired workload failed, so that it is known to be bad, whether or
    /// not the last good one can run again.
    pub(super) fn has_failed(self) -> bool {
        self.update.is_some_and(|update| update.failure().is_some())
    }

    /// Returns true if the step is done before any program starts: the image is still pulled, or
    /// the container still created.
    pub(super) fn has_started_nothing(self, step: &Step) -> bool {
        let lacks = |hash| self.is_container() && self.seen.container(hash).is_none();
        match step {
            Step::Pull | Step::Create => true,
            Step::Switch { .. } => lacks(self.desired_hash),
            Step::RollBack { previous, runs } => !runs && lacks(previous),
            Step::Start => self.lacks_container(),
            Step::Soak
            | Step::Fail { .. }
            | Step::RunOnce { .. }
            | Step::CountActive
            | Step::RevertDocument { .. }
            | Step::Repair { .. }
            | Step::RewriteConfig
            | Step::Reload { .. }
            | Step::ReplaceSupervisor
            | Step::StopContainer
            | Step::Promote
            | Step::Commit { .. }
            | Step::Remove { .. } => false,
        }
    }

    /// Returns true if the container of the document, from which the unit starts, does not exist.
    pub(super) fn lacks_container(self) -> bool {
        let document = self.seen.document.as_ref();
        let lacks = document.is_some_and(|it| self.seen.container(&it.workload).is_none());
        self.is_container() && lacks
    }

    /// Returns true if a start that we did not make waits for its container, most often because
    /// its image is missing: a supervisor creates containers, but does not pull.
    pub(super) fn waits_for_image(self, unit: &ObservedUnit) -> bool {
        let age_ms = self.input.now.since_ms(unit.since);
        self.lacks_container()
            && unit.active == ActiveState::Activating
            && (unit.restarts > 0 || age_ms >= CREATION_MS_MAX)
    }

    /// Decides again when a start that still lacks its container counts as waiting for its image.
    pub(super) fn until_created(self, unit: &ObservedUnit, decision: Decision) -> Decision {
        let at = unit.since.plus_ms(CREATION_MS_MAX);
        let is_begun = self.lacks_container() && unit.active == ActiveState::Activating;
        if is_begun && at > self.input.now { decision.until(at) } else { decision }
    }

    pub(super) fn is_container(self) -> bool {
        self.desired.instance.container().is_some()
    }

    /// Returns true if the running container is that of the desired workload, and for every
    /// packaged unit.
    pub(super) fn runs_desired(self) -> bool {
        !self.is_container() || self.seen.running().is_some_and(|c| &c.hash == self.desired_hash)
    }

    /// Returns true if the desired workload runs because of a superseded change, so that its
    /// soak has not finished.
    pub(super) fn needs_soak(self) -> bool {
        !self.soaked_before()
            && self.seen.unit.as_ref().is_some_and(is_active)
            && self.runs_desired()
    }

    /// Returns true if the desired workload finished its soak before this change.
    pub(super) fn soaked_before(self) -> bool {
        match self.update.map(|update| &update.last_good) {
            Some(LastGood::Previous(hash) | LastGood::PreviousFailed(hash)) => {
                hash == self.desired_hash
            }
            Some(LastGood::None) => false,
            Some(LastGood::Current) | None => true,
        }
    }
}

/// Returns true if the host is already set up for this workload. For a container this is the
/// instance document, unless another container still runs; for a packaged unit, our drop-in.
pub(in crate::decide) fn is_set_up_for(
    seen: &ObservedInstance,
    desired_hash: &ContentHash,
    workload: &Workload,
) -> bool {
    match workload {
        Workload::Container(_) => {
            seen.has_document_of(desired_hash)
                && seen.running().is_none_or(|container| &container.hash == desired_hash)
        }
        // A file that was lost, or only has to be written or read again, is no reason for a restart.
        Workload::Unit(_) => {
            seen.unit.as_ref().is_some_and(|unit| match (&seen.seen_running, &seen.document) {
                (Some(workload), _) => workload == desired_hash,
                (None, Some(document)) => &document.workload == desired_hash,
                (None, None) => unit.hash.is_some() && !unit.stale,
            })
        }
    }
}

pub(super) fn is_active(unit: &ObservedUnit) -> bool {
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => true,
        ActiveState::Inactive
        | ActiveState::Activating
        | ActiveState::Deactivating
        | ActiveState::Failed => false,
    }
}
