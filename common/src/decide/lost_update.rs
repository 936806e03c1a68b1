//! Finds changes of which the agent's own record was lost in the middle, by what the host shows.

use std::collections::BTreeMap;

use crate::decide::reconcile::{self, is_set_up_for};
use crate::document::update::{InstanceUpdate, LastGood, Stage};
use crate::id::{ComponentName, ContentHash};

/// Returns the updates that are not in the record though the host does not work by the last good
/// workload, as it is noted apart from the record. One that works by the desired workload soaks
/// again, because how long it did is not known.
#[must_use]
pub fn lost_updates(
    input: reconcile::Input<'_>,
    last_good: &BTreeMap<ComponentName, ContentHash>,
) -> BTreeMap<ComponentName, InstanceUpdate> {
    let Some(assignment) = input.assignment else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (name, desired) in &assignment.content.share.instances {
        let desired_hash = desired.instance.workload_hash();
        let is_recorded = input.updates.contains_key(name) || input.unreadable.contains_key(name);
        let Some(previous) = last_good.get(name).filter(|hash| **hash != desired_hash) else {
            continue;
        };
        let Some(seen) = input.observed.instances.get(name).filter(|_| !is_recorded) else {
            continue;
        };
        let is_of_another = seen.document.as_ref().is_some_and(|it| it.workload != *previous);
        let stage = if is_set_up_for(seen, &desired_hash, &desired.instance.workload) {
            // Whether calls were cut is lost with the record.
            Stage::Soaking { since: input.now, calls_cut: None }
        } else if is_of_another {
            Stage::Preparing
        } else {
            continue;
        };
        let last_good = LastGood::Previous(previous.clone());
        // Whether the version that is there answered is lost with the record too.
        let has_answered = is_of_another;
        let update =
            InstanceUpdate { last_good, stage, has_answered, ..InstanceUpdate::new(desired_hash) };
        found.insert(name.clone(), update);
    }
    found
}
