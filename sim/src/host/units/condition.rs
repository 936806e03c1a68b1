//! What a unit asks for before its start (systemd.unit(5)): conditions, assertions and the units that
//! it requires. Of the many tests the model knows those of paths that exist. A required unit has to
//! exist; the model starts it without waiting for it, and its stop stops no other.

use std::path::Path;

use super::job::JobEvent;
use super::{ActiveState, Definition, Unit};
use crate::HostModel;

/// A condition or an assertion in the files of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedLine {
    /// `ConditionPathExists` or `AssertPathExists`.
    pub name: String,
    pub is_negated: bool,
    pub parameter: String,
    /// Whether it held at the last test; none if it was not tested.
    pub holds: Option<bool>,
}

/// The conditions of a unit, or its assertions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tests {
    /// Whether all held at the last test; false before the first one.
    pub held: bool,
    /// The time of the last test, in milliseconds since the epoch; 0 for never.
    pub at_ms: u64,
    pub lines: Vec<TestedLine>,
}

impl Tests {
    /// Tests the lines of that name in their order, until one does not hold.
    fn of(definition: &Definition, name: &str, now_ms: u64) -> Self {
        let mut tests = Self { held: true, at_ms: now_ms, lines: Vec::new() };
        for value in definition.values(name) {
            let (is_negated, parameter) = match value.strip_prefix('!') {
                Some(parameter) => (true, parameter),
                None => (false, value),
            };
            let holds = tests.held.then(|| Path::new(parameter).exists() != is_negated);
            tests.held &= holds != Some(false);
            let (name, parameter) = (name.to_owned(), parameter.to_owned());
            tests.lines.push(TestedLine { name, is_negated, parameter, holds });
        }
        tests
    }

    /// Returns true if they were tested and one did not hold.
    pub(super) fn have_failed(&self) -> bool {
        !self.held && self.at_ms > 0
    }
}

impl Unit {
    /// Tests what the unit asks for, and returns the result of the job if it is not started. A
    /// condition that does not hold is no failure.
    fn test(&mut self, now_ms: u64) -> Option<&'static str> {
        self.state.conditions = Tests::of(&self.definition, "ConditionPathExists", now_ms);
        if !self.state.conditions.held {
            return Some("done");
        }
        self.state.assertions = Tests::of(&self.definition, "AssertPathExists", now_ms);
        (!self.state.assertions.held).then_some("assert")
    }
}

impl HostModel {
    /// Skips the start of a unit if what it asks for is not so, and returns true if it does. Then its
    /// job is over, and the unit rests.
    pub(super) fn skips_start(&self, name: &str) -> bool {
        let now_ms = self.now_ms();
        let required = {
            let state = self.state();
            let unit = state.units.units.get(name);
            unit.map(|unit| unit.definition.requires()).unwrap_or_default()
        };
        let starts = |other: &String| self.starts_required(other);
        let result = match required.iter().all(starts) {
            true => {
                let mut state = self.state();
                state.units.units.get_mut(name).and_then(|unit| unit.test(now_ms))
            }
            false => Some("dependency"),
        };
        let Some(result) = result else { return false };
        self.show_at_rest(name, now_ms);
        self.end_job(name, |_, _| result);
        true
    }

    /// Starts a unit that another one requires, and returns false if it is not started. One of which
    /// a condition does not hold has not failed.
    fn starts_required(&self, name: &str) -> bool {
        let on_disk = self.read_definition(name);
        let now_ms = self.now_ms();
        let mut state = self.state();
        let unit = state.units.unit(name, &on_disk);
        let is_up = matches!(unit.state.active, ActiveState::Active | ActiveState::Activating);
        let result = if is_up { Some("done") } else { unit.test(now_ms) };
        drop(state);
        if result.is_none() {
            self.start_now(name);
        }
        result != Some("assert")
    }

    /// Puts a unit to rest that waits for its next start, and announces the job that it has then.
    fn show_at_rest(&self, name: &str, now_ms: u64) {
        let mut state = self.state();
        let events = state.units.events.clone();
        let Some(unit) = state.units.units.get_mut(name) else { return };
        if !unit.is_at_rest() {
            unit.enter(ActiveState::Inactive, now_ms);
        }
        let since_ms = unit.state.inactive_enter_ms;
        if let Some(job) = unit.job.map(|job| job.id) {
            let (unit, is_unmet) = (name.to_owned(), unit.state.conditions.have_failed());
            let shown = JobEvent::ShownAtRest { unit, job, since_ms, is_unmet };
            // Nobody has to be listening.
            let _heard = events.send(shown).is_ok();
        }
    }
}
