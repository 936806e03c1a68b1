//! Puts right what somebody changed by hand about the version in use, beside a change that waits or
//! after one that was rolled back. Nothing of it stops or starts a program.

use crate::decide::by_hand::VersionInUse;
use crate::decide::step::Step;

use super::case::{Case, Decision};
use super::revive::next_beside;

/// Adds to the decision about a change what puts the version in use right. It goes before every step
/// that could start what was changed.
pub(super) fn put_right(case: Case<'_>, decision: Decision) -> Decision {
    let Some(in_use) = changed(case).filter(|_| may_act(case, &decision)) else {
        return decision;
    };
    match next_beside(case) {
        Some(again_at) => {
            let wake_at = decision.wake_at.map_or(again_at, |at| at.min(again_at));
            decision.until(wake_at)
        }
        None => {
            let step = Step::Repair { in_use: in_use.workload.clone() };
            Decision { beside: Some(step), ..decision }
        }
    }
}

/// Returns the version in use, if somebody changed something about it.
fn changed(case: Case<'_>) -> Option<VersionInUse<'_>> {
    let Case { seen, update, desired_hash, .. } = case;
    let in_use = VersionInUse::find(seen, update, desired_hash, case.is_container())?;
    (!in_use.changes().is_empty()).then_some(in_use)
}

/// Returns true if nothing is done now, or only what may take long and goes on beside. What the
/// decision would do next waits for a pass, unless it stops or starts the version that is desired.
fn may_act(case: Case<'_>, decision: &Decision) -> bool {
    let busy = case.input.busy.get(&case.desired.instance.component).map(|busy| &busy.step);
    let goes_on = |step: &Step| matches!(step, Step::Pull | Step::RunOnce { .. });
    let may_wait = |step: &Step| {
        goes_on(step) || matches!(step, Step::Create | Step::CountActive | Step::Start)
    };
    match busy {
        Some(step) => goes_on(step),
        None => decision.step.as_ref().is_none_or(may_wait),
    }
}
