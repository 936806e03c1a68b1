//! Decides whether a unit is still in the life in which it was before a restart.
//!
//! Somebody may cancel the job of a restart, or have another job replace it, before it has stopped
//! anything. Then the unit is active as after a restart, and what was to be replaced still runs.

/// What names one life of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invocation {
    /// The unit's `InvocationID`, which is another one after every start; empty if it never started
    /// or systemd does not say it.
    pub id: Vec<u8>,
    /// When the unit last became active, in microseconds since boot; 0 if it never did.
    pub active_enter: u64,
}

/// Returns true if a unit that is active after a restart is in the same life as before it.
#[must_use]
pub fn is_same_life(before: &Invocation, after: &Invocation) -> bool {
    match (before.id.is_empty(), after.id.is_empty()) {
        (true, true) => after.active_enter > 0 && before.active_enter == after.active_enter,
        (true, false) | (false, true) => false,
        (false, false) => before.id == after.id,
    }
}

#[cfg(test)]
mod tests;
