//! Records the begin and the end of a step in the updates of a host.

use std::collections::BTreeMap;

use crate::decide::step::Step;
use crate::document::update::InstanceUpdate;
use crate::id::{ComponentName, ContentHash};
use crate::time::Timestamp;

use super::Outcome;

/// A step of a component, with the workload that was desired when it was decided.
#[derive(Debug, Clone, Copy)]
pub struct Doing<'a> {
    pub component: &'a ComponentName,
    pub desired_hash: &'a ContentHash,
    pub step: &'a Step,
}

/// Records that a step begins. Returns true if the updates must be saved before it is done.
pub fn begin(
    updates: &mut BTreeMap<ComponentName, InstanceUpdate>,
    doing: Doing<'_>,
    now: Timestamp,
) -> bool {
    let before = updates.get(doing.component);
    let update = before.filter(|update| &update.desired_hash == doing.desired_hash).cloned();
    let update = update
        .unwrap_or_else(|| InstanceUpdate::new(doing.desired_hash.clone()))
        .entering(doing.step, now);
    let has_changed = before != Some(&update);
    updates.insert(doing.component.clone(), update);
    has_changed
}

/// Records the end of a step. If another workload has become desired since, the end does not
/// change the update towards that one. Returns true if the updates must be saved. A count
/// need not be, because the calls are counted again after a restart.
pub fn finish(
    updates: &mut BTreeMap<ComponentName, InstanceUpdate>,
    doing: Doing<'_>,
    outcome: Outcome,
    now: Timestamp,
) -> bool {
    // A count alone is worth nothing after a restart, because it is too old by then.
    let has_to_be_saved = *doing.step != Step::CountActive;
    let is_removed = matches!(doing.step, Step::Remove { .. }) && outcome == Outcome::Done;
    let is_current = |update: &&InstanceUpdate| &update.desired_hash == doing.desired_hash;
    if let Some(update) = updates.get(doing.component).filter(is_current) {
        let update = update.clone().after_step(doing.step, outcome, now);
        if is_removed || update.is_blank() {
            updates.remove(doing.component);
        } else {
            updates.insert(doing.component.clone(), update);
        }
    }
    has_to_be_saved
}

/// Records the end of a repair or a start of the version in use beside a change.
pub fn finish_beside(
    updates: &mut BTreeMap<ComponentName, InstanceUpdate>,
    doing: Doing<'_>,
    outcome: Outcome,
    now: Timestamp,
) {
    let before = updates.get(doing.component);
    if before.is_some_and(|update| &update.desired_hash != doing.desired_hash) {
        return;
    }
    let update = before.cloned().unwrap_or_else(|| InstanceUpdate::new(doing.desired_hash.clone()));
    updates.insert(doing.component.clone(), update.after_beside(outcome, now));
}

#[cfg(test)]
mod tests;
