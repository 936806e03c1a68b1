//! Notices that somebody stopped a unit that had failed already. systemd changes nothing of such
//! a unit, but it does the job.

use std::sync::PoisonError;

use oml_common::decide::observed::{ActiveState, ObservedUnit};

use super::Systemd;
use super::calls::Loaded;

/// A unit that has failed, which systemd does not start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailedUnit {
    /// The time of the failure, by which a later one is told apart.
    at: Option<u64>,
    /// Somebody stopped it after that.
    is_stopped: bool,
}

impl Systemd {
    /// Adds what is known of a stop by hand that systemd does not show.
    pub(super) fn add_stop(
        &self,
        unit: &str,
        loaded: &Loaded,
        mut observed: ObservedUnit,
    ) -> ObservedUnit {
        observed.stopped_by_hand |= self.was_stopped_after_failure(unit, loaded);
        observed
    }

    /// Returns true if a job was done for the unit while it stayed failed. A start that is done
    /// makes it active, and one that fails is not done, so it was a stop.
    fn was_stopped_after_failure(&self, unit: &str, loaded: &Loaded) -> bool {
        let job_was_done = self.signals.take_done(unit);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.active() != ActiveState::Failed {
            failed.remove(unit);
            return false;
        }
        let at = loaded.unit.inactive_enter_timestamp;
        let before = failed.get(unit).filter(|before| before.at == at);
        let is_stopped = before.is_some_and(|before| before.is_stopped || job_was_done);
        failed.insert(unit.to_owned(), FailedUnit { at, is_stopped });
        is_stopped
    }
}
