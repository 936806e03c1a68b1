//! Rollback to the previous version, when the new one failed or was superseded.

use crate::decide::observed::{ActiveState, ObservedUnit};
use crate::decide::step::Step;
use crate::document::report::{Failure, Phase};
use crate::document::status::Health;
use crate::document::update::LastGood;
use crate::id::ContentHash;

use super::case::{Case, Decision, is_active};
use super::health::health;
use super::reason::{Hold, Reason};

/// The last good version, where the one that was superseded left nothing running:
/// making the next one ready may take long.
pub(super) fn fallen_back(case: Case<'_>) -> Option<&ContentHash> {
    let Some(LastGood::Previous(last_good)) = case.update.map(|update| &update.last_good) else {
        return None;
    };
    let unit = case.seen.unit.as_ref().filter(|unit| !unit.stopped_by_hand)?;
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed)
        && case.seen.running().is_none();
    // A program that is restarted again and again may have answered before, and have calls.
    let never_comes_up = unit.keeps_failing()
        && (case.seen.running().is_none() || case.seen.never_answered())
        && !case.works_by(last_good);
    (rests || never_comes_up).then_some(last_good)
}

/// The new version failed: rolls back to the previous one, if there is one.
pub(super) fn failed(case: Case<'_>, failure: &Failure) -> Decision {
    let unit = case.seen.unit.as_ref();
    if unit.is_some_and(|unit| case.is_container() && unit.stopped_by_hand) {
        // It is known to have failed: the rollout need not wait for whoever stopped it.
        return Decision::wait(Phase::Failed, failed_reason(failure, Some(Hold::Stopped)));
    }
    match (case.returns_to(), case.update.map(|update| &update.last_good)) {
        (Some(previous), Some(LastGood::Previous(_))) => roll_back(case, previous, failure),
        (Some(previous), _) if case.works_by(previous) => start_again(case, previous, failure),
        (Some(_) | None, _) => repaired(case, failure),
    }
}

fn roll_back(case: Case<'_>, previous: &ContentHash, failure: &Failure) -> Decision {
    let waits = case.seen.unit.as_ref().is_some_and(|unit| {
        case.is_container()
            && case.works_by(previous)
            && case.seen.running().is_none_or(|container| &container.hash == previous)
            && is_on_its_way(unit)
    });
    if waits {
        return Decision::wait(Phase::Starting, failed_reason(failure, None));
    }
    let step = Step::RollBack { previous: previous.clone(), runs: came_back(case, previous) };
    Decision::act(Phase::Starting, step, failed_reason(failure, None))
}

/// The previous version did not start when it was rolled back to; whatever kept it
/// from that may pass.
fn start_again(case: Case<'_>, previous: &ContentHash, failure: &Failure) -> Decision {
    if came_back(case, previous) {
        let step = Step::RollBack { previous: previous.clone(), runs: true };
        return Decision::act(Phase::Starting, step, failed_reason(failure, None));
    }
    let rests = case
        .seen
        .unit
        .as_ref()
        .is_some_and(|unit| matches!(unit.active, ActiveState::Inactive | ActiveState::Failed));
    if rests {
        return Decision::act(Phase::Failed, Step::Start, failed_reason(failure, None));
    }
    Decision::wait(Phase::Failed, failed_reason(failure, None))
}

/// Somebody may have repaired it on the host: what stays healthy for its soak time
/// is committed. One that was only started once more is not.
fn repaired(case: Case<'_>, failure: &Failure) -> Decision {
    let runs_desired = case.works_by_desired() && case.runs_desired();
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

/// Whether the previous version answers again already. A packaged unit does not tell
/// with which of its drop-ins it was started.
fn came_back(case: Case<'_>, previous: &ContentHash) -> bool {
    case.is_container()
        && case.works_by(previous)
        && case.seen.running().is_some_and(|container| &container.hash == previous)
        && case.seen.unit.as_ref().is_some_and(is_active)
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

/// The desired version failed, and the previous one runs or should run.
pub(super) fn returned(case: Case<'_>, failure: &Failure) -> Decision {
    let reason = |hold| Reason::RolledBack {
        version: failure.version.clone(),
        message: failure.message.clone(),
        hold,
    };
    let Some(unit) = &case.seen.unit else { return Decision::wait(Phase::Failed, reason(None)) };
    if unit.stopped_by_hand {
        return Decision::wait(Phase::RolledBack, reason(Some(Hold::Stopped)));
    }
    // What was left running never passed its soak either.
    if let Some(last_good) = fallen_back(case).filter(|last_good| !case.works_by(last_good)) {
        let step = Step::RollBack { previous: last_good.clone(), runs: false };
        return Decision::act(Phase::Starting, step, reason(None));
    }
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => {
            Decision::wait(Phase::RolledBack, reason(None))
        }
        ActiveState::Activating | ActiveState::Deactivating => {
            Decision::wait(Phase::Starting, reason(None))
        }
        ActiveState::Inactive | ActiveState::Failed => {
            Decision::act(Phase::Starting, Step::Start, reason(None))
        }
    }
}

fn failed_reason(failure: &Failure, hold: Option<Hold>) -> Reason {
    Reason::Failed { message: failure.message.clone(), hold }
}
