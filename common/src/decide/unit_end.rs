//! Decides how a unit ended last: by itself, or because somebody stopped it.
//!
//! No supervisor watches the program of a unit that a package brings, so only systemd knows. It
//! forgets all of a unit that rests and that nothing needs, such as a disabled one: the unit is
//! unloaded, and fresh when it is loaded again. A unit that failed stays. So what an earlier look
//! found counts for as long as systemd says nothing else.
//!
//! systemd notes the end of a main process before it leaves the active state because of it. Where a
//! stop came first, the unit left that state first (systemd's `service.c`: `service_sigchld_event`
//! and `service_stop`).

use crate::decide::observed::{ActiveState, UnitEnd};

mod invocation;
pub mod recent;
mod seen;
mod supervised;
mod unmet;

pub use self::invocation::{Invocation, is_same_life};
pub use self::seen::{SeenRest, SeenUnit, SkipCause};
pub use self::supervised::{
    ProcessEnd, StartedUnit, SupervisedLife, how_supervised_ended, was_interrupted,
};
pub use self::unmet::{
    JobResult, NotedSkip, TestedUnit, UnitTest, UnitTests, is_still_skipped, unmet, why_skipped,
};

/// What systemd says about the last life of a unit. The times are in microseconds since boot, and 0
/// if it never happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitLife<'a> {
    pub state: ActiveState,
    /// Whether systemd waits to start it again by itself (`SubState` is `auto-restart`,
    /// or `auto-restart-queued` once the job of that start is there).
    pub waits_for_restart: bool,
    /// The unit's `Result`.
    pub result: &'a str,
    /// Whether a signal ended the main process.
    pub was_killed: bool,
    /// Whether its program may say that it stops (`STOPPING=1` of `sd_notify(3)`), after which its
    /// own end looks like a stop.
    pub announces: bool,
    /// When the main process ended (`ExecMainExitTimestampMonotonic`); 0 also if systemd knows no
    /// main process.
    pub main_exit: u64,
    /// When the unit was last active for the first time in a life.
    pub active_enter: u64,
    /// When the unit last stopped being active.
    pub active_exit: u64,
    /// When the unit last became inactive or failed.
    pub inactive_enter: u64,
    /// When the unit last stopped being inactive or failed.
    pub inactive_exit: u64,
}

/// Returns how the unit ended last; none while it runs, or if it never ran since the boot.
#[must_use]
pub fn how_it_ended(life: UnitLife<'_>) -> Option<UnitEnd> {
    match life.state {
        // A stop forbids the restart.
        ActiveState::Activating => life.waits_for_restart.then_some(UnitEnd::ByItself),
        ActiveState::Inactive | ActiveState::Failed => {
            (life.inactive_enter > 0).then(|| of_rest(life))
        }
        ActiveState::Active | ActiveState::Reloading | ActiveState::Deactivating => None,
    }
}

fn of_rest(life: UnitLife<'_>) -> UnitEnd {
    let has_failed = life.state == ActiveState::Failed;
    // A condition of the unit did not hold.
    if life.result == "exec-condition" {
        return UnitEnd::ByItself;
    }
    let was_active = life.active_enter > 0 && life.active_enter >= life.inactive_exit;
    if life.main_exit == 0 {
        // What is run at the end (`ExecStop=`) may fail after a stop too.
        let may_be_stopped = was_active && may_follow_stop(life.result);
        return if has_failed && !may_be_stopped { UnitEnd::ByItself } else { UnitEnd::Unknown };
    }
    // It left its rest after its program had ended: for a restart, which only a stop ends quietly.
    if life.inactive_exit > life.main_exit {
        return if has_failed { UnitEnd::ByItself } else { UnitEnd::Stopped };
    }
    if !was_active {
        return match (has_failed, life.was_killed) {
            (true, _) => UnitEnd::ByItself,
            (false, true) => UnitEnd::Stopped,
            // A program may end well before the unit counts as started.
            (false, false) => UnitEnd::Unknown,
        };
    }
    // A unit that stays active without its program (`RemainAfterExit=`) only ends by a stop.
    if life.main_exit < life.active_enter {
        return UnitEnd::Stopped;
    }
    if life.main_exit <= life.active_exit {
        return UnitEnd::ByItself;
    }
    match life.result {
        // Its time was over (`RuntimeMaxSec=`), or that of its stop.
        "timeout" => UnitEnd::Unknown,
        result if !may_follow_stop(result) => UnitEnd::ByItself,
        _ if life.announces => UnitEnd::Unknown,
        _ => UnitEnd::Stopped,
    }
}

