//! Decides what counts as drift: a change that somebody other than the agent made on the host.

use crate::decide::step::Step;
use crate::document::update::InstanceUpdate;
use crate::id::ContentHash;

/// Returns true if a step repairs what somebody did on the host. `current` and `desired` are
/// the workloads of the current document and of the assignment. Only if both are the same and
/// no change is failing, the agent had nothing to do before.
#[must_use]
pub fn is_drift(
    step: &Step,
    current: Option<&ContentHash>,
    desired: Option<&ContentHash>,
    update: Option<&InstanceUpdate>,
) -> bool {
    let works_by_desired = desired.is_some() && current == desired;
    let is_failing =
        update.is_some_and(|update| update.failure().is_some() || update.backoff.is_some());
    works_by_desired && !is_failing && brings_back(step)
}

fn brings_back(step: &Step) -> bool {
    match step {
        Step::Start | Step::Create | Step::Pull => true,
        Step::Remove { .. }
        | Step::CountActive
        | Step::Switch { .. }
        | Step::Soak
        | Step::Fail { .. }
        | Step::RevertDocument { .. }
        | Step::RollBack { .. }
        | Step::Commit { .. }
        | Step::RewriteConfig
        | Step::ReplaceSupervisor
        | Step::StopContainer
        | Step::Promote => false,
    }
}

#[cfg(test)]
mod tests;
