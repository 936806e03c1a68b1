//! The step that puts right what somebody changed by hand about the version in use.

use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::id::ContentHash;

use super::{StepError, Work};
use crate::container_files;
use crate::documents;
use crate::host::Host;
use crate::paths::Slot;
use crate::reloaded_files;
use crate::runtime::ContainerInstance;

impl Host {
    /// Writes the document, the unit and the files of the version in use again, and gives its running
    /// container its own name.
    pub(super) async fn repair(&self, work: &Work, in_use: &ContentHash) -> Result<(), StepError> {
        let instance = self.settled_or_held(work, in_use).await?;
        self.systemd.write(&instance).await?;
        container_files::ensure(&self.paths, &instance)?;
        reloaded_files::ensure_again(&self.paths, &instance)?;
        let Some(in_container) = ContainerInstance::of(&instance) else { return Ok(()) };
        let own = self.docker.containers_of(&work.component).await?;
        if own.iter().any(|container| container.is_running && container.hash == *in_use) {
            self.docker.promote(in_container).await?;
        }
        Ok(())
    }

    /// Returns the document of the version in use, and writes it if the current one is another.
    async fn settled_or_held(
        &self,
        work: &Work,
        in_use: &ContentHash,
    ) -> Result<InstanceDocument, StepError> {
        let is_in_use = |held: &HeldInstance| held.workload.hash == *in_use;
        let settled = documents::read_settled(&self.paths, &work.component).filter(is_in_use);
        let seen = work.seen_running.as_deref().cloned().filter(is_in_use);
        let right = settled.as_ref().or(seen.as_ref());
        let held = documents::read_usable_held(&self.paths, &work.component)?.filter(is_in_use);
        // A label says how the version was when it was created, its own document how it is now.
        if let Some(held) =
            held.filter(|held| right.is_none_or(|right| right.hash() == held.hash()))
        {
            // What only a later release can read is not replaced by what its label says.
            return held.whole().map_err(|_later| StepError::NoInstance);
        }
        let known = match right.map(HeldInstance::whole) {
            Some(Ok(right)) => right,
            Some(Err(_)) | None => self.known(work, in_use).await?,
        };
        documents::write(&self.paths, &known, Slot::Current)?;
        Ok(known)
    }
}
