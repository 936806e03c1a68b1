//! Remembers how a unit ended, for as long as it does not run. systemd itself forgets a stop with
//! `systemctl reset-failed` and when it unloads the unit, and a stop changes nothing of a unit that
//! has failed already: systemd only does the job. A note in the run folder lets the next agent know of
//! a stop.

use std::sync::PoisonError;

use oml_common::decide::observed::{ObservedUnit, UnitEnd, Unmet};
use oml_common::decide::unit_end::{RestingUnit, UnitMemory, remember};
use oml_common::document;
use oml_common::document::host_notes::{Note as _, StopNote};
use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use tracing::debug;

use super::Systemd;
use super::calls::Loaded;
use crate::files;

impl Systemd {
    /// Adds what is known of a stop by hand that systemd does not show, or not any more.
    /// `is_renamed` is true while the component has a unit of another name too.
    pub(super) fn add_stop(
        &self,
        instance: &InstanceDocument,
        loaded: &Loaded,
        is_renamed: bool,
        observed: ObservedUnit,
    ) -> ObservedUnit {
        let unit = instance.unit.as_str();
        let mut all = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(unit).copied();
        if loaded.is_up() {
            let since = loaded.unit.inactive_exit_timestamp.unwrap_or(0);
            all.insert(unit.to_owned(), UnitMemory::Runs { since });
            if !matches!(before, Some(UnitMemory::Runs { .. })) {
                self.forget_notes(unit);
            }
            return observed;
        }
        // What is seen beside a job is provisional: a start cancels a stop, and the job of one may be
        // that of a restart, of which the start waits.
        if loaded.has_any_job() {
            return observed;
        }
        let at = loaded.unit.inactive_enter_timestamp.unwrap_or(0);
        let unmet = self.unmet(unit, loaded);
        let memory = remember(
            before,
            RestingUnit {
                at,
                shown: observed.ended.unwrap_or(UnitEnd::ByItself),
                was_stopped_at_rest: self.was_stopped_at_rest(unit, loaded, at),
                was_skipped: unmet.is_some(),
                seen: self.signals.seen_rest(unit),
                noted: self.noted_stop(unit, at),
                unloads_at_rest: !loaded.is_enabled(),
                has_run: !is_renamed && self.has_run(instance),
                is_supervised: matches!(*instance.workload, Workload::Container(_)),
            },
        );
        all.insert(unit.to_owned(), memory);
        let UnitMemory::Rests { at: ended_at, end } = memory else { return observed };
        if before != Some(memory) {
            self.note_rest(unit, memory, unmet.as_ref());
        }
        ObservedUnit {
            ended: Some(end),
            unmet,
            since: if at == 0 { Timestamp(ended_at / 1000) } else { observed.since },
            ..observed
        }
    }

    /// Returns true if a job was done while the unit stayed as it was. A start makes it active
    /// or fails, and is done without either only where a condition of the unit does not hold.
    fn was_stopped_at_rest(&self, unit: &str, loaded: &Loaded, at: u64) -> bool {
        let conditions_hold = loaded.unit.condition_result == Some(true);
        conditions_hold && self.signals.done_at_rest_since(unit) == Some(at)
    }

    /// Returns true if the unit of a component ran since the boot: its supervisor has left a status,
    /// or an agent saw that it ran.
    fn has_run(&self, instance: &InstanceDocument) -> bool {
        match *instance.workload {
            Workload::Container(_) => self.paths.status(&instance.component).exists(),
            Workload::Unit(_) => self.paths.ends_note(instance.unit.as_str()).exists(),
        }
    }

    /// Notes for the next agent what this one knows of a unit that came to rest.
    fn note_rest(&self, unit: &str, memory: UnitMemory, unmet: Option<&Unmet>) {
        match (memory, unmet) {
            (UnitMemory::Rests { at, end: UnitEnd::Stopped }, _) => {
                self.forget_skip(unit);
                self.note_stop(unit, at);
            }
            (UnitMemory::Rests { at, .. }, Some(Unmet::Dependency))
            | (UnitMemory::Rests { at: at @ 0, .. }, Some(_)) => {
                self.forget_stop(unit);
                self.note_skip(unit, at);
            }
            (_, Some(Unmet::Condition(_) | Unmet::Assertion(_))) => self.forget_notes(unit),
            (_, Some(Unmet::Dependency) | None) => {}
        }
    }

    /// Forgets what is known of a unit that the agent itself stopped or takes away.
    pub(super) fn forget_unit(&self, unit: &str) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(unit);
        self.forget_notes(unit);
    }

    fn forget_notes(&self, unit: &str) {
        self.forget_stop(unit);
        self.forget_skip(unit);
    }

    /// Returns when a unit ended that somebody stopped, if that is noted. A note that only a later
    /// release can read may be about the end at that time.
    fn noted_stop(&self, unit: &str, at: u64) -> Option<u64> {
        let text = files::read_if_there(&self.paths.stop_note(unit)).ok().flatten()?;
        match StopNote::read(&text) {
            Ok(note) => Some(note.at),
            Err(error) => error.is_of_later_release().then_some(at),
        }
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
        // It is not there where nobody stopped the unit.
        let _was_there = std::fs::remove_file(self.paths.stop_note(unit)).is_ok();
    }
}
