//! What somebody changed by hand, as it is reported, and the steps that put it right.

use crate::decide::by_hand::{ChangeByHand, VersionInUse};
use crate::decide::observed::ObservedInstance;
use crate::decide::reconcile::{self, Lack, Reason};
use crate::decide::step::Step;
use crate::decide::update::nothing;
use crate::document::assignment::Desired;
use crate::document::update::InstanceUpdate;
use crate::id::ComponentName;

use super::Repair;

/// Returns what somebody changed about the version in use; none if it is the desired one, or if it is
/// being changed. A document of the desired version was written for its change.
pub(super) fn in_use(
    component: &ComponentName,
    seen: &ObservedInstance,
    desired: &Desired,
    input: reconcile::Input<'_>,
) -> Option<Vec<Repair>> {
    let desired_hash = desired.instance.workload_hash();
    let update = input.updates.get(component).filter(|it| it.desired_hash == desired_hash);
    let is_container = desired.instance.container().is_some();
    let in_use = VersionInUse::find(seen, update, &desired_hash, is_container)?;
    let is_of_change = seen.has_document_of(&desired_hash);
    let is_ours = |it: &ChangeByHand<'_>| is_of_change && *it == ChangeByHand::DocumentChanged;
    Some(in_use.changes().into_iter().filter(|it| !is_ours(it)).map(Repair::from).collect())
}

/// Returns what somebody changed about the version in use of a component that waits for its removal, or
/// of which only a later release can read what is desired; none while it is being changed.
pub(super) fn held(
    component: &ComponentName,
    seen: &ObservedInstance,
    input: reconcile::Input<'_>,
) -> Option<Vec<Repair>> {
    let update = input.updates.get(component);
    let is_removal = |update: &InstanceUpdate| update.desired_hash == nothing();
    // A removal that could not be done may have removed a part of it.
    if update.is_some_and(|it| is_removal(it) && (it.backoff.is_some() || it.failure().is_some())) {
        return None;
    }
    let is_container = !seen.containers.is_empty();
    let in_use = VersionInUse::find(seen, update, &nothing(), is_container)?;
    Some(in_use.changes().into_iter().map(Repair::from).collect())
}

/// Returns what somebody changed about the unit.
pub(super) fn units(seen: &ObservedInstance) -> impl Iterator<Item = Repair> {
    seen.unit.iter().flat_map(|unit| unit.by_hand.iter().cloned().map(Repair::Unit))
}

/// Returns true if the step writes what somebody changed. A switch writes the drop-in of a packaged unit.
pub(super) fn puts_right(step: &Step) -> bool {
    match step {
        Step::RewriteConfig
        | Step::Reload { .. }
        | Step::Repair { .. }
        | Step::Create
        | Step::Switch { .. }
        | Step::RollBack { runs: false, .. }
        | Step::Remove { .. } => true,
        Step::Pull
        | Step::RunOnce { .. }
        | Step::CountActive
        | Step::Soak
        | Step::Fail { .. }
        | Step::RevertDocument { .. }
        | Step::RollBack { runs: true, .. }
        | Step::Commit { .. }
        | Step::Start
        | Step::ReplaceSupervisor
        | Step::StopContainer
        | Step::Promote => false,
    }
}

impl From<ChangeByHand<'_>> for Repair {
    fn from(change: ChangeByHand<'_>) -> Self {
        match change {
            ChangeByHand::Unit(change) => Self::Unit(change.clone()),
            ChangeByHand::UnitRemoved => Self::BroughtBack(Reason::Lacks(Lack::Unit)),
            ChangeByHand::DocumentChanged => Self::DocumentChanged,
            ChangeByHand::DocumentRemoved => Self::DocumentRemoved,
            ChangeByHand::Renamed { own, name } => {
                Self::Renamed { own: own.to_owned(), name: name.to_owned() }
            }
            ChangeByHand::File(change) => Self::File(change.clone()),
        }
    }
}
