//! Keeps the version in use running while the change to the next one cannot go on.
//!
//! A change may wait for long before its switch: for an image, for room, for a dependency. If
//! the version in use ends for good in that time, it is started again beside the change.

use crate::decide::observed::{ActiveState, ObservedDocument, ObservedUnit};
use crate::decide::step::Step;
use crate::document::update::{LastGood, Stage};
use crate::time::Timestamp;

use super::case::{Case, Decision, is_active};
use super::health::report_start;
use super::maintain::{inactive_unit, pause};
use super::reason::{InUse, Reason};
use super::rollback;

/// Adds to the decision about a change what keeps the version in use running, and says so.
pub(super) fn keep_alive(case: Case<'_>, decision: Decision) -> Decision {
    let Some((document, unit)) = in_use(case).filter(|_| may_wait(case, &decision)) else {
        return decision;
    };
    if is_active(unit) {
        return decision;
    }
    let version = case.seen.container(&document.workload).map(|found| found.version.clone());
    let (change, inactive) = (Box::new(decision.reason.clone()), inactive_unit(case, unit));
    let state = match (case.seen.running(), unit.active) {
        (None, _) => InUse::DoesNotRun(inactive),
        (Some(_), ActiveState::Activating) => {
            let start = Decision::wait(decision.phase, Reason::Unit(inactive));
            InUse::Starts(Box::new(report_start(case, start).reason))
        }
        (Some(_), _) => InUse::RunsAlone(Box::new(inactive)),
    };
    let reason = Reason::Beside { change, version, state };
    let decision = Decision { reason, ..decision };
    if let Some(last_good) =
        rollback::fallen_back(case).filter(|hash| !case.seen.has_document_of(hash))
    {
        let step = Step::RollBack { previous: last_good.clone(), runs: false };
        return start(case, unit, step, decision);
    }
    let is_good = match case.update.map(|update| &update.last_good) {
        Some(LastGood::Previous(hash) | LastGood::PreviousFailed(hash)) => {
            case.seen.has_document_of(hash)
        }
        Some(LastGood::None) => false,
        Some(LastGood::Current) | None => true,
    };
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    if rests && is_good { start(case, unit, Step::Start, decision) } else { decision }
}

fn start(case: Case<'_>, unit: &ObservedUnit, step: Step, decision: Decision) -> Decision {
    // What somebody changed is put right first; where that cannot be done, each has its turn.
    let last = case.update.and_then(|update| update.revival.as_ref());
    let has_turn = last.is_some_and(|it| !it.message.is_empty() && !it.failures.is_multiple_of(2));
    if decision.beside.is_some() && !has_turn {
        return decision;
    }
    match pause(case, unit).max(next_beside(case)) {
        Some(again_at) => {
            let wake_at = decision.wake_at.map_or(again_at, |at: Timestamp| at.min(again_at));
            decision.until(wake_at)
        }
        None => Decision { beside: Some(step), ..decision },
    }
}

/// Returns when the next step beside the change may begin, if it must wait.
pub(super) fn next_beside(case: Case<'_>) -> Option<Timestamp> {
    let last = case.update.and_then(|update| update.revival.as_ref());
    last.map(|revival| revival.retry_at).filter(|at| *at > case.input.now)
}

/// Returns the document and the unit of the version in use, if the unit is ours and nobody
/// stopped it, and if its container exists or it needs none.
fn in_use(case: Case<'_>) -> Option<(&ObservedDocument, &ObservedUnit)> {
    let seen = case.seen;
    let document = seen.document.as_ref()?;
    let unit = seen.unit.as_ref()?;
    let is_ours = unit.hash.is_some() && !unit.masked && !unit.counts_as_stopped();
    let is_there = seen.containers.is_empty() || seen.container(&document.workload).is_some();
    let holds = seen.running().is_none_or(|running| running.hash == document.workload);
    (is_ours && is_there && holds).then_some((document, unit))
}

/// Returns true if the change has stopped nothing yet and does nothing now, so that it may take
/// long. A pull and what runs once are the only steps that do. A run goes on when the version in
/// use is desired again.
fn may_wait(case: Case<'_>, decision: &Decision) -> bool {
    let is_before_switch = match case.update.map(|update| &update.stage) {
        Some(Stage::Preparing | Stage::Draining { .. } | Stage::Committed { .. }) | None => true,
        Some(
            Stage::Switching { .. }
            | Stage::Soaking { .. }
            | Stage::Failed { .. }
            | Stage::RolledBack { .. },
        ) => false,
    };
    let busy = case.input.busy.get(&case.desired.instance.component).map(|busy| &busy.step);
    let is_run = matches!(busy, Some(Step::RunOnce { .. }));
    let waits = match busy.or(decision.step.as_ref()) {
        Some(step) => is_run || *step == Step::Pull || matches!(step, Step::RunOnce { .. }),
        None => true,
    };
    is_before_switch && waits && (is_run || !case.is_set_up())
}
