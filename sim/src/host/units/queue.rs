//! Starts and stops that wait, because a job of another unit goes first (systemd.unit(5), `After=`).

use super::Unit;
use super::job::{JobEvent, Kind};
use crate::{Daemon, HostModel};

impl Unit {
    /// Returns the type of the job, if it has not begun. Of a restart of what has stopped only the
    /// start is left.
    pub(super) fn waits_for(&self) -> Option<&'static str> {
        let job = self.job.as_ref().filter(|job| job.waits)?;
        Some(match job.kind {
            Kind::Restart | Kind::TryRestart if !self.is_at_rest() => "restart",
            Kind::Start | Kind::Restart | Kind::TryRestart => "start",
            Kind::Stop => "stop",
        })
    }
}

impl HostModel {
    /// Makes every start of a unit wait that is asked for from now on, as behind the start of a unit
    /// after which it comes. A restart stops what runs, and its start waits.
    pub fn hold_starts(&self, name: &str) {
        self.state().faults.queues.insert(name.to_owned());
    }

    /// Lets the starts of a unit begin, also one that waits.
    pub fn let_starts_begin(&self, name: &str) {
        let waited = {
            let mut state = self.state();
            state.faults.queues.remove(name);
            let job = state.units.units.get_mut(name).and_then(|unit| unit.job.as_mut());
            job.is_some_and(|job| std::mem::take(&mut job.waits))
        };
        if waited {
            self.start_now(name);
        }
    }

    /// Makes every stop of a unit that runs wait that is asked for from now on, also that of a restart,
    /// as behind the stop of a unit that comes after it. None of them begins any more.
    pub fn hold_stops(&self, name: &str) {
        self.state().faults.held_stops.insert(name.to_owned());
    }

    /// Lets the stops of a unit begin at once that are asked for from now on.
    pub fn let_stops_begin(&self, name: &str) {
        self.state().faults.held_stops.remove(name);
    }

    /// Has the job of a unit wait if its stops are held, and returns true if they are.
    pub(super) fn holds_stop(&self, name: &str) -> bool {
        let mut state = self.state();
        let is_held = state.faults.held_stops.contains(name);
        let job = state.units.units.get_mut(name).and_then(|unit| unit.job.as_mut());
        if let Some(job) = job.filter(|_| is_held) {
            job.waits = true;
        }
        drop(state);
        if is_held {
            self.notify(Daemon::Systemd);
        }
        is_held
    }

    /// Cancels the job of a unit, as `systemctl cancel` does.
    pub fn cancel_job(&self, name: &str) {
        let mut state = self.state();
        let (ends, events) = (state.units.ends.clone(), state.units.events.clone());
        let job = state.units.units.get_mut(name).and_then(|unit| unit.job.take());
        drop(state);
        if let Some(job) = job {
            let (unit, result) = (name.to_owned(), "canceled");
            // Nobody has to be listening.
            let _heard = events.send(JobEvent::Ended { unit, job: job.id, result }).is_ok();
            let _ended = ends.send(job.id).is_ok();
        }
        self.notify(Daemon::Systemd);
    }

    /// Announces that a unit has become active.
    pub(super) fn show_started(&self, name: &str) {
        let events = self.state().units.events.clone();
        // Nobody has to be listening.
        let _heard = events.send(JobEvent::Started { unit: name.to_owned() }).is_ok();
    }

    /// Starts a unit for its job, once no other job goes first.
    pub(super) fn start_in_turn(&self, name: &str) {
        let waits = {
            let mut state = self.state();
            let waits = state.faults.queues.contains(name);
            let job = state.units.units.get_mut(name).and_then(|unit| unit.job.as_mut());
            job.map(|job| job.waits = waits).is_some() && waits
        };
        if waits { self.notify(Daemon::Systemd) } else { self.start_now(name) }
    }
}
