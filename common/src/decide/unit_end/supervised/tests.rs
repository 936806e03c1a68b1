use super::*;

/// A unit that rests since a time, with nothing to do.
fn life(result: &str, process: ProcessEnd) -> SupervisedLife<'_> {
    SupervisedLife {
        state: ActiveState::Inactive,
        has_job: false,
        result: Some(result),
        process: Some(process),
        rests_since: 5_000_000,
    }
}

#[test]
fn a_supervisor_that_ended_well_was_stopped() {
    for (process, expected) in [
        (ProcessEnd::Exited(0), UnitEnd::Stopped),
        (ProcessEnd::Killed(15), UnitEnd::Stopped),
        (ProcessEnd::Killed(12), UnitEnd::Stopped),
        // Its failure was only reset.
        (ProcessEnd::Exited(1), UnitEnd::ByItself),
        (ProcessEnd::Killed(9), UnitEnd::ByItself),
    ] {
        assert_eq!(how_supervised_ended(life("success", process)), Some(expected), "{process:?}");
    }
}

#[test]
fn a_unit_stopped_while_systemd_waited_to_start_it_again_was_stopped() {
    let waiting = life("exit-code", ProcessEnd::Exited(1));
    assert_eq!(how_supervised_ended(waiting), Some(UnitEnd::Stopped));
    let skipped = SupervisedLife { result: Some("exec-condition"), ..waiting };
    assert_eq!(how_supervised_ended(skipped), Some(UnitEnd::ByItself), "its condition said no");
    let failed = SupervisedLife { state: ActiveState::Failed, ..waiting };
    assert_eq!(how_supervised_ended(failed), Some(UnitEnd::ByItself));
    let restarting = SupervisedLife { has_job: true, ..waiting };
    assert_eq!(how_supervised_ended(restarting), None);
}

#[test]
fn a_unit_that_runs_or_never_ran_has_not_ended() {
    let ended = life("success", ProcessEnd::Exited(0));
    assert_eq!(how_supervised_ended(SupervisedLife { rests_since: 0, ..ended }), None);
    for state in [
        ActiveState::Active,
        ActiveState::Reloading,
        ActiveState::Activating,
        ActiveState::Deactivating,
    ] {
        assert_eq!(how_supervised_ended(SupervisedLife { state, ..ended }), None, "{state:?}");
    }
}

#[test]
fn a_start_that_somebody_stopped_is_not_held_against_what_was_started() {
    let unit =
        |state, result, restarts, ended| StartedUnit { ended, ..started(state, result, restarts) };
    for (unit, expected) in [
        (unit(ActiveState::Deactivating, "success", 0, None), true),
        (unit(ActiveState::Activating, "success", 0, None), true),
        // systemd starts it again after a failure.
        (unit(ActiveState::Activating, "success", 1, None), false),
        (unit(ActiveState::Activating, "exit-code", 0, None), false),
        (unit(ActiveState::Inactive, "success", 0, Some(UnitEnd::Stopped)), true),
        // A packaged program may end well by itself.
        (unit(ActiveState::Inactive, "success", 0, Some(UnitEnd::Unknown)), false),
        (unit(ActiveState::Inactive, "success", 0, Some(UnitEnd::ByItself)), false),
        (unit(ActiveState::Failed, "timeout", 0, Some(UnitEnd::ByItself)), false),
        (unit(ActiveState::Active, "success", 0, None), false),
    ] {
        assert_eq!(was_interrupted(unit), expected, "{unit:?}");
    }
}

/// A unit after a start, which has no job and did not end.
fn started(state: ActiveState, result: &str, restarts: u32) -> StartedUnit<'_> {
    StartedUnit { state, has_job: false, waits_for_restart: false, result, restarts, ended: None }
}

#[test]
fn a_start_that_systemd_tries_again_by_itself_was_not_interrupted() {
    let waiting = |result, restarts, has_job| StartedUnit {
        has_job,
        waits_for_restart: true,
        ..started(ActiveState::Activating, result, restarts)
    };
    for unit in [
        waiting("exit-code", 0, false),
        waiting("success", 0, false),
        waiting("exit-code", 1, true),
        // systemd tries it again, and shows the job of that.
        StartedUnit { has_job: true, ..started(ActiveState::Activating, "success", 1) },
        // Before its version 254 the unit rests until other jobs let that begin.
        StartedUnit { has_job: true, ..started(ActiveState::Inactive, "exit-code", 1) },
        StartedUnit { has_job: true, ..started(ActiveState::Failed, "exit-code", 1) },
    ] {
        assert!(!was_interrupted(unit), "{unit:?}");
    }
}

#[test]
fn a_start_of_which_another_job_took_the_place_was_interrupted() {
    for state in [ActiveState::Activating, ActiveState::Inactive, ActiveState::Failed] {
        let unit = StartedUnit { has_job: true, ..started(state, "success", 0) };
        assert!(was_interrupted(unit), "{unit:?}");
    }
    for restarts in [0, 1] {
        let stopping = started(ActiveState::Deactivating, "success", restarts);
        assert!(was_interrupted(stopping), "{stopping:?}");
    }
}
