//! From the old version to the new one and back: the two steps that stop what runs.

use std::time::Duration;

use oml_common::decide::step::Step;
use oml_common::decide::update::Outcome;
use oml_common::document::instance::InstanceDocument;
use oml_common::id::{ComponentName, ContentHash};
use oml_common::text::error::chain;
use oml_common::time::Span;
use oml_daemon::failpoint;
use tokio::time::Instant;
use tracing::warn;

use super::{Host, StepError, Work};
use crate::documents;
use crate::paths::Slot;
use crate::runtime::{ExitReport, Listing, RuntimeError};

/// From one look at what runs to the next, where the agent is to end in between.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

impl Host {
    /// Stops the old version and starts the new one.
    pub(super) async fn switch(&self, work: &Work, previous: Option<&ContentHash>) -> Outcome {
        failpoint::reach("A8");
        let began = Instant::now();
        let started = self.cut_over(work, previous).await;
        failpoint::reach("A10");
        match started {
            Ok(instance) => {
                self.promote_container(instance).await;
                Outcome::Done
            }
            Err(StepError::Runtime(error)) if is_verdict(&error) => {
                self.classify_failure(work, &error, began.elapsed()).await
            }
            Err(error) => Outcome::Retry(chain(&error)),
        }
    }

    async fn cut_over<'w>(
        &self,
        work: &'w Work,
        previous: Option<&ContentHash>,
    ) -> Result<&'w InstanceDocument, StepError> {
        let instance = work.instance()?;
        self.advance_documents(work, instance, previous).await?;
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

    /// Between the count that let the switch begin and the stop, calls may have come.
    async fn recheck_active(&self, work: &Work) -> Result<(), StepError> {
        if !matches!(work.step, Step::Switch { calls_cut: Some(0), .. }) {
            return Ok(());
        }
        match self.recount(work).await {
            Some(calls) if calls > 0 => Err(StepError::CallsCame(calls)),
            Some(_) | None => Ok(()),
        }
    }

    /// How many calls what runs has, by its own document, which is not the current one any more.
    async fn recount(&self, work: &Work) -> Option<u64> {
        let listing = self.docker.list(&[]).await.ok()?;
        let is_it = |name: &ComponentName| *name == work.component;
        let mut found = listing.containers.iter();
        let (_, running) = found.find(|(name, found)| is_it(name) && found.is_running())?;
        let instance = self.known(work, &running.hash).await.ok()?;
        self.count_by(work, &instance).await
    }

    /// The document that runs becomes the previous one, unless the switch was
    /// begun before, or what runs never proved good.
    async fn advance_documents(
        &self,
        work: &Work,
        instance: &InstanceDocument,
        previous: Option<&ContentHash>,
    ) -> Result<(), StepError> {
        let component = &instance.component;
        let is_previous = |document: &InstanceDocument| Some(&document.workload_hash()) == previous;
        let current = documents::read_usable(&self.paths, component, Slot::Current)?;
        if current.is_some_and(|document| is_previous(&document)) {
            documents::write(&self.paths, instance, Slot::Next)?;
            documents::advance(&self.paths, component)?;
            return Ok(());
        }
        let written = documents::read_usable(&self.paths, component, Slot::Previous)?;
        if let Some(previous) = previous.filter(|_| !written.is_some_and(|d| is_previous(&d))) {
            match self.known(work, previous).await {
                Ok(document) => documents::write(&self.paths, &document, Slot::Previous)?,
                // Its return will say so; what is desired does not wait for it.
                Err(StepError::NoInstance) => {
                    warn!(%component, "{component}: nothing tells what it was made from before");
                }
                Err(error) => return Err(error),
            }
        }
        documents::write(&self.paths, instance, Slot::Current)?;
        Ok(())
    }

    /// Writes the document of what runs back as the current one.
    pub(super) async fn withdraw(
        &self,
        work: &Work,
        running: &ContentHash,
    ) -> Result<(), StepError> {
        let instance = self.known(work, running).await?;
        Ok(documents::write(&self.paths, &instance, Slot::Current)?)
    }

    /// Stops the new version and starts the one before.
    pub(super) async fn roll_back(
        &self,
        work: &Work,
        previous: &ContentHash,
        runs: bool,
    ) -> Outcome {
        failpoint::reach("R1");
        let started = match runs {
            true => self.known(work, previous).await,
            false => self.start_previous(work, previous).await,
        };
        failpoint::reach("R3");
        match started {
            Ok(instance) => {
                self.promote_container(&instance).await;
                Outcome::Done
            }
            Err(StepError::Runtime(error)) if is_verdict(&error) => {
                let message = chain(&error);
                Outcome::Failed(self.failure(work, message, ExitReport::default()))
            }
            Err(StepError::NoInstance) => {
                let message = "what it was made from is not known any more".to_owned();
                Outcome::Failed(self.failure(work, message, ExitReport::default()))
            }
            Err(error) => Outcome::Retry(chain(&error)),
        }
    }

    async fn start_previous(
        &self,
        work: &Work,
        previous: &ContentHash,
    ) -> Result<InstanceDocument, StepError> {
        let instance = self.known(work, previous).await?;
        documents::write(&self.paths, &instance, Slot::Current)?;
        self.systemd.write(&instance).await?;
        failpoint::reach("R2");
        self.systemd.start(&instance).await?;
        Ok(instance)
    }

    /// The instance of that workload, from the documents or the container's label.
    async fn known(&self, work: &Work, hash: &ContentHash) -> Result<InstanceDocument, StepError> {
        for slot in [Slot::Previous, Slot::Current, Slot::Next] {
            let document = documents::read_usable(&self.paths, &work.component, slot)?;
            if let Some(found) = document.filter(|document| &document.workload_hash() == hash) {
                return Ok(found);
            }
        }
        let labelled = self.docker.document(&work.component, hash).await?;
        labelled.ok_or(StepError::NoInstance)
    }

    /// The new version did not start: whose fault is it?
    async fn classify_failure(&self, work: &Work, error: &RuntimeError, took: Duration) -> Outcome {
        let words = match self.exit_report(work).await {
            Ok(words) => words,
            // Without its engine no version can start.
            Err(error) => return Outcome::Retry(chain(&error)),
        };
        let limit_ms = work.desired.as_ref().map_or(0, |i| i.timing.start_timeout_ms);
        let in_time = took < Duration::from_millis(limit_ms);
        let message = match words.exit_code {
            Some(code) if in_time => format!("ended with status {code} before it answered"),
            Some(_) if work.desired.as_ref().is_some_and(|i| i.container().is_some()) => {
                format!("did not answer within {}", Span(limit_ms))
            }
            Some(_) | None => format!("did not start: {}", chain(error)),
        };
        // What was stopped for its silence says nothing by its status.
        let exit_code = words.exit_code.filter(|_| in_time);
        Outcome::Failed(self.failure(work, message, ExitReport { exit_code, ..words }))
    }

    /// A wrong name hurts nobody and is mended by the next look.
    async fn promote_container(&self, instance: &InstanceDocument) {
        if instance.container().is_none() {
            return;
        }
        if let Err(error) = self.docker.promote(instance).await {
            let component = &instance.component;
            warn!(%component, "{component}: keeps its interim name for now: {}", chain(&error));
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
                tokio::time::sleep(LOOK_PAUSE).await;
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
    listing: &Listing,
    instance: &InstanceDocument,
    desired_hash: &ContentHash,
) -> bool {
    listing.containers.iter().any(|(name, container)| {
        *name == instance.component && container.is_running() && &container.hash != desired_hash
    })
}

/// Whether a start that did not succeed says something of the version started.
fn is_verdict(error: &RuntimeError) -> bool {
    match error {
        RuntimeError::Refused { transient, .. } => !transient,
        RuntimeError::Unavailable { .. } | RuntimeError::Foreign(_) => false,
    }
}
