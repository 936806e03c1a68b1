//! Remembers that somebody stopped a unit, for as long as the unit does not run. systemd itself
//! forgets it with `systemctl reset-failed`, and changes nothing of a unit that has failed
//! already: it only does the job. A note in the run folder lets the next agent know of it.

use std::sync::PoisonError;

use oml_common::decide::observed::{ActiveState, ObservedUnit};
use oml_common::document;
use oml_common::document::host_notes::{Note as _, StopNote};
use oml_common::text::error::chain;
use tracing::debug;

use super::Systemd;
use super::calls::Loaded;
use crate::files;

/// A unit that is inactive or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RestingUnit {
    /// The time of its end, by which a later one is distinguished.
    at: u64,
    /// Somebody stopped it, or has stopped it after that.
    is_stopped: bool,
}

impl Systemd {
    /// Adds what is known of a stop by hand that systemd does not show, or not any more.
    pub(super) fn add_stop(
        &self,
        unit: &str,
        loaded: &Loaded,
        mut observed: ObservedUnit,
    ) -> ObservedUnit {
        let mut all = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = loaded.unit.inactive_enter_timestamp.unwrap_or(0);
        let rests = matches!(loaded.active(), ActiveState::Inactive | ActiveState::Failed);
        if !rests || at == 0 {
            if all.remove(unit).is_some_and(|before| before.is_stopped) {
                self.forget_stop(unit);
            }
            return observed;
        }
        let before = all.get(unit).filter(|before| before.at == at);
        let was_stopped =
            before.map_or_else(|| self.noted_stop(unit, at), |before| before.is_stopped);
        let is_known_stop = observed.stopped_by_hand && !observed.is_end_unknown;
        let is_stopped = was_stopped || is_known_stop || self.was_stopped_at_rest(unit, loaded, at);
        if is_stopped && !was_stopped {
            self.note_stop(unit, at);
        }
        all.insert(unit.to_owned(), RestingUnit { at, is_stopped });
        // Nobody has to be respected where the end of the unit was seen, and no job.
        let may_be_stopped = observed.is_end_unknown && !self.signals.ended_without_job(unit, at);
        observed.is_end_unknown = may_be_stopped && !is_stopped;
        // A job of the unit, such as a start, cancels the stop.
        observed.stopped_by_hand = (is_stopped || may_be_stopped) && !loaded.has_any_job();
        observed
    }

    /// Returns true if a job was done while the unit stayed as it was. A start makes it active
    /// or fails, and is done without either only where a condition of the unit does not hold.
    fn was_stopped_at_rest(&self, unit: &str, loaded: &Loaded, at: u64) -> bool {
        let conditions_hold = loaded.unit.condition_result == Some(true);
        conditions_hold && self.signals.done_at_rest_since(unit) == Some(at)
    }

    /// Returns true if it is noted that somebody stopped the unit when it ended at that time. A
    /// note that only a later release can read may say so too.
    fn noted_stop(&self, unit: &str, at: u64) -> bool {
        let text = files::read_if_there(&self.paths.stop_note(unit)).ok().flatten();
        text.is_some_and(|text| match StopNote::read(&text) {
            Ok(note) => note.at == at,
            Err(error) => error.is_of_later_release(),
        })
    }

    fn note_stop(&self, unit: &str, at: u64) {
        let path = self.paths.stop_note(unit);
        let note = document::write(&StopNote { at });
        if let Err(error) = files::write_volatile(&path, note.as_bytes(), 0o600) {
            // This agent knows of the stop all the same.
            debug!(unit, error = chain(&error), "cannot note that the unit was stopped");
        }
    }

    fn forget_stop(&self, unit: &str) {
        // A note that stays is about that one end and does no harm.
        let _was_there = std::fs::remove_file(self.paths.stop_note(unit)).is_ok();
    }
}
