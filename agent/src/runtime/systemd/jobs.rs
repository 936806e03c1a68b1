//! What systemd is told to do, and waiting until it has done it.

use std::time::{Duration, Instant};

use oml_common::document::instance::InstanceDocument;
use tracing::info;
use zbus::OwnedObjectPath;

use super::bus::{self, Calls, Loaded, ManagerProxy, failure};
use super::files::{self, OurFile};
use super::{STOP_LIMIT, Systemd, signals};
use crate::files as disk;
use crate::runtime::RuntimeError;

/// Replaces a job of the unit that is queued, as `systemctl` does.
pub(super) const MODE: &str = "replace";
const SIGKILL: i32 = nix::libc::SIGKILL;

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

    /// Takes away the units that the component had under other names. A
    /// container runs on: killed, a supervisor leaves it to the next one.
    pub(super) async fn retire_others(
        &self,
        instance: &InstanceDocument,
    ) -> Result<(), RuntimeError> {
        for file in files::of_component(&self.paths, &instance.component)? {
            if !file.is_superseded_by(instance) {
                continue;
            }
            let (old, new) = (&file.unit, &instance.unit);
            info!("{}: unit {old} is taken away, {new} is in its place", instance.component);
            if instance.container().is_some() && !file.is_drop_in {
                self.kill_main_process(old.as_str()).await?;
            }
            // At once: systemd would start the supervisor again a second later.
            self.stop_unit(old.as_str(), STOP_LIMIT).await?;
            self.take_away(&file).await?;
        }
        Ok(())
    }

    async fn kill_main_process(&self, unit: &str) -> Result<(), RuntimeError> {
        let manager = self.calls.manager().await?;
        match manager.kill_unit(unit, "main", SIGKILL).await {
            Err(error)
                if !matches!(bus::error_name(&error), Some("NoSuchProcess" | "NoSuchUnit")) =>
            {
                Err(failure("kill", unit, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes a file of ours whose unit does not run.
    pub(super) async fn take_away(&self, file: &OurFile) -> Result<(), RuntimeError> {
        let unit = file.unit.as_str();
        let manager = self.calls.manager().await?;
        manager
            .disable_unit_files(&[unit], false)
            .await
            .map_err(|error| failure("disable", unit, error))?;
        disk::remove_durably(&file.path).map_err(files::unusable)?;
        if file.is_drop_in
            && let Some(folder) = file.path.parent()
        {
            // Another's drop-in may lie there too; then the folder stays.
            let _emptied = std::fs::remove_dir(folder).is_ok();
        }
        self.reload().await?;
        forget_failure(&manager, unit).await
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
