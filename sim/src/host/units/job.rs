//! The jobs of units: what systemd was asked for and has not finished.

use super::{ActiveState, UnitError};
use crate::{Daemon, HostModel};

/// The number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job(pub u32);

/// What systemd announces about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// The unit shows this job, and does not run since that time.
    ShownAtRest {
        /// The name of the unit.
        unit: String,
        /// The number of the job.
        job: u32,
        /// The time at which the unit became inactive or failed.
        since_ms: u64,
        /// The last test of its conditions, after which one did not hold.
        is_unmet: bool,
    },
    /// The unit has become active.
    Started {
        /// The name of the unit.
        unit: String,
    },
    /// The job ended.
    Ended {
        /// The name of the unit.
        unit: String,
        /// The number of the job.
        job: u32,
        /// "done", "failed", "canceled", "assert" or "dependency".
        result: &'static str,
    },
}

/// The kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Restart,
    /// A restart of what is active. For any other unit it is a job that does nothing, which the
    /// unit does not even show.
    TryRestart,
    Stop,
}

/// A job that is not finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) id: u32,
    pub(super) kind: Kind,
    /// It has not begun, because another job goes first.
    pub(super) waits: bool,
}

impl HostModel {
    /// Starts a job, which replaces the unfinished one of the unit.
    pub(super) fn begin_job(&self, name: &str, kind: Kind) -> Result<Job, UnitError> {
        let on_disk = self.read_definition(name);
        let mut state = self.state();
        let number = u32::try_from(state.next_serial()).unwrap_or(u32::MAX);
        if kind != Kind::Stop && state.units.masked.contains(name) {
            return Err(UnitError::Masked(name.to_owned()));
        }
        let (ends, events) = (state.units.ends.clone(), state.units.events.clone());
        state.units.unload(name);
        let unit = state.units.unit(name, &on_disk);
        if !unit.definition.is_there() && unit.is_at_rest() {
            return Err(UnitError::NoSuchUnit(name.to_owned()));
        }
        let (unit_name, job) = (name.to_owned(), number);
        let kind = match kind {
            Kind::TryRestart if unit.state.active == ActiveState::Active => Kind::Restart,
            Kind::TryRestart => {
                // Nobody has to be listening, here and below.
                let done = JobEvent::Ended { unit: unit_name, job, result: "done" };
                let _heard = events.send(done).is_ok();
                let _ended = ends.send(number).is_ok();
                return Ok(Job(number));
            }
            kind @ (Kind::Start | Kind::Restart | Kind::Stop) => kind,
        };
        if unit.is_at_rest() {
            let since_ms = unit.state.inactive_enter_ms;
            let is_unmet = unit.state.conditions.have_failed();
            let shown = JobEvent::ShownAtRest { unit: unit_name, job, since_ms, is_unmet };
            let _heard = events.send(shown).is_ok();
        }
        if let Some(before) = unit.job.replace(Pending { id: number, kind, waits: false }) {
            let (unit, job) = (name.to_owned(), before.id);
            let canceled = JobEvent::Ended { unit, job, result: "canceled" };
            let _heard = events.send(canceled).is_ok();
            let _ended = ends.send(before.id).is_ok();
        }
        let (active, has_process) = (unit.state.active, unit.process.is_some());
        drop(state);
        let is_up = has_process || active == ActiveState::Active;
        if kind != Kind::Start && is_up && self.holds_stop(name) {
            return Ok(Job(number));
        }
        match (kind, active, has_process) {
            (Kind::Start, ActiveState::Active, _) => self.finish_job(name),
            // The unit is starting already, and the job ends when it has started.
            (Kind::Start, ActiveState::Activating, true) => {}
            (Kind::Restart | Kind::TryRestart | Kind::Stop, _, true) => self.ask_to_stop(name),
            (Kind::Stop, _, false) => self.rest(name),
            (Kind::Restart, ActiveState::Active, false) => {
                self.end_packaged(name);
                self.start_in_turn(name);
            }
            (Kind::Start | Kind::Restart | Kind::TryRestart, _, _) => self.start_in_turn(name),
        }
        Ok(Job(number))
    }

    /// Ends the job of a unit with the result that its state shows.
    pub(super) fn finish_job(&self, name: &str) {
        self.end_job(name, |kind, active| {
            let is_done = kind == Kind::Stop || active == ActiveState::Active;
            if is_done { "done" } else { "failed" }
        });
    }

    /// Ends the job of a unit with the result for its kind and the state of the unit.
    pub(super) fn end_job(
        &self,
        name: &str,
        result: impl FnOnce(Kind, ActiveState) -> &'static str,
    ) {
        let mut state = self.state();
        let ends = state.units.ends.clone();
        let events = state.units.events.clone();
        let unit = state.units.units.get_mut(name);
        let ended = unit.and_then(|unit| Some((unit.job.take()?, unit.state.active)));
        drop(state);
        if let Some((job, active)) = ended {
            let (unit, result) = (name.to_owned(), result(job.kind, active));
            // Nobody has to be listening for its end.
            let _heard = events.send(JobEvent::Ended { unit, job: job.id, result }).is_ok();
            let _ended = ends.send(job.id).is_ok();
        }
        self.notify(Daemon::Systemd);
    }
}
