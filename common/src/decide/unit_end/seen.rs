//! Follows what the signals of systemd say about a unit, in their order: which job it had when it
//! came to rest, and whether that job was a stop.
//!
//! A unit shows a new job before the job changes anything, and shows it once more in the state that
//! the job leads to, before the job is gone (`bus_job_send_removed_signal` in systemd's
//! `dbus-job.c`). A signal may be missing where the connection broke.

use crate::decide::observed::{ActiveState, UnitEnd, Unmet};

/// How a unit was seen to come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenRest {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// Unknown if the unit was not seen to run before.
    pub end: UnitEnd,
}

/// Why systemd skipped a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipCause {
    Condition,
    Assertion,
    /// A unit that it requires did not start.
    Dependency,
}

impl From<SkipCause> for Unmet {
    /// What did not hold is not known.
    fn from(cause: SkipCause) -> Self {
        match cause {
            SkipCause::Condition => Self::Condition(None),
            SkipCause::Assertion => Self::Assertion(None),
            SkipCause::Dependency => Self::Dependency,
        }
    }
}

impl From<&Unmet> for SkipCause {
    fn from(unmet: &Unmet) -> Self {
        match unmet {
            Unmet::Condition(_) => Self::Condition,
            Unmet::Assertion(_) => Self::Assertion,
            Unmet::Dependency => Self::Dependency,
        }
    }
}

/// What was seen of a unit.
#[derive(Debug, Clone, Default)]
pub struct SeenUnit {
    /// Whether it ran when it was seen last.
    runs: bool,
    /// The job that it showed when it was last seen at rest.
    waits: Option<u32>,
    /// The job that has started it last.
    start: Option<u32>,
    /// A job of which it is not known whether it is a start.
    unsure: Option<u32>,
    /// The last job that it showed while it did not run, unless it may be a start that ended, and the
    /// time since which it did not.
    at_rest: Option<(u32, u64)>,
    /// Its last job that was done.
    done: Option<u32>,
    /// Its last job that was a start which systemd skipped, and why.
    skipped: Option<(u32, SkipCause)>,
    /// The job that it showed at rest while a condition of it did not hold.
    unmet: Option<u32>,
    rest: Option<SeenRest>,
}

impl SeenUnit {
    /// Notes that a look found the unit running.
    pub fn was_found_running(&mut self) {
        self.runs = true;
    }

    /// Notes that signals may be missing.
    pub fn was_lost(&mut self) {
        // That it came to rest by a start that was skipped stays true.
        (self.runs, self.rest) = (false, self.rest());
        self.has_started();
    }

    /// Notes that a start of the unit was done, after which no earlier one counts that was skipped.
    pub fn has_started(&mut self) {
        (self.skipped, self.unmet) = (None, None);
    }

    /// Notes the state and the job that a signal shows of a unit that is up.
    pub fn is_up(&mut self, state: ActiveState, job: Option<u32>) {
        self.runs = true;
        let is_start = job.is_some() && job == self.start;
        // The signals of a restart may come after the end of its job.
        self.skipped.take_if(|(skipped, _)| job != Some(*skipped));
        self.unmet.take_if(|unmet| job != Some(*unmet) || state != ActiveState::Deactivating);
        match state {
            ActiveState::Activating if is_start || job.is_none() => {}
            ActiveState::Activating if job == self.waits => self.start = job,
            // A stop in the midst of a start is first shown here, and so is a start whose first
            // signal was joined with this one.
            ActiveState::Activating => self.unsure = job,
            // A start does not stop anything: a restart was joined with it.
            ActiveState::Deactivating if is_start => (self.start, self.unsure) = (None, job),
            ActiveState::Deactivating
            | ActiveState::Active
            | ActiveState::Reloading
            | ActiveState::Inactive
            | ActiveState::Failed => {}
        }
    }

    /// Notes the job that a signal shows of a unit that rests since a time in microseconds since
    /// 1970; 0 if systemd has it fresh.
    pub fn rests(&mut self, at: u64, job: Option<u32>) {
        let is_start = job.is_some() && job == self.start;
        // A fresh unit did not come to rest.
        if at > 0 && self.rest.is_none_or(|before| before.at != at) {
            let end = match job {
                _ if !self.runs => UnitEnd::Unknown,
                Some(_) if is_start => UnitEnd::ByItself,
                Some(_) if job == self.unsure => UnitEnd::Unknown,
                Some(_) => UnitEnd::Stopped,
                None => UnitEnd::ByItself,
            };
            self.rest = Some(SeenRest { at, end });
        }
        if let Some(job) = job.filter(|_| !is_start && job != self.unsure) {
            self.at_rest = Some((job, at));
        }
        (self.runs, self.waits) = (false, job);
    }

    /// Notes that a job was done. That of a stop may change nothing of the unit.
    pub fn job_is_done(&mut self, job: u32) {
        self.done = Some(job);
    }

    /// Notes that a job was a start, or a restart, of which systemd skipped the start.
    pub fn start_was_skipped(&mut self, job: u32, cause: SkipCause) {
        self.skipped = Some((job, cause));
    }

    /// Notes that the unit showed a job at rest after a test of its conditions, which did not hold. If
    /// that job is done, its start was skipped.
    pub fn conditions_failed(&mut self, job: u32) {
        self.unmet = Some(job);
    }

    /// Returns the last job that was a start which systemd skipped, and why.
    #[must_use]
    pub fn skipped(&self) -> Option<(u32, SkipCause)> {
        let unmet = self.unmet.filter(|job| self.done == Some(*job));
        let unmet = unmet.map(|job| (job, SkipCause::Condition));
        // A later job has a higher number.
        unmet.into_iter().chain(self.skipped).max_by_key(|(job, _)| *job)
    }

    /// Forgets which job the unit showed at rest, which one was done, which start was skipped, and how
    /// the unit came to rest by them.
    pub fn forget_jobs(&mut self) {
        (self.at_rest, self.done, self.rest) = (None, None, None);
        self.has_started();
    }

    /// Returns since when the unit did not run, if it showed a job after that which was done. The
    /// two signals of a job may come in any order. A job that does nothing, as that of `systemctl
    /// try-restart` then, is never shown by the unit.
    #[must_use]
    pub fn done_at_rest_since(&self) -> Option<u64> {
        let (shown, since) = self.at_rest?;
        (self.done == Some(shown)).then_some(since)
    }

    /// Returns since when the unit did not run, if its last job after that was a start which systemd
    /// skipped, and why it did. The signals of a job may come in any order.
    #[must_use]
    pub fn skipped_at_rest(&self) -> Option<(u64, SkipCause)> {
        let (shown, since) = self.at_rest?;
        self.skipped().filter(|(job, _)| *job == shown).map(|(_, cause)| (since, cause))
    }

    /// Returns true if the unit was seen to come to rest at that time and nobody had stopped it.
    #[must_use]
    pub fn ended_alone(&self, at: u64) -> bool {
        self.rest == Some(SeenRest { at, end: UnitEnd::ByItself })
    }

    /// Returns how the unit was seen to come to rest last. The stop of a restart whose start was
    /// skipped is no stop, and neither is one that somebody took back by such a start, also where systemd
    /// had the unit fresh by then.
    #[must_use]
    pub fn rest(&self) -> Option<SeenRest> {
        let rest = self.rest?;
        let was_skipped =
            self.skipped_at_rest().is_some_and(|(since, _)| [rest.at, 0].contains(&since));
        Some(if was_skipped { SeenRest { end: UnitEnd::ByItself, ..rest } } else { rest })
    }
}

#[cfg(test)]
mod tests;
