//! Formats times for people.

use oml_common::time::Timestamp;

/// Formats a time to the second, in UTC (RFC 3339).
pub(super) fn shown(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}
