//! Decides when a program that stays unhealthy is restarted. Each restart that does not help makes
//! the time before the next one twice as long.

use crate::document::instance::RestartUnhealthy;
use crate::document::status::{Health, Status, UnhealthyRestarts};
use crate::time::{Span, Timestamp};

/// The longest time before the next restart, unless the catalog names a longer one.
const PAUSE_MS_MAX: u64 = 3_600_000;
/// The count of restarts begins again for a program that was healthy for this time.
const FORGIVEN_MS: u64 = 3_600_000;

/// What is done with a program, by its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// It is not unhealthy, or must not be restarted.
    None,
    /// It is restarted once it has been unhealthy for so long.
    After {
        pause: Span,
        at: Timestamp,
    },
    /// It is not restarted, because this probe never had a good answer and may itself be wrong.
    NeverAnswered,
    /// It would be restarted, and calls are up or cannot be counted.
    CallsUp,
    Restart,
}

/// Decides what is done with a program. One that may carry calls is restarted only while they are
/// counted and there are none.
#[must_use]
pub fn remedy(
    policy: &RestartUnhealthy,
    status: &Status,
    may_carry_calls: bool,
    now: Timestamp,
) -> Remedy {
    let Some(after_ms) = policy.after_ms.filter(|_| status.health == Health::Unhealthy) else {
        return Remedy::None;
    };
    if !status.has_answered {
        return Remedy::NeverAnswered;
    }
    let longest_ms = PAUSE_MS_MAX.max(after_ms);
    let pause_ms = after_ms.saturating_mul(1 << in_a_row(status).min(20)).min(longest_ms);
    let at = status.since.plus_ms(pause_ms);
    if now < at {
        return Remedy::After { pause: Span(pause_ms), at };
    }
    if may_carry_calls && !policy.cuts_calls && status.active != Some(0) {
        return Remedy::CallsUp;
    }
    Remedy::Restart
}

/// Returns the record after another restart.
#[must_use]
pub fn restarted(status: &Status, now: Timestamp) -> UnhealthyRestarts {
    UnhealthyRestarts { times: in_a_row(status).saturating_add(1), last: now }
}

/// Returns the restarts that did not help for long.
#[must_use]
pub fn in_a_row(status: &Status) -> u32 {
    let restarts = status.unhealthy_restarts.as_ref();
    let recent = restarts.filter(|it| status.since.since_ms(it.last) < FORGIVEN_MS);
    recent.map_or(0, |restarts| restarts.times)
}

#[cfg(test)]
mod tests;
