//! Decides the rollback to the previous version after the new one failed or was superseded.

use crate::decide::observed::{ActiveState, ContainerState, ObservedUnit};
use crate::decide::run_once;
use crate::decide::step::Step;
use crate::document::report::{Failure, Phase};
use crate::document::status::Health;
use crate::document::update::LastGood;
use crate::id::ContentHash;

use super::case::{Case, Decision, is_active};
use super::health::health;
use super::reason::{ManualStop, Reason};

/// Returns the last good version if the superseded one left nothing running. It runs until
/// the next one is ready, which may take long.
pub(super) fn fallen_back(case: Case<'_>) -> Option<&ContentHash> {
    let Some(LastGood::Previous(last_good)) = case.update.map(|update| &update.last_good) else {
        return None;
    };
    let unit = case.seen.unit.as_ref().filter(|unit| !unit.counts_as_stopped())?;
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed)
        && case.seen.running().is_none();
    // A program that is restarted again and again may have answered before, and have calls.
    let never_comes_up = unit.keeps_failing()
        && (case.seen.running().is_none() || case.seen.never_answered())
        && !case.seen.has_document_of(last_good);
    let may_run = !case.has_no_way_back()
        && run_once::no_way_back(&case.desired.instance, case.seen, last_good).is_none();
    ((rests || never_comes_up) && may_run).then_some(last_good)
}

/// Decides for a new version that failed. It is rolled back to the previous one, if there is one.
pub(super) fn failed(case: Case<'_>, failure: &Failure) -> Decision {
    let stopped = case.seen.unit.as_ref().filter(|unit| unit.counts_as_stopped());
    if let Some(unit) = stopped.filter(|unit| unit.was_stopped()) {
        // The version is known to have failed, so the rollout need not wait for the operator who stopped it.
        return Decision::wait(Phase::Failed, failed_reason(failure, Some(ManualStop::of(unit))));
    }
    if let Some(operation) = case
        .returns_to()
        .and_then(|to| run_once::no_way_back(&case.desired.instance, case.seen, to))
    {
        let message = format!(
            "{}; it is not rolled back, because no earlier version can run after the migration {operation}",
            failure.message
        );
        return repaired(case, &Failure { message, ..failure.clone() });
    }
    if case.returns_to().is_some() && case.has_no_way_back() {
        let message = format!(
            "{}; it is not rolled back, because the version before cannot read what it may have written",
            failure.message
        );
        return repaired(case, &Failure { message, ..failure.clone() });
    }
    match (case.returns_to(), case.update.map(|update| &update.last_good)) {
        (Some(previous), Some(LastGood::Previous(_))) => roll_back(case, previous, failure),
        (Some(previous), _) if case.seen.has_document_of(previous) => {
            start_again(case, previous, failure)
        }
        (Some(previous), _) => match repaired(case, failure) {
            // Its image could not be had, so nothing of it is on the host. It may be had again.
            Decision { step: None, .. } if has_backoff(case) => {
                let step = Step::RollBack { previous: previous.clone(), runs: false };
                Decision::act(Phase::Failed, step, failed_reason(failure, None))
            }
            decision => decision,
        },
        (None, _) => repaired(case, failure),
    }
}

fn has_backoff(case: Case<'_>) -> bool {
    case.update.is_some_and(|update| update.backoff.is_some())
}

fn roll_back(case: Case<'_>, previous: &ContentHash, failure: &Failure) -> Decision {
    let starts = case.seen.unit.as_ref().filter(|unit| {
        case.is_container()
            && case.seen.has_document_of(previous)
            && case.seen.running().is_none_or(|container| &container.hash == previous)
            && is_on_its_way(unit)
            && !case.waits_for_image(unit)
    });
    if let Some(unit) = starts {
        let waits = Decision::wait(Phase::Starting, failed_reason(failure, None));
        return case.until_created(unit, waits);
    }
    let step = Step::RollBack { previous: previous.clone(), runs: came_back(case, previous) };
    let phase = if has_backoff(case) { Phase::Failed } else { Phase::Starting };
    Decision::act(phase, step, failed_reason(failure, None))
}

/// Decides for a previous version that did not start when it was rolled back to. It is
/// started again, because the cause may have passed.
fn start_again(case: Case<'_>, previous: &ContentHash, failure: &Failure) -> Decision {
    if came_back(case, previous) || came_back_packaged(case, failure) {
        let step = Step::RollBack { previous: previous.clone(), runs: true };
        return Decision::act(Phase::Starting, step, failed_reason(failure, None));
    }
    let waits = Decision::wait(Phase::Failed, failed_reason(failure, None));
    let Some(unit) = &case.seen.unit else { return waits };
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    if rests || case.waits_for_image(unit) {
        return Decision::act(Phase::Failed, Step::Start, failed_reason(failure, None));
    }
    case.until_created(unit, waits)
}

