//! Names the limits that differ between two plans, and the rollout settings that differ between two
//! specifications, each with its value before and after.

use crate::document::assignment::Desired;
use crate::document::spec::RolloutSpec;

use super::note::{AtDeadline, ChangeNote, StrategyChange, TimeLimit};

/// Returns a note for every limit of an instance that differs.
pub(super) fn limits(old: &Desired, new: &Desired) -> Vec<ChangeNote> {
    let (was, is) = (&old.policy, &new.policy);
    let (timed, times) = (&old.instance.timing, &new.instance.timing);
    let spans = [
        (TimeLimit::MinHealthyFor, was.soak_ms, is.soak_ms),
        (TimeLimit::DrainDeadline, was.drain_deadline_ms, is.drain_deadline_ms),
        (TimeLimit::StartTimeout, timed.start_timeout_ms, times.start_timeout_ms),
        (TimeLimit::StopGrace, timed.stop_grace_ms, times.stop_grace_ms),
    ];
    let differing = spans.into_iter().filter(|(_, was_ms, is_ms)| was_ms != is_ms);
    let mut notes: Vec<ChangeNote> =
        differing.map(|(limit, was_ms, is_ms)| ChangeNote::Time { limit, was_ms, is_ms }).collect();
    if was.on_deadline != is.on_deadline {
        let (was, is) = (was.on_deadline, is.on_deadline);
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
    let mut changes = Vec::new();
    if was.max_parallel != is.max_parallel {
        let (was, is) = (was.max_parallel, is.max_parallel);
        changes.push(StrategyChange::MaxParallel { was, is });
    }
    if was.on_failure != is.on_failure {
        let (was, is) = (was.on_failure, is.on_failure);
        changes.push(StrategyChange::OnFailure { was, is });
    }
    changes
}
