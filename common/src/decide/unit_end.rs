//! Decides how a unit that a package brings ended last: by itself, or because somebody stopped it.
//! No supervisor watches its program, so only systemd knows.
//!
//! systemd notes the end of a main process before it leaves the active state because of it. Where a
//! stop came first, the unit left that state first (systemd's `service.c`: `service_sigchld_event`
//! and `service_stop`).

use crate::decide::observed::ActiveState;

/// What systemd says about the last life of a unit. The times are in microseconds since boot, and 0
/// if it never happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitLife<'a> {
    pub state: ActiveState,
    /// Whether systemd waits to start it again by itself (`SubState` is `auto-restart`).
    pub waits_for_restart: bool,
    /// The unit's `Result`.
    pub result: &'a str,
    /// Whether a signal ended the main process.
    pub was_killed: bool,
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

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitEnd {
    /// Its program ended, or systemd ended it for a cause of its own, such as its watchdog.
    ByItself,
    /// Somebody stopped it, or something that it belongs to.
    Stopped,
    /// systemd says the same of both.
    Unknown,
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
    if life.main_exit == 0 {
        return if has_failed { UnitEnd::ByItself } else { UnitEnd::Unknown };
    }
    // It left its rest after its program had ended: for a restart, which only a stop ends quietly.
    if life.inactive_exit > life.main_exit {
        return if has_failed { UnitEnd::ByItself } else { UnitEnd::Stopped };
    }
    let was_active = life.active_enter > 0 && life.active_enter >= life.inactive_exit;
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
        // What the program does when it is asked to end may look like a failure.
        "" | "success" | "exit-code" | "signal" | "core-dump" => UnitEnd::Stopped,
        // Its time was over (`RuntimeMaxSec=`), or that of its stop.
        "timeout" => UnitEnd::Unknown,
        // systemd itself ended it: "watchdog", "oom-kill" …
        _ => UnitEnd::ByItself,
    }
}

#[cfg(test)]
mod tests;