/// Decides for a failed version without another one to run. Somebody may have repaired it on
/// the host, so it is committed after it has been healthy for its whole soak time.
fn repaired(case: Case<'_>, failure: &Failure) -> Decision {
    let runs_desired = case.is_set_up() && case.runs_desired();
    let healthy = health(&case.desired.instance, case.seen, case.input.now);
    let unit = case.seen.unit.as_ref().filter(|unit| is_active(unit));
    let Some(unit) = unit.filter(|_| runs_desired && healthy == Health::Healthy) else {
        return Decision::wait(Phase::Failed, failed_reason(failure, None));
    };
    let since = unit.since.max(failure.at);
    let until = since.plus_ms(case.desired.policy.soak_ms);
    if case.input.now < until {
        return Decision::wait(Phase::Failed, failed_reason(failure, None)).until(until);
    }
    Decision::act(Phase::Starting, case.commit(), Reason::HealthyAfterAll)
}

/// Returns true if the previous version answers again already. This is unknown of a packaged
/// unit, because systemd does not show the drop-in that it was started with.
fn came_back(case: Case<'_>, previous: &ContentHash) -> bool {
    case.is_container()
        && case.seen.has_document_of(previous)
        && case.seen.running().is_some_and(|container| &container.hash == previous)
        && case.seen.unit.as_ref().is_some_and(is_active)
}

/// Returns true if a packaged unit runs that was started after the failure and whose drop-in is not that
/// of the desired version any more, while its document is that of the previous one.
fn came_back_packaged(case: Case<'_>, failure: &Failure) -> bool {
    let unit = case.seen.unit.as_ref().filter(|_| !case.is_container());
    unit.is_some_and(|unit| {
        unit.hash.is_some() && unit.stale && is_active(unit) && unit.since > failure.at
    })
}

fn is_on_its_way(unit: &ObservedUnit) -> bool {
    match unit.active {
        ActiveState::Activating | ActiveState::Deactivating => !unit.keeps_failing(),
        ActiveState::Active
        | ActiveState::Reloading
        | ActiveState::Inactive
        | ActiveState::Failed => false,
    }
}

/// Decides for a failed version after its rollback, when the previous one runs or should run.
pub(super) fn returned(case: Case<'_>, failure: &Failure) -> Decision {
    let reason = |stop| Reason::RolledBack {
        version: failure.version.clone(),
        message: failure.message.clone(),
        stop,
    };
    let Some(unit) = &case.seen.unit else { return Decision::wait(Phase::Failed, reason(None)) };
    if never_ran(case) {
        return Decision::wait(Phase::Failed, failed_reason(failure, None));
    }
    if unit.counts_as_stopped() {
        return Decision::wait(Phase::RolledBack, reason(Some(ManualStop::of(unit))));
    }
    // A version that the superseded change left running never passed its soak either.
    if let Some(last_good) =
        fallen_back(case).filter(|last_good| !case.seen.has_document_of(last_good))
    {
        let step = Step::RollBack { previous: last_good.clone(), runs: false };
        return Decision::act(Phase::Starting, step, reason(None));
    }
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => {
            Decision::wait(Phase::RolledBack, reason(None))
        }
        // A start pulls its image.
        ActiveState::Activating if case.waits_for_image(unit) => {
            Decision::act(Phase::Starting, Step::Start, reason(None))
        }
        ActiveState::Activating | ActiveState::Deactivating => {
            case.until_created(unit, Decision::wait(Phase::Starting, reason(None)))
        }
        ActiveState::Inactive | ActiveState::Failed => {
            Decision::act(Phase::Starting, Step::Start, reason(None))
        }
    }
}

/// Returns true if nothing of the component was ever started. Its unit may be there: a start would
/// be that of the version that failed before its first start.
fn never_ran(case: Case<'_>) -> bool {
    let mut containers = case.seen.containers.iter();
    case.is_container()
        && case.seen.document.is_none()
        && containers.all(|container| container.state == ContainerState::Created)
}

fn failed_reason(failure: &Failure, stop: Option<ManualStop>) -> Reason {
    Reason::Failed { message: failure.message.clone(), stop }
}
