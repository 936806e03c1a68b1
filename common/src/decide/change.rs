//! The state that an operator's change meets: whether it changes anything, and what may
//! be running on the nodes.

use crate::document::revision::Change;
use crate::document::rollout::{Rollout, State};
use crate::document::spec::TenantSpec;
use crate::id::RevisionNumber;

use crate::document::revision::Head;

/// Returns the current revision if a change would only repeat it: the plan has no
/// difference, the specification means the same, and no failure would make a repetition
/// try again.
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
        && before.is_some_and(|before| says_the_same(before, now));
    head.filter(|_| is_same).map(|head| head.current)
}

/// Returns the revisions of which something may be running: the good one, and the one of
/// an unfinished rollout. There is none before anything is good: after a restore anything
/// may be running, so nothing is known.
#[must_use]
pub fn may_run(head: Option<Head>, rollout: Option<&Rollout>) -> Vec<RevisionNumber> {
    let Some(good) = head.and_then(|head| head.good) else { return Vec::new() };
    let under_way = rollout.filter(|rollout| !rollout.in_flight().is_empty());
    [good].into_iter().chain(under_way.map(|rollout| rollout.to)).collect()
}

/// Returns whether a repetition is a change, because it tries again.
fn went_wrong(rollout: &Rollout) -> bool {
    match rollout.state {
        State::Paused { .. } | State::RollingBack { .. } => true,
        State::Progressing { .. }
        | State::Completed
        | State::RolledBack { .. }
        | State::Superseded => false,
    }
}

/// Returns whether two specifications of a tenant differ only in how they are written.
fn says_the_same(before: &TenantSpec, now: &TenantSpec) -> bool {
    before.catalog == now.catalog
        && before.registry == now.registry
        && before.settings == now.settings
        && before.components == now.components
        && before.rollout == now.rollout
}

#[cfg(test)]
mod tests;
