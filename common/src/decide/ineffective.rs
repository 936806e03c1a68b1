//! Finds steps that were done and changed nothing. They are tried again with growing pauses.

use std::collections::BTreeMap;

use crate::decide::reconcile::{self, Decision, Reason};
use crate::decide::step::Step;
use crate::decide::update::{NotDone, Outcome, desired_hash};
use crate::document::update::InstanceUpdate;
use crate::id::ComponentName;

/// A step that was done and is decided again at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IneffectiveStep {
    pub component: ComponentName,
    pub step: Step,
    /// The reason of both decisions.
    pub reason: Reason,
    /// The update with a pause before the next try.
    pub update: InstanceUpdate,
}

/// Finds the steps that were done last and are decided again, takes them out of the decisions
/// and returns each with its update. `last_done` keeps only the steps of busy components,
/// which were not decided again yet.
pub fn take_ineffective(
    decisions: &mut BTreeMap<ComponentName, Decision>,
    last_done: &mut BTreeMap<ComponentName, Step>,
    input: reconcile::Input<'_>,
) -> Vec<IneffectiveStep> {
    let (busy, looked_at): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(last_done)
        .into_iter()
        .partition(|(component, _)| input.busy.contains_key(component));
    *last_done = busy;
    let mut ineffective = Vec::new();
    for (component, step) in looked_at {
        let decision = decisions.get_mut(&component);
        let Some(decision) = decision.filter(|d| d.step.as_ref() == Some(&step)) else { continue };
        let reason = decision.reason.clone();
        let why = NotDone::Ineffective { step: step.clone(), reason: Box::new(reason.clone()) };
        let desired_hash = desired_hash(input.assignment, input.updates, &component);
        let update = input.updates.get(&component).cloned();
        let update = update.unwrap_or_else(|| InstanceUpdate::new(desired_hash)).after(
            &step,
            Outcome::Retry(why),
            input.now,
        );
        decision.step = None;
        decision.wake_at = update.backoff.as_ref().map(|backoff| backoff.retry_at);
        ineffective.push(IneffectiveStep { component, step, reason, update });
    }
    ineffective
}

#[cfg(test)]
mod tests;
