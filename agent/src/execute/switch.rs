//! The two steps that stop what runs: the switch to the new version and the rollback.

use std::time::Duration;

use oml_common::decide::slots::{BeforeSwitch, Slots, before_switch};
use oml_common::decide::start::{self, FailedStart, StartErrorKind};
use oml_common::decide::update::Outcome;
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::id::ContentHash;
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::{StepError, Work};
use crate::container_files;
use crate::documents;
use crate::files::FileError;
use crate::host::Host;
use crate::paths::Slot;
use crate::reloaded_files;
use crate::runtime::{ContainerInstance, ContainerListing, ExitReport, PullProgress, RuntimeError};

/// From one check of what runs to the next, where a test ends the agent in between.
const CHECK_PAUSE: Duration = Duration::from_millis(1);

impl Host {
    /// Stops the old version and starts the new one.
    pub(super) async fn switch(
        &self,
        work: &Work,
        previous: Option<&ContentHash>,
        progress: &watch::Sender<PullProgress>,
    ) -> Outcome {
        failpoint::reach("A8");
        // This try has stopped nothing yet, though an interrupted one before may have. What is
        // refused here is no failed start; when it is refused too often, the change fails.
        if let Some(instance) = &work.desired
            && let Err(error) = self.restore_image(instance, progress).await
        {
            return error.into_outcome();
        }
        let began = Instant::now();
        let started = self.cut_over(work, previous).await;
        failpoint::reach("A10");
        match started {
            Ok(instance) => {
                self.promote_container(instance).await;
                Outcome::Done
            }
            Err(StepError::Runtime(error)) if start::blames_version(kind_of(&error)) => {
                self.start_failure(work, &error, began.elapsed()).await
            }
            Err(error) => error.into_outcome(),
        }
    }

