//! Waits for a condition with a time limit. No other module of the lab sleeps.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{LabError, Result};

const PAUSE: Duration = Duration::from_millis(20);

/// Calls `condition` until it returns `Ok`, for at most `limit`. The text of the last `Err` becomes part of the error.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> std::result::Result<T, String>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        match condition() {
            Ok(value) => return Ok(value),
            Err(last) if started.elapsed() >= limit => {
                return Err(LabError::Timeout { what: what.to_owned(), limit, last });
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
