//! Runs the checks of a component with other files before its program gets them. They run in a container
//! beside the program, which has the new files mounted from a folder of its own.

use oml_common::decide::reload::check;
use oml_common::document::instance::{InstanceDocument, OperationStep};
use oml_common::text::error::chain;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{StepError, Work};
use crate::container_files;
use crate::documents;
use crate::host::Host;
use crate::paths::Slot;
use crate::runtime::PullProgress;

impl Host {
    /// Runs the checks that are due before the files of the desired instance are placed.
    pub(super) async fn check_reload(
        &self,
        work: &Work,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), StepError> {
        let instance = work.instance()?;
        // Without checks, an error of the disk is no reason against the files.
        if instance.checks.is_empty() {
            return Ok(());
        }
        let current = documents::read_usable(&self.paths, &work.component, Slot::Current)?;
        let due = check::due(instance, current.as_deref());
        if due.is_empty() {
            return Ok(());
        }
        let apart = check::apart(instance).ok_or(StepError::NoInstance)?;
        self.restore_image(instance, progress).await?;
        let (component, hash) = (&work.component, apart.workload_hash());
        // An agent that was killed may have left those of another content.
        container_files::remove_of(&self.paths, component, &hash)?;
        let mut checked = Ok(());
        for step in due {
            checked = self.check_files(work, &apart, step).await;
            if checked.is_err() {
                break;
            }
        }
        if let Err(error) = container_files::remove_of(&self.paths, component, &hash) {
            // The next check removes them, and so does the next version.
            warn!(%component, error = chain(&error), "cannot remove the files of a check");
        }
        checked
    }

    async fn check_files(
        &self,
        work: &Work,
        apart: &InstanceDocument,
        step: &OperationStep,
    ) -> Result<(), StepError> {
        let ended = self.end_of_check(work, apart, step).await?;
        let (component, operation) = (&work.component, &step.operation);
        let Err(refused) = check::passed(step, ended.exit_code) else {
            info!(%component, check = %operation, "check of the new files passed");
            return Ok(());
        };
        warn!(%component, reason = %refused, "check has refused the new files");
        // A reload that was interrupted may have placed them already.
        self.write_reloaded(work.instance()?)?;
        let failure = self.failure(work, refused.to_string(), ended);
        Err(StepError::OperationFailed(Box::new(failure)))
    }
}
