//! Starts jobs of systemd and waits for their end.

use std::time::Duration;

use oml_common::document::instance::InstanceDocument;
use tokio::time::Instant;
use tracing::info;
use zbus::OwnedObjectPath;

use super::bus::{Bus, MODE, failure};
use super::calls::Loaded;
use super::files::{self, OurFile};
use super::signals::{self, JobEnd};
use super::{STOP_LIMIT, Systemd};
use crate::files as disk;
use crate::runtime::RuntimeError;

/// A job that is over.
#[derive(Debug)]
pub(super) struct EndedJob {
    /// The unit's state after it.
    pub(super) loaded: Loaded,
    /// How it ended; none if that was not heard.
    pub(super) end: Option<JobEnd>,
}

impl Systemd {
    /// Runs a job to its end, then gives the unit's real state: a job that is
    /// done only says that it is over.
    pub(super) async fn job(
        &self,
        unit: &str,
        limit: Duration,
        ask: impl AsyncFnOnce() -> Result<OwnedObjectPath, RuntimeError>,
    ) -> Result<EndedJob, RuntimeError> {
        let deadline = Instant::now() + limit;
        // Before the call: a fast job ends before its path is known here.
        let mut ends = self.signals.ends();
        let job = ask().await?;
        let mut end = None;
        loop {
            end = end.or(signals::next_look(&mut ends, &job).await);
            let loaded = self.calls.load(unit).await?;
            if !loaded.has_job(&job) {
                // The state may be seen a little before the signal. Of what runs it says no more.
                if end.is_none() && !loaded.is_up() {
                    end = signals::next_look(&mut ends, &job).await;
                }
                return Ok(EndedJob { loaded, end });
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
        let stopped = self.job(unit, limit, async || self.calls.stop(unit).await).await;
        // Our own stop is not one by hand.
        self.signals.forget_jobs(unit);
        self.forget_unit(unit);
        match stopped {
            Ok(ended) if !ended.loaded.is_up() => Ok(()),
            Ok(ended) => Err(RuntimeError::Refused {
                verb: "stop",
                object: unit.to_owned(),
                detail: format!("it is {}", ended.loaded.active_word()),
                transient: true,
            }),
            Err(error) => Err(error),
        }
    }

    /// Removes the units that the component had under other names. Its container keeps
    /// running, because a killed supervisor leaves it to the next one.
    pub(super) async fn retire_others(
        &self,
        instance: &InstanceDocument,
    ) -> Result<(), RuntimeError> {
        for file in self.files_of(&instance.component)? {
            if !file.is_superseded_by(instance) {
                continue;
            }
            let (old, new) = (&file.unit, &instance.unit);
            info!(component = %instance.component, %old, %new, "removed the unit's old name");
            if instance.container().is_some() && !file.is_drop_in {
                self.calls.kill_main_process(old.as_str()).await?;
            }
            // At once: systemd would start the supervisor again a second later.
            self.stop_unit(old.as_str(), STOP_LIMIT).await?;
            self.take_away(&file).await?;
        }
        Ok(())
    }

    /// Removes a file of ours whose unit does not run.
    pub(super) async fn take_away(&self, file: &OurFile) -> Result<(), RuntimeError> {
        let unit = file.unit.as_str();
        self.calls.disable(unit).await?;
        disk::remove_durably(&file.path).map_err(files::unusable)?;
        if file.is_drop_in
            && let Some(folder) = file.path.parent()
        {
            // Another's drop-in may lie there too; then the folder stays.
            let _emptied = std::fs::remove_dir(folder).is_ok();
        }
        self.calls.reload().await?;
        // A unit of that name that is written later begins with nothing.
        self.forget_unit(unit);
        self.forget_ends(unit);
        self.calls.forget_failure(unit).await
    }
}

/// Enables and (re)starts the agent's own unit, as after an enrolment.
///
/// # Errors
/// An error of systemd.
pub async fn start_agent() -> Result<(), RuntimeError> {
    const AGENT: &str = "omlagent.service";
    let failed = |error| failure("start", AGENT, error);
    let bus = Bus::default();
    let manager = bus.manager().await?;
    manager.enable_unit_files(&[AGENT], false, false).await.map_err(failed)?;
    // Its own state follows: the next look sees whether it stays up.
    manager.restart_unit(AGENT, MODE).await.map_err(failed)?;
    Ok(())
}
