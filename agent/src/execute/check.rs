//! Runs the checks of a new version in its own image, before anything is stopped for it. A check
//! changes nothing, so one that was interrupted is run again.

use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::check;
use oml_common::document::instance::InstanceDocument;
use oml_common::document::operation::{OperationStep, RunOrder};
use oml_common::id::{ComponentName, ContentHash, RunId};
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::{StepError, Superseded, Work};
use crate::documents;
use crate::host::Host;
use crate::paths::Slot;
use crate::pause::RetryPause;
use crate::runtime::{ContainerEngine, ExitReport, RuntimeError, Waited};

impl Host {
    /// Runs the checks of a version that are due.
    pub(super) async fn check(&self, work: &Work) -> Result<(), StepError> {
        let instance = work.instance()?;
        // Without checks, an error of the disk is no reason against the version.
        if instance.checks.is_empty() {
            return Ok(());
        }
        let current = documents::read_usable(&self.paths, &work.component, Slot::Current)?;
        for step in check::due(instance, current.as_deref()) {
            self.run_check(work, instance, step).await?;
        }
        Ok(())
    }

    /// Runs a check of an instance in a container of its own, and returns how its program ended; without
    /// a status if it did not end in time.
    pub(super) async fn end_of_check(
        &self,
        work: &Work,
        instance: &InstanceDocument,
        step: &OperationStep,
    ) -> Result<ExitReport, StepError> {
        let id = id_of(&work.component);
        let OperationStep { operation, run, irreversible: _ } = step;
        let (operation, run) = (operation.clone(), run.clone());
        let order = RunOrder { id, operation, instance: instance.clone(), run };
        // An agent that was killed may have left one.
        self.docker.remove_run(id).await?;
        self.docker.create_run(&order).await?;
        let container = self.docker.run_container(id).await?.ok_or(StepError::NoInstance)?;
        let status = self.until_checked(&container, &order, &work.superseded).await;
        let lines = self.docker.calls().last_lines(&container, Timestamp(0)).await;
        let log_tail = lines.unwrap_or_else(|error| {
            warn!(component = %work.component, error = chain(&error), "cannot read what a check wrote");
            Vec::new()
        });
        self.remove_check(id).await?;
        Ok(ExitReport { exit_code: status?, log_tail })
    }

    async fn run_check(
        &self,
        work: &Work,
        instance: &InstanceDocument,
        step: &OperationStep,
    ) -> Result<(), StepError> {
        let ended = self.end_of_check(work, instance, step).await?;
        let (component, operation) = (&work.component, &step.operation);
        if let Err(failed) = check::passed(operation, ended.exit_code, step.run.deadline_ms) {
            let failure = self.failure(work, failed.to_string(), ended);
            return Err(StepError::OperationFailed(Box::new(failure)));
        }
        info!(%component, check = %operation, "check of the new version passed");
        Ok(())
    }

    /// Removes the container of a check, if necessary when the engine is back: after another change
    /// nothing else would remove it.
    async fn remove_check(&self, id: RunId) -> Result<(), RuntimeError> {
        let mut pause = RetryPause::new();
        loop {
            match self.docker.remove_run(id).await {
                Err(RuntimeError::Unavailable { .. }) => pause.pause().await,
                removed => return removed,
            }
        }
    }

    /// Waits for the end of a check; none if it does not end in time. It gives up when another
    /// version is desired.
    async fn until_checked(
        &self,
        container: &str,
        order: &RunOrder,
        superseded: &Superseded,
    ) -> Result<Option<i64>, StepError> {
        let calls = self.docker.calls();
        calls.start(container).await?;
        let limit = Duration::from_millis(order.run.deadline_ms);
        let waited = tokio::select! {
            biased;
            waited = timeout(limit, calls.wait(container)) => waited,
            () = superseded.wait() => {
                let object = format!("the check {}", order.operation);
                let detail = "another version is desired".to_owned();
                let (verb, transient) = ("finish", true);
                return Err(RuntimeError::Refused { verb, object, detail, transient }.into());
            }
        };
        match waited {
            Ok(Ok(Waited::Ended(status))) => Ok(Some(status)),
            Ok(Ok(Waited::Lost)) => {
                let detail = format!("the check {} was not followed to its end", order.operation);
                Err(RuntimeError::Unavailable { daemon: "docker", detail }.into())
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_elapsed) => Ok(None),
        }
    }
}

/// Removes what an agent before this one left of its checks.
pub(crate) async fn remove_left_checks(docker: Arc<dyn ContainerEngine>) {
    let mut pause = RetryPause::new();
    while let Err(error) = docker.remove_left_checks().await {
        debug!(error = chain(&error), "cannot look for the containers of checks yet");
        pause.pause().await;
    }
}

/// Returns the number of the checks of a component. No controller gives a number of this epoch.
pub(super) fn id_of(component: &ComponentName) -> RunId {
    let hash = ContentHash::of(component.as_str().as_bytes());
    let number = u64::from_str_radix(&hash.as_str()[..15], 16).unwrap_or_default();
    RunId { epoch: RunId::OF_HOST, number }
}
