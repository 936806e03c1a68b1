//! Changes all updates of a host at once: for another assignment or another time.

use std::collections::BTreeMap;

use crate::document::assignment::{Assignment, Desired};
use crate::document::update::{InstanceUpdate, ReloadStage, Stage, UnreadableUpdate};
use crate::id::ComponentName;
use crate::time::Timestamp;

use super::nothing;

/// Aligns the updates with the assignment. Of an update towards another workload only the
/// workload to roll back to is kept. Returns true if anything changed.
pub fn align(
    updates: &mut BTreeMap<ComponentName, InstanceUpdate>,
    assignment: &Assignment,
) -> bool {
    let before = updates.clone();
    let share = &assignment.content.share;
    let desired = &share.instances;
    updates.retain(|name, update| {
        // This agent cannot read what should run, so the update stays as it is.
        if share.unreadable.contains_key(name) {
            return true;
        }
        let desired_hash =
            desired.get(name).map_or_else(nothing, |desired| desired.instance.workload_hash());
        if update.desired_hash == desired_hash {
            return true;
        }
        let superseded =
            desired.contains_key(name).then(|| update.superseded(desired_hash)).flatten();
        if let Some(superseded) = &superseded {
            *update = superseded.clone();
        }
        superseded.is_some()
    });
    *updates != before
}

/// Keeps of the unreadable updates those towards what is desired now. One towards another
/// workload counts as lost. Returns true if anything changed.
pub fn align_unreadable(
    unreadable: &mut BTreeMap<ComponentName, UnreadableUpdate>,
    assignment: &Assignment,
) -> bool {
    let before = unreadable.len();
    let share = &assignment.content.share;
    unreadable.retain(|name, update| {
        let desired = share.instances.get(name).map(|desired| desired.instance.workload_hash());
        let is_towards_it = desired.is_some() && desired == update.desired_hash;
        is_towards_it || share.unreadable.contains_key(name)
    });
    unreadable.len() != before
}

/// Returns true if a version that failed is not rolled back, because there is no way back: it waits until a
/// later revision asks for it again.
fn stays(update: &InstanceUpdate, desired: &Desired) -> bool {
    let is_migrated = desired.instance.migrations.iter().any(|step| step.irreversible);
    is_migrated || (desired.policy.forward_only && update.may_have_written())
}

/// Tries failed updates again, because a later revision still asks for them.
/// Returns true if anything changed.
pub fn ask_again(
    updates: &mut BTreeMap<ComponentName, InstanceUpdate>,
    held: &Assignment,
    offered: &Assignment,
    now: Timestamp,
) -> bool {
    if held.content.revision == offered.content.revision {
        return false;
    }
    let before = updates.clone();
    updates.retain(|name, update| {
        let Some(desired) = offered.content.share.instances.get(name) else { return true };
        update.reload.take_if(|reload| matches!(reload, ReloadStage::Failed { .. }));
        match &update.stage {
            Stage::RolledBack { .. } => {
                update.stage = Stage::Preparing;
                update.backoff = None;
            }
            // Its files and container exist, so it only has to be started again.
            Stage::Failed { .. } if stays(update, desired) || !update.is_rolling_back() => {
                update.stage =
                    Stage::Switching { since: now, calls_cut: Some(0), drained_since: None };
                update.backoff = None;
            }
            Stage::Failed { .. }
            | Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Switching { .. }
            | Stage::Soaking { .. }
            | Stage::Committed { .. } => {}
        }
        !update.is_blank()
    });
    *updates != before
}

/// Shifts all times because the clock of the host was set, so that the elapsed part of a
/// soak or a drain stays the same.
pub fn shift(updates: &mut BTreeMap<ComponentName, InstanceUpdate>, by_ms: i64) {
    for update in updates.values_mut() {
        for backoff in update.backoff.iter_mut().chain(&mut update.revival) {
            backoff.retry_at = backoff.retry_at.shifted_ms(by_ms);
        }
        update.stage.set_since(|since| since.shifted_ms(by_ms));
        if let Stage::Failed { failure, .. } = &mut update.stage {
            failure.at = failure.at.shifted_ms(by_ms);
        }
    }
}

/// Ends every pause before a retry, because an operator who restarts the agent expects it
/// to try at once.
pub fn retry_now(updates: &mut BTreeMap<ComponentName, InstanceUpdate>) {
    for update in updates.values_mut() {
        for backoff in update.backoff.iter_mut().chain(&mut update.revival) {
            backoff.retry_at = Timestamp(0);
        }
    }
}

/// Restarts every soak and drain, because after a reboot the elapsed time is unknown.
pub fn restart_timers(updates: &mut BTreeMap<ComponentName, InstanceUpdate>, now: Timestamp) {
    for update in updates.values_mut() {
        update.stage.set_since(|_| now);
        if let Stage::Draining { count, .. } = &mut update.stage {
            *count = None;
        }
    }
}

impl Stage {
    fn set_since(&mut self, change: impl Fn(Timestamp) -> Timestamp) {
        match self {
            Stage::Draining { since, count } => {
                *since = change(*since);
                if let Some(count) = count {
                    count.at = change(count.at);
                }
            }
            Stage::Switching { since, drained_since, .. } => {
                *since = change(*since);
                *drained_since = drained_since.map(change);
            }
            Stage::Soaking { since, .. } => {
                *since = change(*since);
            }
            Stage::Preparing
            | Stage::Committed { .. }
            | Stage::Failed { .. }
            | Stage::RolledBack { .. } => {}
        }
    }
}
