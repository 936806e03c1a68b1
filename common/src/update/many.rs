//! What befalls all changes on their way at once: another assignment, another time.

use std::collections::BTreeMap;

use crate::assignment::Assignment;
use crate::id::ComponentName;
use crate::time::Timestamp;

use super::{Count, InstanceUpdate, Stage, nothing};

/// Brings the attempts in line with what is desired now: an attempt towards
/// another desired workload says nothing of this one but where to return to. Tells whether
/// anything changed.
pub fn align(
    attempts: &mut BTreeMap<ComponentName, InstanceUpdate>,
    assignment: &Assignment,
) -> bool {
    let before = attempts.clone();
    let share = &assignment.content.share;
    let desired = &share.instances;
    attempts.retain(|name, attempt| {
        // Nobody here knows what should run: how far it came stays what it was.
        if share.unreadable.contains_key(name) {
            return true;
        }
        let desired_hash = desired.get(name).map_or_else(nothing, |d| d.instance.workload_hash());
        if attempt.desired_hash == desired_hash {
            return true;
        }
        let overtaken =
            desired.contains_key(name).then(|| attempt.overtaken(desired_hash)).flatten();
        if let Some(overtaken) = &overtaken {
            *attempt = overtaken.clone();
        }
        overtaken.is_some()
    });
    *attempts != before
}

/// Takes up again what was given up, because a later revision still asks for
/// it. Tells whether anything changed.
pub fn ask_again(
    attempts: &mut BTreeMap<ComponentName, InstanceUpdate>,
    held: &Assignment,
    offered: &Assignment,
    now: Timestamp,
) -> bool {
    if held.content.revision == offered.content.revision {
        return false;
    }
    let before = attempts.clone();
    attempts.retain(|name, attempt| {
        let goes_on = offered.content.share.instances.contains_key(name);
        if !goes_on {
            return true;
        }
        match &attempt.stage {
            Stage::RolledBack { .. } => {
                attempt.stage = Stage::Preparing;
                attempt.trouble = None;
            }
            // It is there already and only has to be started once more.
            Stage::Failed { .. } if !attempt.is_returning() => {
                attempt.stage = Stage::Switching { since: now, calls_cut: Some(0) };
            }
            Stage::Failed { .. }
            | Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Switching { .. }
            | Stage::Soaking { .. }
            | Stage::Committed { .. } => {}
        }
        !attempt.is_blank()
    });
    *attempts != before
}

/// Moves every time that something is measured from, because the host's clock
/// was set: what has passed of a soak or a drain stays what it was.
pub fn shift(attempts: &mut BTreeMap<ComponentName, InstanceUpdate>, by_ms: i64) {
    for attempt in attempts.values_mut() {
        if let Some(trouble) = &mut attempt.trouble {
            trouble.retry_at = trouble.retry_at.shifted_ms(by_ms);
        }
        attempt.stage.set_since(|since| since.shifted_ms(by_ms));
        if let Stage::Failed { failure, .. } = &mut attempt.stage {
            failure.at = failure.at.shifted_ms(by_ms);
        }
    }
}

/// Begins every soak and drain again: after another boot nobody knows how much
/// of it has passed.
pub fn begin_anew(attempts: &mut BTreeMap<ComponentName, InstanceUpdate>, now: Timestamp) {
    for attempt in attempts.values_mut() {
        attempt.stage.set_since(|_| now);
        if let Stage::Draining { count, .. } = &mut attempt.stage {
            *count = None;
        }
    }
}

impl Stage {
    fn set_since(&mut self, change: impl Fn(Timestamp) -> Timestamp) {
        match self {
            Stage::Draining { since, count } => {
                *since = change(*since);
                *count = count.map(|count| Count { at: change(count.at), ..count });
            }
            Stage::Switching { since, .. } | Stage::Soaking { since, .. } => {
                *since = change(*since);
            }
            Stage::Preparing
            | Stage::Committed { .. }
            | Stage::Failed { .. }
            | Stage::RolledBack { .. } => {}
        }
    }
}
