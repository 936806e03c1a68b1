//! The workload that an update rolls back to, and whether it may.

use crate::document::update::{InstanceUpdate, LastGood, Stage};
use crate::id::ContentHash;

impl InstanceUpdate {
    /// Returns the workload to roll back to when the desired one fails.
    #[must_use]
    pub fn returns_to(&self) -> Option<&ContentHash> {
        self.last_good.previous().filter(|hash| **hash != self.desired_hash)
    }

    /// Returns true if a version after the last good one answered, so that it may have written what
    /// that one cannot read.
    #[must_use]
    pub fn may_have_written(&self) -> bool {
        self.has_answered || matches!(self.stage, Stage::Soaking { .. })
    }
}

impl LastGood {
    /// Returns the last good workload, if it is not the running one.
    #[must_use]
    pub fn previous(&self) -> Option<&ContentHash> {
        match self {
            LastGood::Previous(hash) | LastGood::PreviousFailed(hash) => Some(hash),
            LastGood::Current | LastGood::None => None,
        }
    }

    /// Returns the last good workload after a rollback to it failed.
    pub(super) fn after_failed_rollback(self) -> Self {
        match self {
            LastGood::Previous(hash) | LastGood::PreviousFailed(hash) => {
                LastGood::PreviousFailed(hash)
            }
            LastGood::Current | LastGood::None => self,
        }
    }

    /// Returns the last good workload after a rollback to it was done.
    pub(super) fn after_rollback(self) -> Self {
        match self {
            LastGood::Previous(hash) | LastGood::PreviousFailed(hash) => LastGood::Previous(hash),
            LastGood::Current | LastGood::None => self,
        }
    }
}
