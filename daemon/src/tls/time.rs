//! The time by which TLS judges whether a certificate is valid.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::env::Clock;

/// Returns the wall time of a clock as the source of time for TLS.
#[must_use]
pub fn time_provider(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(ClockTime(clock.clone()))
}

#[derive(Debug)]
struct ClockTime(Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now().0)))
    }
}
