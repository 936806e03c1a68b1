//! Time is a value that comes in from outside; nothing in this crate reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the time `duration_ms` later.
    #[must_use]
    pub fn plus_ms(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }

    /// Returns this time as a clock shows it that was set forward by `by_ms`, or back if negative.
    #[must_use]
    pub fn shifted_ms(self, by_ms: i64) -> Self {
        Self(self.0.saturating_add_signed(by_ms))
    }

    /// Returns the milliseconds since `earlier`, or 0 if the clock was set back.
    #[must_use]
    pub fn since_ms(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The smallest step, in milliseconds, that counts as setting a clock; smaller steps are
/// NTP slewing.
const SET_MS_MIN: u64 = 1_000;

/// The difference between a host's wall clock and the time since its boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMark {
    /// The id of the boot; empty if it is not known.
    pub boot: String,
    /// The time of that boot, by the wall clock as it was set then.
    pub booted_at_ms: i64,
}

impl ClockMark {
    /// Returns by how many milliseconds the clock was set since an earlier mark of the
    /// same boot, or `None` if it was not set.
    #[must_use]
    pub fn set_since(&self, earlier: &ClockMark) -> Option<i64> {
        let by_ms = self.booted_at_ms.saturating_sub(earlier.booted_at_ms);
        (by_ms.unsigned_abs() >= SET_MS_MIN).then_some(by_ms)
    }

    /// Returns whether both marks are known to be of one boot.
    #[must_use]
    pub fn is_same_boot(&self, other: &ClockMark) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }
}

/// A span of milliseconds, shown to people as `850ms`, `12s`, `3m 5s`, `2h 10m` or `4d 3h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match () {
            () if seconds == 0 => write!(f, "{}ms", self.0),
            () if seconds < 60 => write!(f, "{seconds}s"),
            () if seconds < 3600 => write!(f, "{minutes}m {}s", seconds % 60),
            () if days == 0 => write!(f, "{hours}h {minutes}m"),
            () => write!(f, "{days}d {hours}h"),
        }
    }
}

/// The error of a text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// The text is not a number followed by a unit.
    #[error("a duration is a whole number and a unit: 500ms, 10s, 5m, 2h or 1d")]
    Form,
    /// The duration is longer than 366 days.
    #[error("a duration is at most 366 days")]
    TooLong,
}

/// Reads `500ms`, `10s`, `5m`, `2h` or `1d` into milliseconds.
///
/// # Errors
/// Returns [`InvalidDuration`] for any other form and for more than 366 days.
pub fn parse_duration_ms(text: &str) -> Result<u64, InvalidDuration> {
    const LONGEST_MS: u64 = 366 * 86_400_000;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        _ if number.is_empty() => return Err(InvalidDuration::Form),
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(InvalidDuration::Form),
    };
    // Digits fail to parse only if the number is too large.
    let number: u64 = number.parse().map_err(|_| InvalidDuration::TooLong)?;
    let duration_ms = number.checked_mul(factor).filter(|ms| *ms <= LONGEST_MS);
    duration_ms.ok_or(InvalidDuration::TooLong)
}

/// Writes a duration in the form that [`parse_duration_ms`] reads.
#[must_use]
pub fn print_duration_ms(duration_ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    units
        .iter()
        .find(|(_, factor)| duration_ms > 0 && duration_ms.is_multiple_of(*factor))
        .map_or_else(
            || format!("{duration_ms}ms"),
            |(unit, factor)| format!("{}{unit}", duration_ms / factor),
        )
}

#[cfg(test)]
mod tests;
