//! Finds changes of which the agent's own record was lost in the middle, by what the host shows.

use std::collections::BTreeMap;

use crate::decide::reconcile::{Input, works_by};
use crate::document::update::{InstanceUpdate, LastGood, Stage};
use crate::id::{ComponentName, ContentHash};

/// Returns the updates that are not in the record though their soak has not passed: the host works
/// by the desired workload, and the last good one, as it is noted apart from the record, is another.
/// Each soaks again, because how long it did is not known.
#[must_use]
pub fn lost_updates(
    input: Input<'_>,
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
        let seen = input.observed.instances.get(name);
        if is_recorded
            || !seen.is_some_and(|seen| works_by(seen, &desired_hash, &desired.instance.workload))
        {
            continue;
        }
        let update = InstanceUpdate {
            last_good: LastGood::Previous(previous.clone()),
            // Whether calls were cut is lost with the record.
            stage: Stage::Soaking { since: input.now, calls_cut: None },
            ..InstanceUpdate::new(desired_hash)
        };
        found.insert(name.clone(), update);
    }
    found
}
