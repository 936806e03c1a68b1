//! Handles instances that were stopped or masked on the host by hand.

use crate::decide::observed::ObservedUnit;
use crate::decide::step::Step;
use crate::document::report::{Failure, Phase};
use crate::document::update::Stage;

use super::case::{Case, Decision, is_active};
use super::health::{decide_health, report_crash_loop};
use super::reason::{Lack, ManualStop, Reason};
use super::reload;

/// Decides for a unit that was stopped or masked. A version whose soak has not finished is
/// not known to be good, so the change waits for an operator.
pub(super) fn stopped(case: Case<'_>, unit: &ObservedUnit, stop: ManualStop) -> Decision {
    if case.is_under_way() || !case.soaked_before() {
        return Decision::wait(Phase::Blocked, Reason::StoppedBeforeSoaked(stop));
    }
    Decision::wait(Phase::StoppedByHand { since: unit.since }, Reason::StoppedByHand(stop))
}

/// Adds to the decision about a stopped unit that what somebody changed is written again, which starts
/// nothing: a start by hand would run by what was changed. What may have been stopped and shows it no
/// more once it is enabled is left as it is.
pub(super) fn put_right(case: Case<'_>, unit: &ObservedUnit, decision: Decision) -> Decision {
    let may_act = unit.was_stopped() && is_changed(case, unit);
    let step = reload::rewrite(case).filter(|_| may_act);
    Decision { step, ..decision }
}

/// Returns true if somebody changed the unit, the document or the files of what the host works by.
pub(super) fn is_changed(case: Case<'_>, unit: &ObservedUnit) -> bool {
    let is_edited = case.seen.has_edited_document();
    is_edited || !unit.by_hand.is_empty() || !case.seen.file_changes.is_empty()
}

/// Decides for a masked unit, which cannot be started. A failure of the change is still reported, and
/// what serves does so until it ends.
pub(super) fn masked(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    let stop = ManualStop::Masked;
    let failed =
        |failure: &Failure| Reason::Failed { message: failure.message.clone(), stop: Some(stop) };
    match case.update.map(|update| &update.stage) {
        Some(Stage::Failed { failure, .. }) => Decision::wait(Phase::Failed, failed(failure)),
        Some(Stage::RolledBack { failure, .. }) => {
            Decision::wait(Phase::RolledBack, failed(failure))
        }
        Some(
            Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Switching { .. }
            | Stage::Soaking { .. }
            | Stage::Committed { .. },
        )
        | None => match is_active(unit) {
            true => masked_and_running(case, unit),
            false => stopped(case, unit, stop),
        },
    }
}

/// Decides for a unit that was masked while it ran. Nothing of what runs changes.
fn masked_and_running(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    if case.is_under_way() {
        let reason = Reason::StoppedBeforeSoaked(ManualStop::Masked);
        return Decision::wait(Phase::Blocked, reason);
    }
    if !case.is_set_up() || !case.soaked_before() || reload::not_taken(case).is_some() {
        return Decision::wait(Phase::Blocked, Reason::WaitsForUnmask);
    }
    // A mask is in the place of our own unit file, and only beside our drop-in of a package's unit.
    let is_changed = unit.stale || is_changed(case, unit) || !case.document_is_current();
    if !case.is_container() && (unit.hash.is_none() || is_changed) {
        let reason = Reason::Lacks(Lack::Documents);
        return Decision::act(Phase::Preparing, Step::RewriteConfig, reason);
    }
    report_crash_loop(case, decide_health(case))
}

/// Stops the container of a unit that somebody stopped. A supervisor that was killed before had
/// left the container running, so the stop of the unit did not reach it.
pub(super) fn stop_leftover(case: Case<'_>, decision: Decision) -> Decision {
    let component = &case.desired.instance.component;
    let was_stopped = case.seen.unit.as_ref().is_some_and(|unit| unit.counts_as_stopped());
    let is_left = case.is_container() && was_stopped && case.seen.running().is_some();
    let backoff = case.update.and_then(|update| update.backoff.as_ref());
    let may_act = !case.input.busy.contains_key(component)
        && backoff.is_none_or(|backoff| backoff.retry_at <= case.input.now);
    if !is_left || !may_act {
        return decision;
    }
    let (step, reason) = (Some(Step::StopContainer), Reason::StopsLeftover);
    Decision { step, reason, beside: None, wake_at: None, ..decision }
}