    async fn cut_over<'w>(
        &self,
        work: &'w Work,
        previous: Option<&ContentHash>,
    ) -> Result<&'w InstanceDocument, StepError> {
        let instance = work.instance()?;
        container_files::ensure(&self.paths, instance)?;
        reloaded_files::ensure(&self.paths, instance)?;
        self.write_documents(work, instance, previous).await?;
        if instance.container().is_none() {
            self.systemd.write(instance).await?;
        }
        if failpoint::is_armed("A9") {
            self.die_between_stop_and_start(instance).await;
        }
        self.recheck_active(work).await?;
        self.systemd.start(instance).await?;
        Ok(instance)
    }

    /// Writes the documents as they are after the switch.
    async fn write_documents(
        &self,
        work: &Work,
        instance: &InstanceDocument,
        roll_back_to: Option<&ContentHash>,
    ) -> Result<(), StepError> {
        let component = &instance.component;
        documents::forget_settled(&self.paths, instance)?;
        let hash_in = |slot| -> Result<Option<ContentHash>, FileError> {
            let document = documents::read_usable(&self.paths, component, slot)?;
            Ok(document.map(|document| document.workload_hash()))
        };
        let current = hash_in(Slot::Current)?;
        // If the current document is the one to roll back to, the previous one is replaced unread.
        let previous = match current.as_ref() == roll_back_to {
            true => None,
            false => hash_in(Slot::Previous)?,
        };
        let slots = Slots { current: current.as_ref(), previous: previous.as_ref() };
        match before_switch(roll_back_to, slots) {
            BeforeSwitch::Advance => {
                documents::write(&self.paths, instance, Slot::Next)?;
                documents::advance(&self.paths, component)?;
                return Ok(());
            }
            BeforeSwitch::RestorePrevious(lost) => self.restore_previous(work, lost).await?,
            BeforeSwitch::WriteCurrent => {}
        }
        Ok(documents::write(&self.paths, instance, Slot::Current)?)
    }

    /// Writes the document of the version to roll back to as the previous one, if it is known.
    async fn restore_previous(&self, work: &Work, lost: &ContentHash) -> Result<(), StepError> {
        match self.known(work, lost).await {
            Ok(document) => Ok(documents::write(&self.paths, &document, Slot::Previous)?),
            // A rollback will say so; the desired version does not wait for it.
            Err(StepError::NoInstance) => {
                let component = &work.component;
                warn!(%component, "document of the previous version missing; rollback impossible");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the document of what runs back as the current one.
    pub(super) async fn revert_document(
        &self,
        work: &Work,
        running: &ContentHash,
    ) -> Result<(), StepError> {
        let instance = self.known(work, running).await?;
        Ok(documents::write(&self.paths, &instance, Slot::Current)?)
    }

    /// Stops the new version and starts the previous one.
    pub(super) async fn roll_back(
        &self,
        work: &Work,
        previous: &ContentHash,
        runs: bool,
        progress: &watch::Sender<PullProgress>,
    ) -> Outcome {
        failpoint::reach("R1");
        let started = match runs {
            true => self.known(work, previous).await,
            false => self.start_previous(work, previous, progress).await,
        };
        failpoint::reach("R3");
        match started {
            Ok(instance) => {
                self.promote_container(&instance).await;
                Outcome::Done
            }
            Err(StepError::Runtime(error)) if start::blames_version(kind_of(&error)) => {
                let message = chain(&error);
                Outcome::Failed(self.failure(work, message, ExitReport::default()))
            }
            Err(StepError::NoInstance) => {
                let message = StepError::NoInstance.to_string();
                Outcome::Failed(self.failure(work, message, ExitReport::default()))
            }
            // An image that is refused may be had again, so it is asked for a few times.
            Err(error @ (StepError::Image(_) | StepError::DoesNotFit(_))) => error.into_outcome(),
            Err(error) => Outcome::Retry(error.not_done()),
        }
    }

    async fn start_previous(
        &self,
        work: &Work,
        previous: &ContentHash,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<InstanceDocument, StepError> {
        let instance = self.known(work, previous).await?;
        self.restore_image(&instance, progress).await?;
        container_files::ensure(&self.paths, &instance)?;
        reloaded_files::ensure_again(&self.paths, &instance)?;
        documents::write(&self.paths, &instance, Slot::Current)?;
        self.systemd.write(&instance).await?;
        failpoint::reach("R2");
        self.systemd.start(&instance).await?;
        Ok(instance)
    }

    /// Finds the instance of a workload in the documents, in that by which its unit was seen to run, or in the
    /// container's label.
    pub(super) async fn known(
        &self,
        work: &Work,
        hash: &ContentHash,
    ) -> Result<InstanceDocument, StepError> {
        for slot in [Slot::Settled, Slot::Previous, Slot::Current, Slot::Next] {
            let document = documents::read_usable(&self.paths, &work.component, slot)?;
            if let Some(found) = document.filter(|document| &document.workload_hash() == hash) {
                return Ok(found);
            }
        }
        let seen = work.seen_running.as_deref().filter(|seen| seen.workload.hash == *hash);
        if let Some(Ok(found)) = seen.map(HeldInstance::whole) {
            return Ok(found);
        }
        let labelled = self.docker.document(&work.component, hash).await?;
        labelled.ok_or(StepError::NoInstance)
    }

    /// The failure of a version that did not start.
    async fn start_failure(&self, work: &Work, error: &RuntimeError, took: Duration) -> Outcome {
        let report = match self.exit_report(work).await {
            Ok(report) => report,
            // Without its engine no version can start.
            Err(error) => return Outcome::Retry(error.not_done()),
        };
        let desired = work.desired.as_ref();
        let (failure, exit_code) = start::classify_failure(FailedStart {
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            start_timeout_ms: desired.map_or(0, |instance| instance.timing.start_timeout_ms),
            is_container: desired.is_some_and(|instance| instance.container().is_some()),
            exit_code: report.exit_code,
            error: &chain(error),
        });
        let report = ExitReport { exit_code, ..report };
        Outcome::Failed(self.failure(work, failure.to_string(), report))
    }

    /// Gives the container its own name. If that fails, the next pass tries again.
    async fn promote_container(&self, instance: &InstanceDocument) {
        let component = &instance.component;
        let Some(instance) = ContainerInstance::of(instance) else { return };
        if let Err(error) = self.docker.promote(instance).await {
            let error = chain(&error);
            warn!(%component, error, "cannot rename container; retrying at the next pass");
        }
    }

    /// Ends the process when the old version has stopped and the new one does
    /// not run yet. Only a test build comes here.
    async fn die_between_stop_and_start(&self, instance: &InstanceDocument) {
        let desired_hash = instance.workload_hash();
        let stopped = async {
            loop {
                let listing = self.docker.list(std::slice::from_ref(instance)).await;
                if listing.is_ok_and(|listing| !runs_another(&listing, instance, &desired_hash)) {
                    return;
                }
                // Nothing else may be due that would let time go on.
                tokio::time::sleep(CHECK_PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            _ = self.systemd.start(instance) => {}
            () = stopped => {}
        }
        failpoint::reach("A9");
    }
}

fn runs_another(
    listing: &ContainerListing,
    instance: &InstanceDocument,
    desired_hash: &ContentHash,
) -> bool {
    listing.containers.iter().any(|(name, container)| {
        *name == instance.component && container.is_running() && &container.hash != desired_hash
    })
}

fn kind_of(error: &RuntimeError) -> StartErrorKind {
    match error {
        RuntimeError::Refused { transient: false, .. } => StartErrorKind::Refused,
        RuntimeError::Refused { transient: true, .. } => StartErrorKind::Transient,
        RuntimeError::Unavailable { .. } => StartErrorKind::DaemonAway,
        RuntimeError::Foreign(_) => StartErrorKind::Foreign,
    }
}
