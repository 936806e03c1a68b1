//! The jobs of units: what systemd was asked for and has not finished.

use super::{ActiveState, UnitError};
use crate::{Daemon, HostModel};

/// The number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job(pub u32);

/// The kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Restart,
    Stop,
}

/// A job that is not finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) id: u32,
    pub(super) kind: Kind,
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
        let ends = state.units.ends.clone();
        let unit = state.units.unit(name, &on_disk);
        if !unit.definition.is_there() && unit.is_at_rest() {
            return Err(UnitError::NoSuchUnit(name.to_owned()));
        }
        if let Some(before) = unit.job.replace(Pending { id: number, kind }) {
            // Nobody has to be listening for its end.
            let _heard = ends.send(before.id).is_ok();
        }
        let (active, has_process) = (unit.state.active, unit.process.is_some());
        drop(state);
        match (kind, active, has_process) {
            (Kind::Start, ActiveState::Active, _) => self.finish_job(name),
            // The unit is starting already, and the job ends when it has started.
            (Kind::Start, ActiveState::Activating, true) => {}
            (Kind::Restart | Kind::Stop, _, true) => self.ask_to_stop(name),
            (Kind::Stop, _, false) => self.rest(name),
            (Kind::Start | Kind::Restart, _, _) => self.start_now(name),
        }
        Ok(Job(number))
    }

    /// Ends the job of a unit, whatever its result.
    pub(super) fn finish_job(&self, name: &str) {
        let mut state = self.state();
        let ends = state.units.ends.clone();
        let done = state.units.done.clone();
        let unit = state.units.units.get_mut(name);
        let ended = unit.and_then(|unit| Some((unit.job.take()?, unit.state.active)));
        drop(state);
        if let Some((job, active)) = ended {
            if job.kind == Kind::Stop || active == ActiveState::Active {
                // Nobody has to be listening for it.
                let _heard = done.send(name.to_owned()).is_ok();
            }
            // Nobody has to be listening for its end.
            let _heard = ends.send(job.id).is_ok();
        }
        self.notify(Daemon::Systemd);
    }
}
