//! One step of one instance, and how it learns that it is wanted no more.

use std::sync::Arc;

use oml_common::decide::step::Step;
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::id::{ComponentName, ContentHash};
use oml_common::time::Timestamp;
use tokio::sync::watch;

use super::StepError;

/// One step of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) component: ComponentName,
    /// The desired instance; none for a removal.
    pub(crate) desired: Option<InstanceDocument>,
    /// The workload that the update is towards.
    pub(crate) desired_hash: ContentHash,
    pub(crate) step: Step,
    /// When the start began that the step makes or judges; none if nothing was started.
    pub(crate) started_at: Option<Timestamp>,
    /// Says that another workload, or another content of its files, is desired since the step was begun.
    pub(crate) superseded: Superseded,
    /// The document by which its packaged unit was seen to run.
    pub(crate) seen_running: Option<Box<HeldInstance>>,
}

impl Work {
    /// Creates a step of an instance that nothing was started for.
    pub(crate) fn new(
        component: ComponentName,
        desired: Option<InstanceDocument>,
        desired_hash: ContentHash,
        step: Step,
    ) -> Self {
        let (superseded, seen_running) = (Superseded::default(), None);
        Self { component, desired, desired_hash, step, started_at: None, superseded, seen_running }
    }

    pub(super) fn instance(&self) -> Result<&InstanceDocument, StepError> {
        self.desired.as_ref().ok_or(StepError::NoInstance)
    }
}

/// Tells a step that another workload, or another content of its files, is desired since it was begun. What takes long ends
/// then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Superseded(Arc<watch::Sender<bool>>);

impl Superseded {
    /// Tells the step that another workload is desired.
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    /// Returns true if another workload is desired.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until another workload is desired.
    pub(super) async fn wait(&self) {
        let mut is_set = self.0.subscribe();
        // The sender lives as long as this.
        let _was_set = is_set.wait_for(|is_set| *is_set).await.is_ok();
    }
}
