//! Starts that wait, because a job of another unit goes first (systemd.unit(5), `After=`).

use super::job::{JobEvent, Kind, Pending};
use crate::{Daemon, HostModel};

impl Pending {
    /// Returns the type of the job, if it has not begun. Of a restart only the start is left then.
    pub(super) fn waits_for(&self) -> Option<&'static str> {
        let word = match self.kind {
            Kind::Start | Kind::Restart | Kind::TryRestart => "start",
            Kind::Stop => "stop",
        };
        self.waits.then_some(word)
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
