//! Time as a value: nothing in this crate reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This instant and `duration_ms` more.
    #[must_use]
    pub fn plus_ms(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }

    /// This instant on a clock that was set forward, or back, by so much.
    #[must_use]
    pub fn shifted_ms(self, by_ms: i64) -> Self {
        Self(self.0.saturating_add_signed(by_ms))
    }

    /// Milliseconds from `earlier` to this instant; 0 when the clock went back.
    #[must_use]
    pub fn since_ms(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span for people: `850ms`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`.
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

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It is written otherwise.
    #[error("a duration is a whole number and a unit: 500ms, 10s, 5m, 2h or 1d")]
    Form,
    /// It is longer than any that makes sense.
    #[error("a duration is at most 366 days")]
    TooLong,
}

/// Reads `500ms`, `10s`, `5m`, `2h` or `1d` into milliseconds.
///
/// # Errors
/// [`InvalidDuration`] for anything else, and for more than 366 days.
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
    // Digits alone fail to be a number only by being too many.
    let number: u64 = number.parse().map_err(|_| InvalidDuration::TooLong)?;
    let duration_ms = number.checked_mul(factor).filter(|ms| *ms <= LONGEST_MS);
    duration_ms.ok_or(InvalidDuration::TooLong)
}

/// Writes milliseconds so that [`parse_duration_ms`] reads the same number.
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
