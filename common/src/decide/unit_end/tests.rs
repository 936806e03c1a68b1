use super::*;

/// A unit whose program ran as the main process from 100 to 500, was active from 110, and rests.
fn life() -> UnitLife<'static> {
    UnitLife {
        state: ActiveState::Inactive,
        waits_for_restart: false,
        result: "success",
        was_killed: false,
        main_exit: 500,
        active_enter: 110,
        active_exit: 500,
        inactive_enter: 502,
        inactive_exit: 100,
    }
}

fn ended(life: UnitLife<'_>) -> UnitEnd {
    how_it_ended(life).unwrap()
}

#[test]
fn a_program_that_ended_before_its_unit_left_the_active_state_ended_by_itself() {
    assert_eq!(ended(life()), UnitEnd::ByItself, "with status 0");
    let failed = UnitLife { state: ActiveState::Failed, result: "exit-code", ..life() };
    assert_eq!(ended(failed), UnitEnd::ByItself);
    // Its `ExecStop=` and what it left behind take time.
    let slow = UnitLife { active_exit: 501, inactive_enter: 900, ..life() };
    assert_eq!(ended(slow), UnitEnd::ByItself);
    // `systemctl reset-failed` changes only the result and the state.
    assert_eq!(ended(UnitLife { was_killed: true, ..life() }), UnitEnd::ByItself);
}

#[test]
fn a_unit_that_left_the_active_state_before_its_program_ended_was_stopped() {
    let stopped = UnitLife { active_exit: 400, ..life() };
    assert_eq!(ended(stopped), UnitEnd::Stopped);
    for result in ["exit-code", "signal", "core-dump"] {
        let failed = UnitLife { state: ActiveState::Failed, result, ..stopped };
        assert_eq!(ended(failed), UnitEnd::Stopped, "{result}: it does not end well when asked");
    }
    for result in ["watchdog", "oom-kill"] {
        let by_systemd = UnitLife { state: ActiveState::Failed, result, ..stopped };
        assert_eq!(ended(by_systemd), UnitEnd::ByItself, "{result}");
    }
    let late = UnitLife { state: ActiveState::Failed, result: "timeout", ..stopped };
    assert_eq!(ended(late), UnitEnd::Unknown, "RuntimeMaxSec= looks like a slow stop");
}

#[test]
fn a_unit_that_waited_for_its_restart_was_stopped_if_it_rests_quietly() {
    let waits = UnitLife {
        state: ActiveState::Activating,
        waits_for_restart: true,
        result: "exit-code",
        inactive_exit: 503,
        ..life()
    };
    assert_eq!(ended(waits), UnitEnd::ByItself, "systemd restarts what nobody stopped");
    let quiet = UnitLife { state: ActiveState::Inactive, inactive_enter: 700, ..waits };
    assert_eq!(ended(quiet), UnitEnd::Stopped);
    assert_eq!(ended(UnitLife { result: "success", ..quiet }), UnitEnd::Stopped);
    let gave_up = UnitLife { state: ActiveState::Failed, result: "start-limit-hit", ..quiet };
    assert_eq!(ended(gave_up), UnitEnd::ByItself);
    assert_eq!(ended(UnitLife { result: "exec-condition", ..quiet }), UnitEnd::ByItself);
}

#[test]
fn a_unit_that_needs_no_program_to_be_active_only_ends_by_a_stop() {
    assert_eq!(ended(UnitLife { main_exit: 105, ..life() }), UnitEnd::Stopped);
}

#[test]
fn what_systemd_cannot_tell_apart_is_unknown() {
    let no_main_process = UnitLife { main_exit: 0, ..life() };
    assert_eq!(ended(no_main_process), UnitEnd::Unknown);
    let failed = UnitLife { state: ActiveState::Failed, ..no_main_process };
    assert_eq!(ended(failed), UnitEnd::ByItself, "a stop does not fail without a program");
    let in_start = UnitLife { active_enter: 0, active_exit: 0, ..life() };
    assert_eq!(ended(in_start), UnitEnd::Unknown);
    assert_eq!(ended(UnitLife { was_killed: true, ..in_start }), UnitEnd::Stopped);
    // The times of an earlier life say nothing of this one.
    let again = UnitLife { active_enter: 10, active_exit: 50, ..life() };
    assert_eq!(ended(UnitLife { state: ActiveState::Failed, ..again }), UnitEnd::ByItself);
}

#[test]
fn what_runs_or_never_ran_has_not_ended() {
    for state in [ActiveState::Active, ActiveState::Reloading, ActiveState::Deactivating] {
        assert_eq!(how_it_ended(UnitLife { state, ..life() }), None, "{state:?}");
    }
    assert_eq!(how_it_ended(UnitLife { state: ActiveState::Activating, ..life() }), None);
    assert_eq!(how_it_ended(UnitLife { inactive_enter: 0, ..life() }), None);
}
