//! Deciding once more when somebody else was first.

use super::{OpsError, Result};

/// How often a change is decided once more when somebody else was first.
const RETRIES_MAX: usize = 8;

/// Counts how often a change met a conflict.
#[derive(Debug, Default)]
pub(super) struct ConflictRetries {
    conflicts: usize,
}

impl ConflictRetries {
    /// Whether to decide once more after `error`: only after a conflict, and not for ever.
    pub(super) fn after(&mut self, error: OpsError) -> Result<()> {
        self.conflicts += 1;
        let is_conflict = matches!(&error, OpsError::Store(error) if error.is_conflict());
        match is_conflict {
            false => Err(error),
            true if self.conflicts < RETRIES_MAX => Ok(()),
            true => Err(OpsError::Busy),
        }
    }
}
