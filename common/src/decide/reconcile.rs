//! `reconcile`: what the host should run, against what was found, gives the
//! next step of every instance, each with its reason.
//!
//! One step per instance and pass: the next pass looks at the host again, so a
//! restart of the agent in the middle of a change needs no path of its own.

use std::collections::BTreeMap;

use crate::decide::observed::{ActiveState, Observed, ObservedInstance, ObservedUnit};
use crate::decide::update::nothing;
use crate::document::assignment::{Assignment, Desired};
use crate::document::instance::Workload;
use crate::document::report::Phase;
use crate::document::update::{InstanceUpdate, LastGood, Stage};
use crate::id::{ComponentName, ContentHash};
use crate::time::Timestamp;

mod change;
mod dependencies;
mod drain;
mod maintain;
mod report;
mod rollback;
mod unreadable;

use self::drain::{Drain, Drained};
pub use self::report::tell;

/// Everything `reconcile` looks at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The share of the desired state; without one nothing is done.
    pub assignment: Option<&'a Assignment>,
    /// What was found on the host.
    pub observed: &'a Observed,
    /// Changes on their way.
    pub updates: &'a BTreeMap<ComponentName, InstanceUpdate>,
    /// Steps that are being done at this moment.
    pub busy: &'a BTreeMap<ComponentName, Busy>,
    /// The host's clock.
    pub now: Timestamp,
}

/// A step that is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    pub step: Step,
    /// Bytes fetched and in all, for [`Step::Pull`].
    pub bytes: (u64, u64),
}

/// One effect on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Stop and remove a component that is no longer wanted.
    Remove,
    /// Bring the image.
    Pull,
    /// Make container and unit ready beside what runs.
    Create,
    /// Ask how many calls are up.
    CountActive,
    /// Stop the old version, start the new one.
    Switch {
        /// The workload to return to.
        previous: Option<ContentHash>,
        /// Calls that the stop cuts; none: nobody can tell.
        calls_cut: Option<u64>,
    },
    /// The new version answers: its soak begins.
    Soak,
    /// The new version is no good: gather its last words.
    Fail { why: String },
    /// Write the document of what runs back: it was changed for a stop that
    /// never came.
    RevertDocument {
        /// The workload that runs.
        running: ContentHash,
    },
    /// Stop the new version, start the previous one.
    RollBack {
        /// The workload to return to.
        previous: ContentHash,
        /// It runs already, and only bears a wrong name.
        runs: bool,
    },
    /// The new version stays; what is older than the previous one goes.
    Commit {
        /// The workload that proved good before; none: whichever the host tells.
        previous: Option<ContentHash>,
    },
    /// Start the unit.
    Start,
    /// Write documents and unit anew; what runs is not touched.
    RewriteConfig,
    /// Give the running container its own name.
    Promote,
}

/// A step and why it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub component: ComponentName,
    pub step: Step,
    pub reason: String,
}

/// Where an instance stands and what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// For the report.
    pub phase: Phase,
    pub reason: String,
    /// What to do now.
    pub step: Option<Step>,
    /// When to look again although nothing changed.
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    fn wait(phase: Phase, reason: impl Into<String>) -> Self {
        Self { phase, reason: reason.into(), step: None, wake_at: None }
    }

    fn act(phase: Phase, step: Step, reason: impl Into<String>) -> Self {
        Self { phase, reason: reason.into(), step: Some(step), wake_at: None }
    }

    fn until(mut self, at: Timestamp) -> Self {
        self.wake_at = Some(at);
        self
    }
}

/// One instance with everything that bears on it.
#[derive(Clone, Copy)]
struct Case<'a> {
    desired: &'a Desired,
    /// Identity of the desired workload.
    desired_hash: &'a ContentHash,
    seen: &'a ObservedInstance,
    /// The update towards that desired workload; one towards another says nothing here.
    update: Option<&'a InstanceUpdate>,
    input: Input<'a>,
}

