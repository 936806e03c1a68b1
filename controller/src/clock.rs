//! The one place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use oml_common::time::Timestamp;

/// Now; a clock before 1970 reads as 1970.
#[must_use]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
