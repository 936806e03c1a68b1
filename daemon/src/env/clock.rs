//! A host's clocks: the wall clock and the time since the boot.
//!
//! The beginnings of drains, soaks and pauses are kept as wall time, like all times that
//! people see. A [`ClockMark`] beside them holds the wall time of the boot, so that a clock
//! that is set moves no deadline: when the mark changes, the clock was set, and the kept
//! times are moved by the difference, also after a restart of the agent. After a reboot
//! the passed time is unknown, and drains and soaks begin again.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use oml_common::time::{ClockMark, Timestamp};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Reads the clocks of one host. Pauses and time limits use `tokio::time` instead, which
/// can be paused in tests.
#[derive(Clone)]
pub struct Clock {
    boot: Arc<str>,
    read: Arc<dyn Fn() -> Reading + Send + Sync>,
}

/// The values of both clocks of a host at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    now: Timestamp,
    /// The time since the boot, including sleep. Nobody can set it.
    up_ms: u64,
}

impl Clock {
    /// Returns the clock of the host.
    #[must_use]
    pub fn system() -> Self {
        // If it cannot be read, every start counts as one after a reboot.
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self { boot: boot.trim().into(), read: Arc::new(read) }
    }

    /// Makes a clock of the boot called `boot`, which reads `now` as the wall time and
    /// `up_ms` as the milliseconds since the boot.
    pub fn of(
        boot: &str,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        up_ms: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        let read = move || Reading { now: now(), up_ms: up_ms() };
        Self { boot: boot.into(), read: Arc::new(read) }
    }

    /// Returns the wall time; a clock before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.read)().now
    }

    /// Returns the milliseconds since the boot, which nobody can set.
    #[must_use]
    pub fn up_ms(&self) -> u64 {
        (self.read)().up_ms
    }

    /// Returns the mark of the current moment.
    #[must_use]
    pub fn mark(&self) -> ClockMark {
        let Reading { now, up_ms } = (self.read)();
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let booted_at_ms = signed(now.0).saturating_sub(signed(up_ms));
        ClockMark { boot: self.boot.to_string(), booted_at_ms }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn read() -> Reading {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let up = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had this clock since 2.6.39");
    let up_ms = u64::try_from(std::time::Duration::from(up).as_millis()).unwrap_or(u64::MAX);
    Reading { now: Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)), up_ms }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests;
