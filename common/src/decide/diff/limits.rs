//! Names the limits that differ between two plans, and the rollout settings that differ between two
//! specifications, each with its value before and after.

use crate::document::assignment::{ChangePolicy, Desired};
use crate::document::instance::Timing;
use crate::document::spec::RolloutSpec;

use super::note::{AtDeadline, ChangeNote, StrategyChange, TimeLimit};

/// Returns a note for every limit of an instance that differs.
pub(super) fn limits(old: &Desired, new: &Desired) -> Vec<ChangeNote> {
    let (was, timed) = (&old.policy, &old.instance.timing);
    // A step without a way back is about the change, which says so by itself.
    let ChangePolicy { soak_ms, drain_deadline_ms, on_deadline, forward_only: _ } = &new.policy;
    let Timing { start_timeout_ms, stop_grace_ms } = &new.instance.timing;
    let spans = [
        (TimeLimit::MinHealthyFor, was.soak_ms, *soak_ms),
        (TimeLimit::DrainDeadline, was.drain_deadline_ms, *drain_deadline_ms),
        (TimeLimit::StartTimeout, timed.start_timeout_ms, *start_timeout_ms),
        (TimeLimit::StopGrace, timed.stop_grace_ms, *stop_grace_ms),
    ];
    let differing = spans.into_iter().filter(|(_, was_ms, is_ms)| was_ms != is_ms);
    let mut notes: Vec<ChangeNote> =
        differing.map(|(limit, was_ms, is_ms)| ChangeNote::Time { limit, was_ms, is_ms }).collect();
    if was.on_deadline != *on_deadline {
        let (was, is) = (was.on_deadline, *on_deadline);
        notes.push(ChangeNote::OnDeadline { was, is, counted: counted(new) });
    }
    notes
}

/// Returns what an instance counts and when its drain ends; none for one that counts nothing,
/// because it is not drained.
fn counted(new: &Desired) -> Option<AtDeadline> {
    let active = new.instance.active.as_ref()?;
    let after_ms = new.policy.drain_deadline_ms;
    Some(AtDeadline { noun: active.noun.clone(), after_ms })
}

/// Returns every setting that differs in how a rollout goes through the nodes.
#[must_use]
pub fn strategy(was: Option<&RolloutSpec>, is: &RolloutSpec) -> Vec<StrategyChange> {
    let Some(was) = was else { return Vec::new() };
    // Those of the instances are named with each of them.
    let RolloutSpec {
        max_parallel,
        on_failure,
        min_healthy_for_ms: _,
        drain_deadline_ms: _,
        on_deadline: _,
    } = is;
    let mut changes = Vec::new();
    if was.max_parallel != *max_parallel {
        changes.push(StrategyChange::MaxParallel { was: was.max_parallel, is: *max_parallel });
    }
    if was.on_failure != *on_failure {
        changes.push(StrategyChange::OnFailure { was: was.on_failure, is: *on_failure });
    }
    changes
}
