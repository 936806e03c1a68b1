//! Handles instances that were stopped or masked on the host by hand.

use crate::decide::observed::ObservedUnit;
use crate::document::report::{Failure, Phase};
use crate::document::update::Stage;

use super::case::{Case, Decision};
use super::reason::{Hold, Reason};

/// Decides for a unit that was stopped or masked. A version whose soak has not finished is
/// not known to be good, so the change waits for an operator.
pub(super) fn held(case: Case<'_>, unit: &ObservedUnit, hold: Hold) -> Decision {
    if case.is_under_way() || !case.soaked_before() {
        return Decision::wait(Phase::Blocked, Reason::HeldBeforeSoaked(hold));
    }
    Decision::wait(Phase::StoppedByHand { since: unit.since }, Reason::Held(hold))
}

/// Decides for a masked unit, which cannot be started. A failure of the change is still reported.
pub(super) fn masked(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    let hold = Hold::Masked;
    let failed =
        |failure: &Failure| Reason::Failed { message: failure.message.clone(), hold: Some(hold) };
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
        | None => held(case, unit, hold),
    }
}