/// Judges every instance that is desired or was found.
#[must_use]
pub fn decide(input: Input<'_>) -> BTreeMap<ComponentName, Decision> {
    let Some(assignment) = input.assignment else { return BTreeMap::new() };
    let unseen = ObservedInstance::default();
    let desired = &assignment.content.share.instances;
    // Revision 0 says that nothing was decided for this node yet, not that
    // nothing should run: what an earlier controller left goes on.
    let decided = assignment.content.revision.0 > 0;
    let share = &assignment.content.share;
    let leftover = input.observed.instances.keys().filter(|name| decided && !share.contains(name));
    let mut decisions: BTreeMap<ComponentName, Decision> = leftover
        .filter(|name| is_ours(&input.observed.instances[*name]))
        .map(|name| (name.clone(), decide_leftover(name, input)))
        .collect();
    for (name, unreadable) in &share.unreadable {
        decisions.insert(name.clone(), unreadable::decide_unreadable(name, unreadable, input));
    }
    for (name, desired) in desired {
        let seen = input.observed.instances.get(name).unwrap_or(&unseen);
        let desired_hash = &desired.instance.workload_hash();
        let update = input.updates.get(name).filter(|update| &update.desired_hash == desired_hash);
        let case = Case { desired, desired_hash, seen, update, input };
        decisions.insert(name.clone(), decide_desired(name, case));
    }
    decisions
}

/// The steps to take now, removals first, then in the order of names.
#[must_use]
pub fn reconcile(input: Input<'_>) -> Vec<Action> {
    let mut actions: Vec<Action> = decide(input)
        .into_iter()
        .filter_map(|(component, decision)| {
            let step = decision.step?;
            Some(Action { component, step, reason: decision.reason })
        })
        .collect();
    actions.sort_by_key(|action| action.step != Step::Remove);
    actions
}

fn is_ours(seen: &ObservedInstance) -> bool {
    let unit_is_ours = seen.unit.as_ref().is_some_and(|unit| unit.hash.is_some());
    unit_is_ours || !seen.containers.is_empty()
}

fn decide_leftover(name: &ComponentName, input: Input<'_>) -> Decision {
    let update = input.updates.get(name).filter(|update| update.desired_hash == nothing());
    let seen = &input.observed.instances[name];
    // The tenant's choice is the same for all; whatever stays on the node tells it.
    let stays = input.assignment.and_then(|a| a.content.share.instances.values().next());
    let policy = stays.map(|desired| &desired.policy);
    let drain = Drain { seen, probe: seen.counting.probe(), policy, update, now: input.now };
    match input.busy.get(name).map(|busy| &busy.step) {
        Some(Step::CountActive) => {
            let phase = Phase::Draining { deadline: drain.deadline() };
            return Decision::wait(phase, drain.reason());
        }
        Some(_) => return Decision::wait(Phase::Removing, "being removed"),
        None => {}
    }
    if let Some(backoff) = update.and_then(|update| update.backoff.as_ref())
        && backoff.retry_at > input.now
    {
        return Decision::wait(Phase::Removing, backoff.message.clone()).until(backoff.retry_at);
    }
    if let Some(failure) = update.and_then(InstanceUpdate::failure) {
        return Decision::wait(Phase::RolledBack, format!("its removal {}", failure.message));
    }
    match drain.decide() {
        Drained::Passed { .. } => {
            Decision::act(Phase::Removing, Step::Remove, "no longer part of the desired state")
        }
        Drained::Waits(decision) => decision,
    }
}

fn decide_desired(name: &ComponentName, case: Case<'_>) -> Decision {
    if let Some(busy) = case.input.busy.get(name) {
        return decide_busy(case, busy);
    }
    if let Some(foreign) = &case.seen.foreign {
        let reason = format!("{foreign} exists on the host and is not ours; it was not touched");
        return Decision::wait(Phase::Blocked, reason);
    }
    if let Some(unit) = case.seen.unit.as_ref().filter(|unit| unit.masked) {
        return rollback::masked(case, unit);
    }
    if let Some(backoff) = case.update.and_then(|update| update.backoff.as_ref())
        && backoff.retry_at > case.input.now
    {
        let phase = match case.update.map(|update| &update.stage) {
            // What was given up is no less so because nothing else starts either.
            Some(Stage::Failed { .. }) if case.previous_failed() => Phase::Failed,
            Some(_) | None => Phase::Blocked,
        };
        return Decision::wait(phase, backoff.message.clone()).until(backoff.retry_at);
    }
    match case.update.map(|update| &update.stage) {
        Some(Stage::Switching { since, calls_cut }) => {
            change::resume_switch(case, *since, *calls_cut)
        }
        Some(Stage::Soaking { since, .. }) => change::soak(case, *since),
        Some(Stage::Failed { failure, .. }) => rollback::failed(case, failure),
        Some(Stage::RolledBack { failure, .. }) => rollback::returned(case, failure),
        Some(Stage::Preparing | Stage::Draining { .. } | Stage::Committed { .. }) | None => {
            match case.runs_by_goal() {
                true if change::is_unproven(case) => {
                    let reason = "runs already, and has not proved good yet";
                    Decision::act(Phase::Starting, Step::Soak, reason)
                }
                true => maintain::keep(case),
                false => change::prepare(case),
            }
        }
    }
}

