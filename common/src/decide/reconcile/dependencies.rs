//! Finds the components that an instance must wait for before it may start.

use std::collections::BTreeMap;

use crate::decide::observed::ObservedInstance;
use crate::document::Verbatim;
use crate::document::assignment::Desired;
use crate::document::status::Health;
use crate::document::update::Stage;
use crate::id::ComponentName;
use crate::time::Timestamp;

use super::case::{Case, Decision, Input, is_active, is_set_up_for};
use super::health::{health, health_of_held};

/// Returns the first dependency that has not converged yet.
pub(super) fn unconverged_dependency<'a>(case: Case<'a>) -> Option<&'a ComponentName> {
    first_dependency(case, |desired, seen, name| is_converged(desired, seen, case.input, name))
}

/// Returns the first dependency that does not answer in any version.
pub(super) fn absent_dependency<'a>(case: Case<'a>) -> Option<&'a ComponentName> {
    first_dependency(case, |desired, seen, _| answers(desired, seen, case.input.now))
}

/// Returns the first dependency that is not met. One that needs a newer agent must answer,
/// in any version. One that is not on this node never counts.
fn first_dependency<'a>(
    case: Case<'a>,
    is_met: impl Fn(&Desired, &ObservedInstance, &ComponentName) -> bool,
) -> Option<&'a ComponentName> {
    let nothing = ObservedInstance::default();
    let share = &case.input.assignment?.content.share;
    case.desired.instance.after.iter().find(|name| {
        let seen = case.input.observed.instances.get(*name).unwrap_or(&nothing);
        match share.instances.get(*name) {
            Some(desired) => !is_met(desired, seen, name),
            None => share.unreadable.contains_key(*name) && !held_answers(seen, case.input.now),
        }
    })
}

fn held_answers(seen: &ObservedInstance, now: Timestamp) -> bool {
    seen.unit.as_ref().is_some_and(is_active) && health_of_held(seen, now) == Health::Healthy
}

fn answers(desired: &Desired, seen: &ObservedInstance, now: Timestamp) -> bool {
    seen.unit.as_ref().is_some_and(is_active)
        && health(&desired.instance, seen, now) == Health::Healthy
}

fn is_converged(
    desired: &Desired,
    seen: &ObservedInstance,
    input: Input<'_>,
    name: &ComponentName,
) -> bool {
    let desired_hash = desired.instance.workload_hash();
    let update = input.updates.get(name).filter(|update| update.desired_hash == desired_hash);
    let changing = update.is_some_and(|update| match update.stage {
        Stage::Switching { .. } | Stage::Failed { .. } | Stage::RolledBack { .. } => true,
        // If the host works by the desired workload, which is checked below, it is prepared.
        Stage::Preparing
        | Stage::Draining { .. }
        | Stage::Soaking { .. }
        | Stage::Committed { .. } => false,
    });
    !changing
        && is_set_up_for(seen, &desired_hash, &desired.instance.workload)
        && answers(desired, seen, input.now)
}

/// Returns the first desired component that is new on the host and cannot start yet, because its
/// image or its container is missing. It may be what takes the place of one that is removed, so
/// nothing is removed before. Two kinds are not waited for: one that needs the name of something
/// on the host, because that may be what is removed, and one that stays down by these decisions,
/// because somebody stopped or masked it.
pub(super) fn unprepared_addition<'a>(
    input: Input<'a>,
    decisions: &BTreeMap<ComponentName, Decision>,
) -> Option<&'a ComponentName> {
    let instances = &input.assignment?.content.share.instances;
    let nothing = ObservedInstance::default();
    let is_unprepared = |(name, desired): &(&ComponentName, &Verbatim<Desired>)| {
        let seen = input.observed.instances.get(*name).unwrap_or(&nothing);
        let is_container = desired.instance.container().is_some();
        let stays_down = decisions.get(*name).is_some_and(|it| it.reason.is_manual_stop());
        is_container && seen.containers.is_empty() && seen.foreign.is_none() && !stays_down
    };
    instances.iter().find(is_unprepared).map(|(name, _)| name)
}
