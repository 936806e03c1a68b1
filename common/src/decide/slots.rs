//! Decides which instance documents are written before a switch, so that the version to roll
//! back to is still known afterwards.

use crate::id::ContentHash;

/// The documents of a component on the host, by the workload of each; none where the file is
/// missing or cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots<'a> {
    pub current: Option<&'a ContentHash>,
    pub previous: Option<&'a ContentHash>,
}

/// What is written before a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeSwitch<'a> {
    /// The current document becomes the previous one, and the desired one the current one.
    Advance,
    /// The document of this workload, the one to roll back to, is looked up and becomes the
    /// previous one; then the desired one is written as the current one.
    RestorePrevious(&'a ContentHash),
    /// Only the desired document is written, as the current one.
    WriteCurrent,
}

/// Decides what is written before a switch. `roll_back_to` is the last good workload, if there
/// is one. The current document may be another one, because the switch was begun before or
/// because what runs is not the last good version.
#[must_use]
pub fn before_switch<'a>(
    roll_back_to: Option<&'a ContentHash>,
    slots: Slots<'_>,
) -> BeforeSwitch<'a> {
    let Some(roll_back_to) = roll_back_to else { return BeforeSwitch::WriteCurrent };
    if slots.current == Some(roll_back_to) {
        return BeforeSwitch::Advance;
    }
    match slots.previous == Some(roll_back_to) {
        true => BeforeSwitch::WriteCurrent,
        false => BeforeSwitch::RestorePrevious(roll_back_to),
    }
}

#[cfg(test)]
mod tests;