fn decide_busy(case: Case<'_>, busy: &Busy) -> Decision {
    let (bytes_done, bytes_total) = busy.bytes;
    let (phase, reason) = match &busy.step {
        Step::Remove => (Phase::Removing, "being removed"),
        Step::Pull => (Phase::Pulling { bytes_done, bytes_total }, "fetching the image"),
        Step::Create | Step::RewriteConfig | Step::RevertDocument { .. } => {
            (Phase::Preparing, "preparing container and unit")
        }
        Step::CountActive => {
            let drain = Drain::of(case);
            let phase = Phase::Draining { deadline: drain.deadline() };
            return Decision::wait(phase, drain.reason());
        }
        Step::Switch { .. } | Step::Start => (Phase::Starting, "starting"),
        Step::RollBack { .. } => (Phase::Starting, "returning to the version before"),
        Step::Fail { why } => {
            let phase = if case.is_under_way() { Phase::Starting } else { Phase::Pending };
            return Decision::wait(phase, why);
        }
        Step::Soak => (Phase::Starting, "the new version answers"),
        // Not kept before it is recorded that it is.
        Step::Commit { .. } if case.is_under_way() => {
            let until = case.input.now;
            (Phase::Soaking { until }, "stayed healthy through its soak time")
        }
        // What runs stays; only names and leftovers change.
        Step::Commit { .. } | Step::Promote => return maintain::decide_health(case),
    };
    Decision::wait(phase, reason)
}

impl Step {
    /// What it does, for people and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Step::Remove => "remove",
            Step::Pull => "pull",
            Step::Create => "create",
            Step::CountActive => "count-active",
            Step::Switch { .. } => "switch",
            Step::Soak => "soak",
            Step::Fail { .. } => "fail",
            Step::RevertDocument { .. } => "revert-document",
            Step::RollBack { .. } => "roll-back",
            Step::Commit { .. } => "commit",
            Step::Start => "start",
            Step::RewriteConfig => "rewrite-config",
            Step::Promote => "promote",
        }
    }
}

impl<'a> Case<'a> {
    fn runs_by_goal(self) -> bool {
        runs_by(self.seen, self.desired_hash, &self.desired.instance.workload)
    }

    /// Something was stopped for the change, and its end is not recorded.
    fn is_under_way(self) -> bool {
        self.update.is_some_and(|update| match update.stage {
            Stage::Switching { .. } | Stage::Soaking { .. } | Stage::Failed { .. } => true,
            Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Committed { .. }
            | Stage::RolledBack { .. } => false,
        })
    }

    /// The document that its supervisor reads, or would.
    fn works_by(self, hash: &ContentHash) -> bool {
        self.seen.document.as_ref().is_some_and(|document| &document.workload == hash)
    }

    /// The last workload that proved good, where it is another than the desired workload.
    fn returns_to(self) -> Option<&'a ContentHash> {
        self.update.and_then(InstanceUpdate::returns_to)
    }

    /// Until it is recorded that the desired workload is kept, what proved good before may be needed.
    fn keep(self) -> Step {
        Step::Commit { previous: self.returns_to().cloned() }
    }

    /// What it returns to did not start when it was called back.
    fn previous_failed(self) -> bool {
        self.update.is_some_and(|update| matches!(update.last_good, LastGood::PreviousFailed(_)))
    }

    fn is_container(self) -> bool {
        self.desired.instance.container().is_some()
    }
}

/// Whether the host already works by this workload: for a container, the
/// document its supervisor reads, unless another one still runs; for a packaged
/// unit, our drop-in.
fn runs_by(seen: &ObservedInstance, desired_hash: &ContentHash, workload: &Workload) -> bool {
    match workload {
        Workload::Container(_) => {
            seen.document.as_ref().is_some_and(|document| &document.workload == desired_hash)
                && seen.running().is_none_or(|container| &container.hash == desired_hash)
        }
        // Text that only has to be written or read anew is no reason to restart it.
        Workload::Unit(_) => seen.unit.as_ref().is_some_and(|unit| {
            let works_by =
                seen.document.as_ref().map(|document| &document.workload == desired_hash);
            unit.hash.is_some() && works_by.unwrap_or(!unit.stale)
        }),
    }
}

fn is_active(unit: &ObservedUnit) -> bool {
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => true,
        ActiveState::Inactive
        | ActiveState::Activating
        | ActiveState::Deactivating
        | ActiveState::Failed => false,
    }
}

#[cfg(test)]
mod tests;
