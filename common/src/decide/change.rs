//! The situation in which an operator makes a change: whether it changes anything, and which
//! revisions the nodes may run.

use crate::document::revision::{Change, Head};
use crate::document::rollout::{Rollout, State};
use crate::document::spec::TenantSpec;
use crate::id::RevisionNumber;

/// Returns the current revision if a change would repeat it: plan and specification are the
/// same, and the rollout is not one that a repeated change would retry.
#[must_use]
pub fn already_in_effect(
    head: Option<Head>,
    rollout: Option<&Rollout>,
    changes: &[Change],
    before: Option<&TenantSpec>,
    now: &TenantSpec,
) -> Option<RevisionNumber> {
    let is_same = changes.is_empty()
        && !rollout.is_some_and(went_wrong)
        && before.is_some_and(|before| before.says_the_same_as(now));
    head.filter(|_| is_same).map(|head| head.current)
}

/// Returns the revisions of which instances may run on the nodes: the good one, and that of a
/// rollout that has started. The list is empty if there is no good revision, because after a
/// restore it is unknown what runs.
#[must_use]
pub fn may_run(head: Option<Head>, rollout: Option<&Rollout>) -> Vec<RevisionNumber> {
    let Some(good) = head.and_then(|head| head.good) else { return Vec::new() };
    let under_way = rollout.filter(|rollout| !rollout.in_flight().is_empty());
    [good].into_iter().chain(under_way.map(|rollout| rollout.to)).collect()
}

/// Whether a repeated change retries the rollout.
fn went_wrong(rollout: &Rollout) -> bool {
    match rollout.state {
        State::Paused { .. } | State::RollingBack { .. } => true,
        State::Progressing { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Superseded => false,
    }
}

#[cfg(test)]
mod tests;
