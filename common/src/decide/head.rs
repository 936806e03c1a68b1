//! The revisions of a tenant that matter, and how changes and rollouts move them.

use crate::document::revision::Head;
use crate::document::rollout::{Rollout, RolloutOutcome, State};
use crate::id::RevisionNumber;
#[cfg(feature = "planted-bugs")]
use crate::planted::{Bug, is_planted};
use crate::time::Timestamp;

/// Returns the revision on which the next change is made: the wanted one, or the previous
/// one while a rollout is rolled back.
#[must_use]
pub fn base(head: Head, rollout: Option<&Rollout>) -> RevisionNumber {
    rollout.and_then(Rollout::returns_to).unwrap_or(head.current)
}

/// Returns the number of a tenant's next revision.
#[must_use]
pub fn next_revision(head: Option<Head>) -> RevisionNumber {
    head.map(|head| head.last).unwrap_or_default().next()
}

/// Returns the head after a rollout has reached `rollout`, and the outcome to record of
/// its revision; there is no outcome while the rollout is under way.
#[must_use]
pub fn after_rollout(head: Head, rollout: &Rollout) -> (Head, Option<RolloutOutcome>) {
    let head = match (&rollout.state, rollout.from) {
        (State::Completed, _) => Head { good: Some(rollout.to), ..head },
        #[cfg(feature = "planted-bugs")]
        (State::RolledBack { .. }, _) if is_planted(Bug::HeadTransition) => head,
        // The next change is made on what runs.
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

/// Returns the head when `revision` is wanted, and the outcome of the revision whose
/// rollout it supersedes; there is no outcome if that rollout had ended before.
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
    /// Returns the head of a restored tenant. The next change is made on the same
    /// revision as before, but no revision is known to be running.
    #[must_use]
    pub fn quiesced(self, rollout: Option<&Rollout>) -> Self {
        Self { current: base(self, rollout), good: None, ..self }
    }
}

#[cfg(test)]
mod tests;
