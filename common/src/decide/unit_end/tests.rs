use super::*;

/// A unit whose program ran as the main process from 100 to 500, was active from 110, and rests.
fn life() -> UnitLife<'static> {
    UnitLife {
        state: ActiveState::Inactive,
        waits_for_restart: false,
        result: "success",
        was_killed: false,
        announces: false,
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
fn a_program_that_may_say_that_it_stops_may_have_ended_by_itself() {
    let stopped = UnitLife { active_exit: 400, announces: true, ..life() };
    assert_eq!(ended(stopped), UnitEnd::Unknown);
    assert_eq!(ended(UnitLife { active_exit: 500, ..stopped }), UnitEnd::ByItself);
    assert_eq!(ended(UnitLife { result: "watchdog", ..stopped }), UnitEnd::ByItself);
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
    assert_eq!(ended(failed), UnitEnd::Unknown, "what runs at the end of it may fail");
    let watchdog = UnitLife { result: "watchdog", ..failed };
    assert_eq!(ended(watchdog), UnitEnd::ByItself);
    let never_active = UnitLife { active_enter: 0, active_exit: 0, result: "exit-code", ..failed };
    assert_eq!(ended(never_active), UnitEnd::ByItself, "its start failed");
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

/// A unit that rests since 502 and ended by itself, as far as systemd shows.
fn resting() -> RestingUnit {
    RestingUnit {
        at: 502,
        shown: UnitEnd::ByItself,
        was_stopped_at_rest: false,
        was_skipped: false,
        seen: None,
        noted: None,
        unloads_at_rest: false,
        has_run: true,
        is_supervised: true,
    }
}

/// The same unit after systemd has unloaded it.
fn unloaded() -> RestingUnit {
    RestingUnit { at: 0, unloads_at_rest: true, ..resting() }
}

fn rests(at: u64, end: UnitEnd) -> UnitMemory {
    UnitMemory::Rests { at, end }
}

#[test]
fn a_stop_is_remembered_until_another_end() {
    let stopped = rests(502, UnitEnd::Stopped);
    assert_eq!(remember(None, resting()), rests(502, UnitEnd::ByItself));
    let shown = RestingUnit { shown: UnitEnd::Stopped, ..resting() };
    assert_eq!(remember(None, shown), stopped);
    assert_eq!(remember(None, RestingUnit { noted: Some(502), ..resting() }), stopped);
    assert_eq!(remember(None, RestingUnit { was_stopped_at_rest: true, ..resting() }), stopped);
    assert_eq!(remember(Some(stopped), resting()), stopped, "systemd shows it no more");
    let again = RestingUnit { at: 900, noted: Some(502), ..resting() };
    assert_eq!(remember(Some(stopped), again), rests(900, UnitEnd::ByItself));
}

#[test]
fn an_unknown_end_is_that_which_was_seen() {
    let unknown = RestingUnit { shown: UnitEnd::Unknown, ..resting() };
    assert_eq!(remember(None, unknown), rests(502, UnitEnd::Unknown));
    for end in [UnitEnd::Stopped, UnitEnd::ByItself, UnitEnd::Unknown] {
        let seen = Some(SeenRest { at: 502, end });
        assert_eq!(remember(None, RestingUnit { seen, ..unknown }), rests(502, end));
        let earlier = Some(SeenRest { at: 400, end });
        let found = remember(None, RestingUnit { seen: earlier, ..unknown });
        assert_eq!(found, rests(502, UnitEnd::Unknown));
    }
}

#[test]
fn a_packaged_unit_that_looks_stopped_and_was_seen_to_end_alone_ended_by_itself() {
    let seen = Some(SeenRest { at: 502, end: UnitEnd::ByItself });
    let stopped = RestingUnit { shown: UnitEnd::Stopped, seen, ..resting() };
    let packaged = RestingUnit { is_supervised: false, ..stopped };
    assert_eq!(remember(None, packaged), rests(502, UnitEnd::ByItself));
    assert_eq!(remember(None, stopped), rests(502, UnitEnd::Stopped));
    let noted = RestingUnit { noted: Some(502), ..packaged };
    assert_eq!(remember(None, noted), rests(502, UnitEnd::Stopped));
}

#[test]
fn what_was_known_of_a_unit_holds_after_it_was_unloaded() {
    for end in [UnitEnd::Stopped, UnitEnd::ByItself, UnitEnd::Unknown] {
        assert_eq!(remember(Some(rests(502, end)), unloaded()), rests(502, end));
    }
    // systemd may show the job of its very first start, which found it fresh too.
    let started = RestingUnit { was_stopped_at_rest: true, ..unloaded() };
    let failed = rests(502, UnitEnd::ByItself);
    assert_eq!(remember(Some(failed), started), failed);
}

#[test]
fn a_stop_between_two_looks_counts_of_a_unit_that_did_not_run_before_and_is_unloaded() {
    let idle = Some(rests(0, UnitEnd::ByItself));
    let seen = |at, end| RestingUnit { seen: Some(SeenRest { at, end }), ..unloaded() };
    assert_eq!(remember(idle, seen(502, UnitEnd::Stopped)), rests(502, UnitEnd::Stopped));
    for end in [UnitEnd::ByItself, UnitEnd::Unknown] {
        assert_eq!(remember(idle, seen(502, end)), rests(0, UnitEnd::ByItself));
    }
    let earlier = Some(rests(600, UnitEnd::ByItself));
    let stopped = seen(502, UnitEnd::Stopped);
    assert_eq!(remember(earlier, stopped), rests(600, UnitEnd::ByItself), "of an earlier life");
    assert_eq!(remember(earlier, seen(900, UnitEnd::Stopped)), rests(900, UnitEnd::Stopped));
}

#[test]
fn a_unit_that_ran_and_unloads_at_rest_was_stopped_unless_its_end_was_seen() {
    let runs = Some(UnitMemory::Runs { since: 100 });
    assert_eq!(remember(runs, unloaded()), rests(0, UnitEnd::Stopped));
    let packaged = RestingUnit { is_supervised: false, ..unloaded() };
    assert_eq!(remember(runs, packaged), rests(0, UnitEnd::Unknown), "its program may end well");
    let seen = |at, end| RestingUnit { seen: Some(SeenRest { at, end }), ..packaged };
    for end in [UnitEnd::Stopped, UnitEnd::ByItself] {
        assert_eq!(remember(runs, seen(502, end)), rests(502, end));
    }
    assert_eq!(remember(runs, seen(502, UnitEnd::Unknown)), rests(0, UnitEnd::Unknown));
    let earlier = seen(90, UnitEnd::ByItself);
    assert_eq!(remember(runs, earlier), rests(0, UnitEnd::Unknown), "of an earlier life");
    // What was done while it rested before says nothing of this end.
    let earlier = RestingUnit { was_stopped_at_rest: true, ..seen(502, UnitEnd::ByItself) };
    assert_eq!(remember(runs, earlier), rests(502, UnitEnd::ByItself));
}

#[test]
fn an_unloaded_unit_that_no_look_saw_was_stopped_if_it_ran_since_the_boot() {
    assert_eq!(remember(None, unloaded()), rests(0, UnitEnd::Stopped));
    let packaged = RestingUnit { is_supervised: false, ..unloaded() };
    assert_eq!(remember(None, packaged), rests(0, UnitEnd::Unknown));
    let never_ran = RestingUnit { has_run: false, ..unloaded() };
    assert_eq!(remember(None, never_ran), rests(0, UnitEnd::ByItself));
    let enabled = RestingUnit { unloads_at_rest: false, ..unloaded() };
    assert_eq!(remember(None, enabled), rests(0, UnitEnd::ByItself), "it would not be unloaded");
    // An agent that enabled it again had noted the stop.
    let noted = RestingUnit { noted: Some(502), ..enabled };
    assert_eq!(remember(None, noted), rests(502, UnitEnd::Stopped));
}

#[test]
fn a_unit_whose_start_was_skipped_was_not_stopped_by_the_restart_that_ended_it() {
    let seen = Some(SeenRest { at: 502, end: UnitEnd::Stopped });
    for shown in [UnitEnd::Stopped, UnitEnd::Unknown, UnitEnd::ByItself] {
        for before in [None, Some(rests(502, UnitEnd::Stopped)), Some(rests(90, UnitEnd::Stopped))]
        {
            let skipped = RestingUnit {
                shown,
                seen,
                noted: Some(502),
                was_stopped_at_rest: true,
                was_skipped: true,
                ..resting()
            };
            assert_eq!(remember(before, skipped), rests(502, UnitEnd::ByItself));
            let never_ran = RestingUnit { at: 0, ..skipped };
            assert_eq!(remember(before, never_ran), rests(0, UnitEnd::ByItself));
        }
    }
    let stopped_later = RestingUnit { shown: UnitEnd::Stopped, at: 900, ..resting() };
    let before = Some(rests(502, UnitEnd::ByItself));
    assert_eq!(remember(before, stopped_later), rests(900, UnitEnd::Stopped));
}
