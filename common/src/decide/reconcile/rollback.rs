//! Back to the version before, when the new one is no good or was superseded.

use crate::decide::observed::{ActiveState, ObservedUnit};
use crate::document::report::{Failure, Phase};
use crate::document::status::Health;
use crate::document::update::{LastGood, Stage};
use crate::id::ContentHash;

use super::{Case, Decision, Step, change, is_active, maintain};

/// The last version that proved good, where the one that was superseded left
/// nothing running: making the next one ready may take long.
pub(super) fn fallen_back(case: Case<'_>) -> Option<&ContentHash> {
    let Some(LastGood::Previous(last_good)) = case.update.map(|update| &update.last_good) else {
        return None;
    };
    let unit = case.seen.unit.as_ref().filter(|unit| !unit.stopped_by_hand)?;
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed)
        && case.seen.running().is_none();
    // What is started again and again may have answered before, and has calls then.
    let never_comes_up = unit.keeps_failing()
        && (case.seen.running().is_none() || case.seen.never_answered())
        && !case.works_by(last_good);
    (rests || never_comes_up).then_some(last_good)
}

/// The new version failed: the previous one comes back, if there is one.
pub(super) fn failed(case: Case<'_>, failure: &Failure) -> Decision {
    let unit = case.seen.unit.as_ref();
    if unit.is_some_and(|unit| case.is_container() && unit.stopped_by_hand) {
        // Known to be no good: the rollout need not wait for whoever stopped it.
        return Decision::wait(Phase::Failed, stopped_too(&failure.message));
    }
    match (case.returns_to(), case.update.map(|update| &update.last_good)) {
        (Some(previous), Some(LastGood::Previous(_))) => call_back(case, previous, failure),
        (Some(previous), _) if case.works_by(previous) => start_again(case, previous, failure),
        (Some(_) | None, _) => cured(case, failure),
    }
}

fn call_back(case: Case<'_>, previous: &ContentHash, failure: &Failure) -> Decision {
    let waits = case.seen.unit.as_ref().is_some_and(|unit| {
        case.is_container()
            && case.works_by(previous)
            && case.seen.running().is_none_or(|container| &container.hash == previous)
            && is_on_its_way(unit)
    });
    if waits {
        return Decision::wait(Phase::Starting, failure.message.clone());
    }
    let step = Step::RollBack { previous: previous.clone(), runs: came_back(case, previous) };
    Decision::act(Phase::Starting, step, failure.message.clone())
}

/// It did not start when it was called back; whatever kept it from that may pass.
fn start_again(case: Case<'_>, previous: &ContentHash, failure: &Failure) -> Decision {
    if came_back(case, previous) {
        let step = Step::RollBack { previous: previous.clone(), runs: true };
        return Decision::act(Phase::Starting, step, failure.message.clone());
    }
    let rests = case
        .seen
        .unit
        .as_ref()
        .is_some_and(|unit| matches!(unit.active, ActiveState::Inactive | ActiveState::Failed));
    if rests {
        return Decision::act(Phase::Failed, Step::Start, failure.message.clone());
    }
    Decision::wait(Phase::Failed, failure.message.clone())
}

/// Somebody may have cured it on the host: what stays healthy for its soak time
/// is kept. One that merely was started once more is not.
fn cured(case: Case<'_>, failure: &Failure) -> Decision {
    let runs_goal = case.runs_by_goal() && change::runs_goal(case);
    let healthy = maintain::health(&case.desired.instance, case.seen, case.input.now);
    let unit = case.seen.unit.as_ref().filter(|unit| is_active(unit));
    let Some(unit) = unit.filter(|_| runs_goal && healthy == Health::Healthy) else {
        return Decision::wait(Phase::Failed, failure.message.clone());
    };
    let since = unit.since.max(failure.at);
    let until = since.plus_ms(case.desired.policy.soak_ms);
    if case.input.now < until {
        return Decision::wait(Phase::Failed, failure.message.clone()).until(until);
    }
    Decision::act(Phase::Starting, case.keep(), "healthy after all")
}

/// Nobody may start it: respected, whatever became of the change.
pub(super) fn masked(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    let how = "its unit is masked on the host";
    let also = |failure: &Failure| format!("{}; {how}", failure.message);
    match case.update.map(|update| &update.stage) {
        Some(Stage::Failed { failure, .. }) => Decision::wait(Phase::Failed, also(failure)),
        Some(Stage::RolledBack { failure, .. }) => Decision::wait(Phase::RolledBack, also(failure)),
        Some(
            Stage::Preparing
            | Stage::Draining { .. }
            | Stage::Switching { .. }
            | Stage::Soaking { .. }
            | Stage::Committed { .. },
        )
        | None => maintain::held(case, unit, how),
    }
}

fn stopped_too(reason: &str) -> String {
    format!("{reason}; {}", maintain::BY_HAND)
}

/// It answers again already. A packaged unit does not tell which of its drop-ins
/// it was started by.
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

/// The desired version failed and the one before runs, or should.
pub(super) fn returned(case: Case<'_>, failure: &Failure) -> Decision {
    let reason = match &failure.version {
        Some(version) => format!("version {version} {}", failure.message),
        None => failure.message.clone(),
    };
    let Some(unit) = &case.seen.unit else { return Decision::wait(Phase::Failed, reason) };
    if unit.stopped_by_hand {
        return Decision::wait(Phase::RolledBack, stopped_too(&reason));
    }
    // What was left running never proved good either.
    if let Some(last_good) = fallen_back(case).filter(|last_good| !case.works_by(last_good)) {
        let step = Step::RollBack { previous: last_good.clone(), runs: false };
        return Decision::act(Phase::Starting, step, reason);
    }
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => Decision::wait(Phase::RolledBack, reason),
        ActiveState::Activating | ActiveState::Deactivating => {
            Decision::wait(Phase::Starting, reason)
        }
        ActiveState::Inactive | ActiveState::Failed => {
            Decision::act(Phase::Starting, Step::Start, reason)
        }
    }
}
