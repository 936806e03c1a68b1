//! Decides how a unit ended in which a supervisor runs, which never ends well by itself.

use crate::decide::observed::{ActiveState, UnitEnd};

/// The signals that systemd takes for a clean end (SIGHUP, SIGINT, SIGPIPE and SIGTERM), and
/// SIGUSR2, by which it stops our supervisors.
const CLEAN_SIGNALS: [i32; 5] = [1, 2, 12, 13, 15];

/// How the main process of a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// What systemd says about the last life of a unit with a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupervisedLife<'a> {
    pub state: ActiveState,
    /// Whether a job of the unit waits or is done.
    pub has_job: bool,
    /// The unit's `Result`, if systemd says it.
    pub result: Option<&'a str>,
    /// How its main process ended, if it had one.
    pub process: Option<ProcessEnd>,
    /// When it last became inactive or failed, in microseconds since 1970; 0 if it never did.
    pub rests_since: u64,
}

/// Returns how the unit ended last; none while it runs or has a job, or if it never ran.
///
/// A failure that was only reset (`systemctl reset-failed`) still shows in the way in which the
/// main process ended. A unit that is inactive after a failure was stopped while systemd waited to
/// start it again; otherwise systemd would have started it, or the unit would be failed. Only where
/// `ExecCondition=` said no does a unit become inactive by itself.
#[must_use]
pub fn how_supervised_ended(life: SupervisedLife<'_>) -> Option<UnitEnd> {
    let rests = matches!(life.state, ActiveState::Inactive | ActiveState::Failed);
    // Between the two halves of a restart it is inactive too, and has a job.
    if !rests || life.has_job || life.rests_since == 0 {
        return None;
    }
    let was_stopped = match life.result {
        Some("success") => match life.process {
            Some(ProcessEnd::Exited(status)) => status == 0,
            Some(ProcessEnd::Killed(signal)) => CLEAN_SIGNALS.contains(&signal),
            None => false,
        },
        Some("exec-condition") | None => false,
        Some(_) => true,
    };
    let is_stopped = life.state == ActiveState::Inactive && was_stopped;
    Some(if is_stopped { UnitEnd::Stopped } else { UnitEnd::ByItself })
}

/// What systemd says about a unit after a start that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedUnit<'a> {
    pub state: ActiveState,
    /// Whether a job of the unit waits or is done.
    pub has_job: bool,
    /// Whether systemd waits to start it again by itself (`SubState` is `auto-restart`, or
    /// `auto-restart-queued` once the job of that start is there).
    pub waits_for_restart: bool,
    /// The unit's `Result`.
    pub result: &'a str,
    /// The automatic restarts since the start (`NRestarts`).
    pub restarts: u32,
    /// How it ended, if it did.
    pub ended: Option<UnitEnd>,
}

/// Returns true if somebody stopped a unit during its start, or asked for another job of it. The job of
/// a stop replaces that of the start before it acts, so a unit that is still activating without a
/// failure is about to stop. systemd's own restart has a job too, but it comes after a failure: until
/// then the unit waits for it, and from then on it counts as restarted.
#[must_use]
pub fn was_interrupted(unit: StartedUnit<'_>) -> bool {
    if unit.waits_for_restart {
        return false;
    }
    let has_failed = !matches!(unit.result, "" | "success");
    match unit.state {
        ActiveState::Deactivating => true,
        ActiveState::Activating => unit.restarts == 0 && (unit.has_job || !has_failed),
        ActiveState::Inactive | ActiveState::Failed if unit.has_job => unit.restarts == 0,
        ActiveState::Inactive | ActiveState::Failed => unit.ended == Some(UnitEnd::Stopped),
        ActiveState::Active | ActiveState::Reloading => unit.has_job,
    }
}

#[cfg(test)]
mod tests;
