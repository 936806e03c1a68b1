//! The head of a tenant names its relevant revisions. Changes and rollouts move it.

use crate::document::revision::Head;
use crate::document::rollout::{Rollout, RolloutOutcome, State};
use crate::id::RevisionNumber;
#[cfg(feature = "planted-bugs")]
use crate::planted::{Bug, is_planted};
use crate::time::Timestamp;

/// Returns the revision on which the next change is based: the current one or, during a
/// rollback, the one to which the rollout returns.
#[must_use]
pub fn base(head: Head, rollout: Option<&Rollout>) -> RevisionNumber {
    rollout.and_then(Rollout::returns_to).unwrap_or(head.current)
}

/// Returns the number of the next revision of a tenant.
#[must_use]
pub fn next_revision(head: Option<Head>) -> RevisionNumber {
    head.map(|head| head.last).unwrap_or_default().next()
}

/// Returns the head after a step of a rollout, and the outcome of its revision if the rollout
/// has ended.
#[must_use]
pub fn after_rollout(head: Head, rollout: &Rollout) -> (Head, Option<RolloutOutcome>) {
    let head = match (&rollout.state, rollout.from) {
        (State::Completed, _) => Head { good: Some(rollout.to), ..head },
        #[cfg(feature = "planted-bugs")]
        (State::RolledBack { .. }, _) if is_planted(Bug::HeadTransition) => head,
        // The next change is based on the revision that runs.
        (State::RolledBack { .. }, Some(from)) => Head { current: from, ..head },
        (
            State::RolledBack { .. }
            | State::Paused { .. }
            | State::Superseded
            | State::Progressing { .. }
            | State::RollingBack { .. },
            _,
        ) => head,
    };
    let outcome = rollout.is_ended().then(|| RolloutOutcome {
        state: rollout.state.clone(),
        at: rollout.since,
        failures: rollout.failures.clone(),
    });
    (head, outcome)
}

/// Returns the head after a change to `revision`, and the outcome of the rollout that the
/// change supersedes, unless that rollout had ended already.
#[must_use]
pub fn after_change(
    head: Option<Head>,
    revision: RevisionNumber,
    before: Option<&Rollout>,
    now: Timestamp,
) -> (Head, Option<(RevisionNumber, RolloutOutcome)>) {
    let good = head.and_then(|head| head.good);
    let superseded = before.filter(|rollout| !rollout.is_ended()).map(|rollout| {
        let failures = rollout.failures.clone();
        (rollout.to, RolloutOutcome { state: State::Superseded, at: now, failures })
    });
    (Head { current: revision, last: revision, good }, superseded)
}

impl Head {
    /// Returns the head of a tenant after a restore. The next change is based on the same
    /// revision as before, but it is unknown what the nodes run.
    #[must_use]
    pub fn quiesced(self, rollout: Option<&Rollout>) -> Self {
        Self { current: base(self, rollout), good: None, ..self }
    }
}

#[cfg(test)]
mod tests;