/// Returns true for a `Result` that a unit may have after a stop: what a program does when it is
/// asked to end may look like a failure. With "watchdog", "oom-kill" and the like systemd itself
/// ended it.
fn may_follow_stop(result: &str) -> bool {
    matches!(result, "" | "success" | "exit-code" | "signal" | "core-dump" | "timeout")
}

/// What the looks at a unit have found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitMemory {
    /// It ran at the last look.
    Runs {
        /// When it stopped being inactive or failed, in microseconds since 1970.
        since: u64,
    },
    /// It did not.
    Rests {
        /// When it ended, in microseconds since 1970; 0 if this is not known, or it never ran.
        at: u64,
        end: UnitEnd,
    },
}

/// What a look finds of a unit that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestingUnit {
    /// When it became inactive or failed, in microseconds since 1970; 0 if systemd has it fresh.
    pub at: u64,
    /// How it ended, by what systemd shows of it.
    pub shown: UnitEnd,
    /// Whether a stop was done while it did not run already; not known of one that is fresh.
    pub was_stopped_at_rest: bool,
    /// Whether systemd skipped its last start, so that nobody's stop is why it does not run.
    pub was_skipped: bool,
    /// How a signal said that it came to rest last.
    pub seen: Option<SeenRest>,
    /// The end of which an earlier agent noted that it was a stop.
    pub noted: Option<u64>,
    /// Whether systemd unloads it when it rests without a failure.
    pub unloads_at_rest: bool,
    /// Whether what it left in the run folder shows that it ran since the boot.
    pub has_run: bool,
    /// Whether a supervisor runs in it, which never ends well by itself.
    pub is_supervised: bool,
}

/// Returns what is known of a unit that does not run after another look at it.
#[must_use]
pub fn remember(before: Option<UnitMemory>, unit: RestingUnit) -> UnitMemory {
    // The stop before it was that of a restart, or somebody has taken it back by that start.
    if unit.was_skipped {
        return UnitMemory::Rests { at: unit.at, end: UnitEnd::ByItself };
    }
    if unit.at == 0 {
        return remember_fresh(before, unit);
    }
    let known = match before {
        Some(UnitMemory::Rests { at, end }) if at == unit.at => Some(end),
        Some(UnitMemory::Rests { .. } | UnitMemory::Runs { .. }) | None => None,
    };
    let was_stopped = known.map_or(unit.noted == Some(unit.at), |end| end == UnitEnd::Stopped);
    let end = match (unit.shown, unit.seen.filter(|seen| seen.at == unit.at)) {
        _ if was_stopped || unit.was_stopped_at_rest => UnitEnd::Stopped,
        (UnitEnd::Unknown, Some(seen)) => seen.end,
        // Its program said that it stops, and nobody had asked it to. No supervisor does.
        (UnitEnd::Stopped, Some(seen)) if seen.end == UnitEnd::ByItself && !unit.is_supervised => {
            UnitEnd::ByItself
        }
        (shown, _) => shown,
    };
    UnitMemory::Rests { at: unit.at, end }
}

/// Decides for a unit of which systemd shows no earlier life.
fn remember_fresh(before: Option<UnitMemory>, unit: RestingUnit) -> UnitMemory {
    // It did not fail, so it was stopped, unless its program may end well.
    let unloaded = if unit.is_supervised { UnitEnd::Stopped } else { UnitEnd::Unknown };
    let (at, end) = match before {
        Some(UnitMemory::Rests { at, end }) => {
            // It was started and stopped since the last look, which nothing else shows.
            let stop = unit.seen.filter(|seen| {
                end == UnitEnd::ByItself && seen.end == UnitEnd::Stopped && seen.at > at
            });
            stop.map_or((at, end), |stop| (stop.at, stop.end))
        }
        Some(UnitMemory::Runs { since }) => {
            let seen = unit.seen.filter(|seen| seen.at >= since && seen.end != UnitEnd::Unknown);
            seen.map_or((0, unloaded), |seen| (seen.at, seen.end))
        }
        None => match unit.noted {
            Some(at) => (at, UnitEnd::Stopped),
            None if unit.unloads_at_rest && unit.has_run => (0, unloaded),
            None => (0, UnitEnd::ByItself),
        },
    };
    UnitMemory::Rests { at, end }
}

#[cfg(test)]
mod tests;
