//! What systemd is told to do, and waiting until it has done it.

use std::time::{Duration, Instant};

use zbus::OwnedObjectPath;

use super::bus::{self, Calls, Loaded, ManagerProxy, failure};
use super::{Systemd, signals};
use crate::runtime::RuntimeError;

/// Replaces a job of the unit that is queued, as `systemctl` does.
pub(super) const MODE: &str = "replace";

impl Systemd {
    /// Runs a job to its end, then gives the unit's real state: a job that is
    /// done only says that it is over.
    pub(super) async fn job(
        &self,
        unit: &str,
        limit: Duration,
        ask: impl AsyncFnOnce() -> Result<OwnedObjectPath, RuntimeError>,
    ) -> Result<Loaded, RuntimeError> {
        let deadline = Instant::now() + limit;
        // Before the call: a fast job ends before its path is known here.
        let mut ends = self.signals.ends();
        let job = ask().await?;
        loop {
            signals::next_look(&mut ends, &job).await;
            let loaded = self.calls.load(unit).await?;
            if !loaded.has_job(&job) {
                return Ok(loaded);
            }
            if Instant::now() >= deadline {
                return Err(RuntimeError::Refused {
                    verb: "finish the job of",
                    object: unit.to_owned(),
                    detail: format!("systemd still works on it after {} s", limit.as_secs()),
                    transient: true,
                });
            }
        }
    }

    pub(super) async fn stop_unit(&self, unit: &str, limit: Duration) -> Result<(), RuntimeError> {
        let manager = self.calls.manager().await?;
        let stopped = self
            .job(unit, limit, async || {
                manager.stop_unit(unit, MODE).await.map_err(|error| failure("stop", unit, error))
            })
            .await;
        match stopped {
            Ok(loaded) if !loaded.is_up() => Ok(()),
            Ok(loaded) => Err(RuntimeError::Refused {
                verb: "stop",
                object: unit.to_owned(),
                detail: format!("it is {}", loaded.active_word()),
                transient: true,
            }),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn reload(&self) -> Result<(), RuntimeError> {
        let manager = self.calls.manager().await?;
        manager.reload().await.map_err(|error| failure("re-read", "the unit files", error))
    }

    /// Starts at boot from now on; tells whether that is new.
    pub(super) async fn enable(&self, unit: &str) -> Result<bool, RuntimeError> {
        let failed = |error| failure("enable", unit, error);
        let manager = self.calls.manager().await?;
        if manager.get_unit_file_state(unit).await.map_err(failed)? == "enabled" {
            return Ok(false);
        }
        manager.enable_unit_files(&[unit], false, false).await.map_err(failed)?;
        Ok(true)
    }
}

/// A unit that failed is remembered, with how often it was started lately.
pub(super) async fn forget_failure(
    manager: &ManagerProxy<'_>,
    unit: &str,
) -> Result<(), RuntimeError> {
    match manager.reset_failed_unit(unit).await {
        Err(error) if bus::error_name(&error) != Some("NoSuchUnit") => {
            Err(failure("reset", unit, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Enables and (re)starts the agent's own unit, as after an enrolment.
///
/// # Errors
/// What systemd says.
pub async fn start_agent() -> Result<(), RuntimeError> {
    const AGENT: &str = "omlagent.service";
    let failed = |error| failure("start", AGENT, error);
    let calls = Calls::default();
    let manager = calls.manager().await?;
    manager.enable_unit_files(&[AGENT], false, false).await.map_err(failed)?;
    // Its own state follows: whoever looks sees whether it stays up.
    manager.restart_unit(AGENT, MODE).await.map_err(failed)?;
    Ok(())
}
