//! Converts the state of a unit from the terms of systemd.

use std::path::Path;

use oml_common::decide::observed::{ActiveState, ObservedUnit, UnitEnd, WaitingJob};
use oml_common::decide::unit_end::{
    Invocation, ProcessEnd, StartedUnit, SupervisedLife, TestedUnit, UnitTest, UnitTests,
    how_supervised_ended, was_interrupted,
};
use oml_common::id::ContentHash;
use oml_common::time::Timestamp;
use zbus::OwnedObjectPath;

use super::calls::{Loaded, TestProperty};

/// The ways in which a process ends, as waitid(2) numbers them.
pub(super) const EXITED: i32 = 1;
pub(super) const KILLED: i32 = 2;

impl Loaded {
    /// Returns the unit's own name, where `name` may be an alias of it.
    pub(super) fn own_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.unit.id.as_deref().filter(|id| !id.is_empty()).unwrap_or(name)
    }

    pub(super) fn active_word(&self) -> &str {
        self.unit.active_state.as_deref().unwrap_or_default()
    }

    pub(super) fn active(&self) -> ActiveState {
        match self.active_word() {
            "active" | "refreshing" | "maintenance" => ActiveState::Active,
            "reloading" => ActiveState::Reloading,
            "activating" => ActiveState::Activating,
            "deactivating" => ActiveState::Deactivating,
            "failed" => ActiveState::Failed,
            _ => ActiveState::Inactive,
        }
    }

    /// Returns true if a process of the unit may be running.
    pub(super) fn is_up(&self) -> bool {
        match self.active() {
            ActiveState::Active
            | ActiveState::Reloading
            | ActiveState::Activating
            | ActiveState::Deactivating => true,
            ActiveState::Inactive | ActiveState::Failed => false,
        }
    }

    pub(super) fn has_job(&self, job: &OwnedObjectPath) -> bool {
        self.unit.job.as_ref().is_some_and(|(id, path)| *id != 0 && path == job)
    }

    pub(super) fn has_any_job(&self) -> bool {
        self.unit.job.as_ref().is_some_and(|(id, _)| *id != 0)
    }

    /// Returns the job of the unit, if it has not begun because others go first.
    fn waiting_job(&self) -> Option<WaitingJob> {
        let (number, _) = self.unit.job.as_ref().filter(|(number, _)| *number != 0)?;
        let waits = self.job.state.as_deref() == Some("waiting");
        let kind = self.job.job_type.clone().filter(|_| waits)?;
        Some(WaitingJob { number: *number, kind, since: None })
    }

    /// Returns what names the life of the unit.
    pub(super) fn invocation(&self) -> Invocation {
        Invocation {
            id: self.unit.invocation_id.clone().unwrap_or_default(),
            active_enter: self.unit.active_enter_monotonic.unwrap_or(0),
        }
    }

    pub(super) fn is_masked(&self) -> bool {
        self.unit.load_state.as_deref() == Some("masked")
    }

    /// Returns true if the unit has a unit file.
    pub(super) fn has_file(&self) -> bool {
        self.file().is_some()
    }

    /// Returns true if systemd has the unit from another file than `path`. A file that was
    /// removed still counts until systemd reads the files again.
    pub(super) fn is_defined_beside(&self, path: &Path) -> bool {
        self.file().is_some_and(|file| file != path)
    }

    /// Returns true if somebody disabled the unit, so that it would not start at boot.
    pub(super) fn is_disabled(&self) -> bool {
        self.unit.unit_file_state.as_deref() == Some("disabled")
    }

    /// Returns true if a target wants the unit at boot, which also keeps it in memory.
    pub(super) fn is_enabled(&self) -> bool {
        self.unit.unit_file_state.as_deref().is_some_and(|state| state.starts_with("enabled"))
    }

    /// Returns the paths of the drop-ins of this unit, of the beginning of its name, and of all units of
    /// its type.
    pub(super) fn drop_ins(&self) -> impl Iterator<Item = &str> {
        self.unit.drop_in_paths.iter().flatten().map(String::as_str)
    }

    /// Returns the path of the unit file that counts; none if there is none.
    pub(super) fn file(&self) -> Option<&Path> {
        self.unit.fragment_path.as_deref().filter(|path| !path.is_empty()).map(Path::new)
    }

    pub(super) fn needs_reload(&self) -> bool {
        self.unit.need_daemon_reload == Some(true)
    }

    /// Returns the exit status of the main process, if it ended by itself.
    pub(super) fn exit_code(&self) -> Option<i64> {
        let status = self.service.main_status?;
        (self.service.main_code == Some(EXITED)).then_some(i64::from(status))
    }

    /// Explains why the unit does not run. A supervisor says more than its exit code.
    pub(super) fn why(&self, is_supervised: bool) -> String {
        let result = self.service.result.as_deref().unwrap_or_default();
        let words = self.service.status_text.as_deref().unwrap_or_default().trim();
        match (result, self.exit_code()) {
            ("exit-code", Some(_)) if is_supervised && !words.is_empty() => words.to_owned(),
            ("exit-code", Some(code)) => format!("its process ended with exit code {code}"),
            ("timeout", _) => "it did not become ready in time".to_owned(),
            ("start-limit-hit", _) => "it keeps exiting; systemd stopped restarting it".to_owned(),
            ("oom-kill", _) => "the kernel killed it: out of memory".to_owned(),
            ("" | "success", _) => format!("it is {}", self.active_word()),
            (other, _) => format!("systemd says {other}"),
        }
    }

    /// Returns the state of the unit, without the way in which it ended.
    pub(super) fn observe(&self, hash: Option<ContentHash>, stale: bool) -> ObservedUnit {
        ObservedUnit {
            hash,
            stale,
            active: self.active(),
            is_exited: self.unit.sub_state.as_deref() == Some("exited"),
            masked: self.is_masked(),
            ended: None,
            since: self.since(),
            restarts: self.service.restarts.unwrap_or(0),
            by_hand: Vec::new(),
            result: self.service.result.clone().unwrap_or_default(),
            unmet: None,
            job: self.waiting_job(),
        }
    }

    /// Returns what shows whether the last start of the unit was skipped.
    pub(super) fn tested(&self) -> TestedUnit<'_> {
        let unit = &self.unit;
        TestedUnit {
            state: self.active(),
            result: self.service.result.as_deref().unwrap_or_default(),
            conditions: UnitTests {
                // Nothing is known of a unit that does not show them.
                held: unit.condition_result.unwrap_or(true),
                at: unit.condition_monotonic.unwrap_or(0),
                each: unit_tests(unit.conditions.as_deref()),
            },
            assertions: UnitTests {
                held: unit.assert_result.unwrap_or(true),
                at: unit.assert_monotonic.unwrap_or(0),
                each: unit_tests(unit.asserts.as_deref()),
            },
        }
    }

    /// Returns true if the last main process of the unit started at that time or later.
    pub(super) fn was_started_since(&self, since: Timestamp) -> bool {
        self.service.main_start.unwrap_or(0) / 1000 >= since.0
    }

    /// Returns how a unit in which a supervisor runs ended last.
    pub(super) fn supervised_end(&self) -> Option<UnitEnd> {
        let status = self.service.main_status.unwrap_or(0);
        how_supervised_ended(SupervisedLife {
            state: self.active(),
            has_job: self.has_any_job(),
            result: self.service.result.as_deref(),
            process: match self.service.main_code {
                Some(EXITED) => Some(ProcessEnd::Exited(status)),
                Some(KILLED) => Some(ProcessEnd::Killed(status)),
                Some(_) | None => None,
            },
            rests_since: self.unit.inactive_enter_timestamp.unwrap_or(0),
        })
    }

    /// Returns true if systemd waits to start the unit again by itself. Since its version 254 it says
    /// so in another way once the job of that start is there.
    pub(super) fn waits_for_restart(&self) -> bool {
        matches!(self.unit.sub_state.as_deref(), Some("auto-restart" | "auto-restart-queued"))
    }

    /// Returns true if somebody stopped the unit during its start, or asked for another job of it.
    pub(super) fn was_interrupted(&self, is_supervised: bool) -> bool {
        let ended = if is_supervised { self.supervised_end() } else { self.packaged_end() };
        was_interrupted(StartedUnit {
            state: self.active(),
            has_job: self.has_any_job(),
            waits_for_restart: self.waits_for_restart(),
            result: self.service.result.as_deref().unwrap_or_default(),
            restarts: self.service.restarts.unwrap_or(0),
            ended,
        })
    }

    fn since(&self) -> Timestamp {
        let unit = &self.unit;
        let entered = match self.active() {
            ActiveState::Active | ActiveState::Reloading => unit.active_enter_timestamp,
            ActiveState::Activating => unit.inactive_exit_timestamp,
            ActiveState::Deactivating => unit.active_exit_timestamp,
            ActiveState::Inactive | ActiveState::Failed => unit.inactive_enter_timestamp,
        };
        Timestamp(entered.unwrap_or(0) / 1000)
    }
}

fn unit_test(property: &TestProperty) -> UnitTest<'_> {
    let (name, is_trigger, is_negated, parameter, result) = property;
    UnitTest {
        name,
        is_trigger: *is_trigger,
        is_negated: *is_negated,
        parameter,
        has_failed: *result < 0,
    }
}

fn unit_tests(properties: Option<&[TestProperty]>) -> Vec<UnitTest<'_>> {
    properties.unwrap_or_default().iter().map(unit_test).collect()
}

#[cfg(test)]
mod tests;
