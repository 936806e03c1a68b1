//! The containers in which operations run once. They have labels of their own, so that none is
//! taken for the container of a component.

use std::collections::HashMap;

use bollard::models::ContainerSummary;
use oml_common::document::operation::RunOrder;
use oml_common::document::run_labels::{FoundRun, RunLabels};
use oml_common::id::{RunId, TenantId};
use oml_common::text::error::chain;
use tracing::warn;

use super::calls::EngineCalls;
use super::{Docker, label};
use crate::container_files;
use crate::reloaded_files;
use crate::runtime::{ContainerInstance, RuntimeError};

/// The epoch of the numbers that the agent itself gives, to the checks of updates.
const EPOCH_OF_AGENT: u64 = 0;

/// The container of a run.
pub(super) struct RunContainer {
    pub(super) id: String,
    stop_grace_ms: u64,
}

impl Docker {
    /// Creates the container of a run, unless it exists.
    pub(super) async fn create_container_of_run(
        &self,
        order: &RunOrder,
    ) -> Result<(), RuntimeError> {
        if order.id.epoch == EPOCH_OF_AGENT {
            self.sweep_checks().await?;
        }
        if find(&*self.engine, order.id, self.tenant.as_ref()).await?.is_some() {
            return Ok(());
        }
        let refused = || RuntimeError::Refused {
            verb: "run an operation of",
            object: order.instance.component.to_string(),
            detail: "it is no container".to_owned(),
            transient: false,
        };
        let document = order.as_instance().ok_or_else(refused)?;
        let instance = ContainerInstance::of(&document).ok_or_else(refused)?;
        // They are those of the component itself, which has them already if it runs.
        let written = container_files::ensure(&self.paths, &order.instance)
            .and_then(|()| reloaded_files::add_missing(&self.paths, &order.instance));
        written.map_err(|error| RuntimeError::Refused {
            verb: "write the files for",
            object: order.instance.component.to_string(),
            detail: chain(&error),
            transient: true,
        })?;
        let mut body = self.request(instance, order.instance.workload_hash()).await?;
        body.labels = Some(labels(order));
        let name = instance.container().name.as_str();
        self.engine.create(name, body).await.map(drop)
    }

    /// Removes what earlier agents left, before this one makes the container of a check.
    pub(super) async fn sweep_checks(&self) -> Result<(), RuntimeError> {
        self.swept.get_or_try_init(|| self.remove_left_checks_now()).await.map(|_swept| ())
    }

    async fn remove_left_checks_now(&self) -> Result<(), RuntimeError> {
        for found in self.engine.containers().await? {
            // One with an order goes on without an agent.
            let run = run_of(&found).filter(|run| run.id.epoch == EPOCH_OF_AGENT);
            let run = run.filter(|run| is_ours(&found, run, self.tenant.as_ref()));
            let run = run.filter(|run| !self.paths.run_order(run.id).exists());
            let Some(run) = run else { continue };
            let Some(container) = container_of(found, &run) else { continue };
            match take_away(&*self.engine, &container).await {
                Ok(()) => {}
                Err(error @ RuntimeError::Unavailable { .. }) => return Err(error),
                Err(error @ (RuntimeError::Refused { .. } | RuntimeError::Foreign(_))) => {
                    warn!(run = %run.id, error = chain(&error), "cannot remove the container of an interrupted check");
                }
            }
        }
        Ok(())
    }
}

/// Returns which run a container is of.
fn run_of(container: &ContainerSummary) -> Option<FoundRun> {
    FoundRun::read(container.labels.as_ref()?)
}

/// Returns whether a container is that of the run of the tenant. A copy of one has another name.
fn is_ours(container: &ContainerSummary, run: &FoundRun, tenant: Option<&TenantId>) -> bool {
    let is_of_tenant = tenant.is_none_or(|own| run.tenant.as_ref() == Some(own));
    is_of_tenant && label::name_of(container).ends_with(&format!("-run-{}", run.id))
}

fn container_of(found: ContainerSummary, run: &FoundRun) -> Option<RunContainer> {
    Some(RunContainer { stop_grace_ms: run.stop_grace_ms, id: found.id? })
}

async fn take_away(engine: &dyn EngineCalls, container: &RunContainer) -> Result<(), RuntimeError> {
    engine.stop(&container.id, container.stop_grace_ms).await?;
    engine.remove(&container.id).await
}

fn labels(order: &RunOrder) -> HashMap<String, String> {
    let instance = &order.instance;
    let labels = RunLabels {
        id: order.id,
        tenant: instance.tenant.clone(),
        component: instance.component.clone(),
        operation: order.operation.clone(),
        stop_grace_ms: instance.timing.stop_grace_ms,
    };
    labels.write().into_iter().collect()
}

/// Finds the container of a run of the tenant.
pub(super) async fn find(
    engine: &dyn EngineCalls,
    id: RunId,
    tenant: Option<&TenantId>,
) -> Result<Option<RunContainer>, RuntimeError> {
    let found = engine.labelled(RunLabels::RUN, &id.to_string()).await?;
    Ok(found.into_iter().find_map(|found| {
        let run = run_of(&found).filter(|run| run.id == id && is_ours(&found, run, tenant))?;
        container_of(found, &run)
    }))
}

/// Stops and removes the container of a run.
pub(super) async fn remove(
    engine: &dyn EngineCalls,
    id: RunId,
    tenant: Option<&TenantId>,
) -> Result<(), RuntimeError> {
    match find(engine, id, tenant).await? {
        Some(container) => take_away(engine, &container).await,
        None => Ok(()),
    }
}
