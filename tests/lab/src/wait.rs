//! Waiting for a condition with a bound. The only place of the lab that pauses.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{LabError, Result};

const PAUSE: Duration = Duration::from_millis(20);

/// Tries `condition` until it gives `Ok`, at most for `limit`; the last `Err` says what was seen instead.
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
                return Err(LabError::Waited { what: what.to_owned(), limit, last });
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
