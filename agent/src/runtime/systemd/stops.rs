//! Notices that somebody stopped a unit that had failed already. systemd changes nothing of such
//! a unit, but it does the job. A note in the run folder lets the next agent know of it.

use std::sync::PoisonError;

use oml_common::decide::observed::{ActiveState, ObservedUnit};
use oml_common::text::error::chain;
use tracing::debug;

use super::Systemd;
use super::calls::Loaded;
use crate::files;

/// A unit that has failed, which systemd does not start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailedUnit {
    /// The time of the failure, by which a later one is told apart.
    at: u64,
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
        let mut all = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.active() != ActiveState::Failed {
            if all.remove(unit).is_some_and(|before| before.is_stopped) {
                self.forget_stop(unit);
            }
            return false;
        }
        let at = loaded.unit.inactive_enter_timestamp.unwrap_or(0);
        let before = all.get(unit).filter(|before| before.at == at).copied();
        let is_stopped = match before {
            Some(before) => before.is_stopped || job_was_done,
            None => self.noted_stop(unit) == Some(at),
        };
        if is_stopped && before.is_some_and(|before| !before.is_stopped) {
            self.note_stop(unit, at);
        }
        all.insert(unit.to_owned(), FailedUnit { at, is_stopped });
        is_stopped
    }

    fn noted_stop(&self, unit: &str) -> Option<u64> {
        let text = files::read_if_there(&self.paths.stop_note(unit)).ok().flatten()?;
        text.trim().parse().ok()
    }

    fn note_stop(&self, unit: &str, at: u64) {
        let path = self.paths.stop_note(unit);
        if let Err(error) = files::write_volatile(&path, at.to_string().as_bytes(), 0o600) {
            // This agent knows of the stop all the same.
            debug!(unit, error = chain(&error), "cannot note that the unit was stopped");
        }
    }

    fn forget_stop(&self, unit: &str) {
        // A note that stays is about that one failure and does no harm.
        let _was_there = std::fs::remove_file(self.paths.stop_note(unit)).is_ok();
    }
}
