use oml_common::decide::observed::Unmet;
use oml_common::decide::unit_end::unmet;

use super::super::calls::{ServiceProperties, UnitProperties};
use super::*;

fn stopped(result: &str, code: i32, status: i32) -> Loaded {
    Loaded {
        path: "/org/freedesktop/systemd1/unit/asterisk_2eservice".to_owned(),
        unit: UnitProperties {
            active_state: Some("inactive".to_owned()),
            inactive_enter_timestamp: Some(5_000_000),
            ..UnitProperties::default()
        },
        service: ServiceProperties {
            result: Some(result.to_owned()),
            main_code: Some(code),
            main_status: Some(status),
            ..ServiceProperties::default()
        },
        ..Loaded::default()
    }
}

#[test]
fn a_unit_that_ran_and_ended_well_was_stopped_by_hand() {
    for clean in [stopped("success", EXITED, 0), stopped("success", KILLED, 15)] {
        let unit = clean.observe_as(false, None, false);
        assert_eq!(unit.ended, Some(UnitEnd::Stopped));
        assert_eq!(unit.since, Timestamp(5_000));
    }
}

#[test]
fn a_unit_whose_file_was_just_removed_is_not_another_ones() {
    let ours = Path::new("/etc/systemd/system/asterisk.service");
    let mut unit = Loaded::default();
    assert!(!unit.is_defined_beside(ours));
    unit.unit.fragment_path = Some("/etc/systemd/system/asterisk.service".to_owned());
    assert!(!unit.is_defined_beside(ours));
    unit.unit.fragment_path = Some("/usr/lib/systemd/system/asterisk.service".to_owned());
    assert!(unit.is_defined_beside(ours));
}

#[test]
fn a_start_that_somebody_stopped_is_not_held_against_what_was_started() {
    let mut stopping = stopped("success", 0, 0);
    stopping.unit.active_state = Some("deactivating".to_owned());
    assert!(stopping.was_interrupted(true) && stopping.was_interrupted(false));
    let mut stop_begins = stopped("success", 0, 0);
    stop_begins.unit.active_state = Some("activating".to_owned());
    assert!(stop_begins.was_interrupted(true) && stop_begins.was_interrupted(false));
    stop_begins.service.restarts = Some(1);
    assert!(!stop_begins.was_interrupted(true), "systemd starts it again after a failure");
    let clean = stopped("success", EXITED, 0);
    assert!(clean.was_interrupted(true));
    assert!(!clean.was_interrupted(false), "a packaged program may end well by itself");
    for mut failed in [stopped("exit-code", EXITED, 1), stopped("timeout", KILLED, 9)] {
        let mut packaged = failed.clone();
        packaged.service.main_exit_monotonic = Some(3_000_000);
        packaged.unit.inactive_exit_monotonic = Some(3_000_100);
        packaged.unit.inactive_enter_monotonic = Some(5_000_000);
        for (unit, is_supervised) in [(&failed, true), (&packaged, false)] {
            assert!(unit.was_interrupted(is_supervised), "it was stopped before the next try");
        }
        for state in ["failed", "activating"] {
            failed.unit.active_state = Some(state.to_owned());
            assert!(!failed.was_interrupted(true), "{state}: systemd would try it again");
        }
    }
}

#[test]
fn why_a_unit_does_not_run_is_said_in_words() {
    assert_eq!(stopped("exit-code", EXITED, 7).why(true), "its process ended with exit code 7");
    let mut said = stopped("exit-code", EXITED, 1);
    said.service.status_text = Some("No such image: redis".to_owned());
    assert_eq!(said.why(true), "No such image: redis");
    // The line of another program may be about something else.
    assert_eq!(said.why(false), "its process ended with exit code 1");
    assert_eq!(stopped("timeout", KILLED, 9).why(true), "it did not become ready in time");
    assert_eq!(stopped("core-dump", KILLED, 6).why(true), "systemd says core-dump");
    assert_eq!(stopped("success", EXITED, 0).why(true), "it is inactive");
}

/// A packaged unit that was active from second 1 on and rests since second 5, whose program ended
/// then.
fn packaged(code: i32, status: i32, main_exit_us: u64) -> Loaded {
    let mut unit = stopped("success", code, status);
    unit.unit.active_enter_monotonic = Some(1_000_000);
    unit.unit.active_exit_monotonic = Some(4_000_000);
    unit.unit.inactive_enter_monotonic = Some(5_000_000);
    unit.unit.inactive_exit_monotonic = Some(900_000);
    unit.service.main_exit = Some(main_exit_us);
    unit.service.main_exit_monotonic = Some(main_exit_us);
    unit
}

#[test]
fn a_packaged_program_that_ended_well_by_itself_was_not_stopped_by_hand() {
    let ended = packaged(EXITED, 0, 4_000_000);
    assert_eq!(ended.observe_as(true, None, false).ended, Some(UnitEnd::ByItself));
    assert!(ended.own_end(false).is_some());
    let stopped = packaged(KILLED, 15, 4_500_000);
    let unit = stopped.observe_as(true, None, false);
    assert!(unit.ended == Some(UnitEnd::Stopped) && stopped.own_end(false).is_none());
    let without = packaged(0, 0, 0);
    let unit = without.observe_as(true, None, false);
    assert!(unit.ended == Some(UnitEnd::Unknown) && without.own_end(false).is_none());
}

#[test]
fn a_unit_that_remains_after_its_processes_have_ended_is_seen_as_exited() {
    let is_exited = |active: &str, sub: &str| {
        let (active_state, sub_state) = (Some(active.to_owned()), Some(sub.to_owned()));
        let unit = UnitProperties { active_state, sub_state, ..UnitProperties::default() };
        Loaded { unit, ..Loaded::default() }.observe(None, false).is_exited
    };
    assert!(is_exited("active", "exited"));
    assert!(!is_exited("active", "running") && !is_exited("activating", "auto-restart"));
    assert!(!Loaded::default().observe(None, false).is_exited);
}

#[test]
fn what_systemd_shows_of_the_tests_before_a_start_is_read() {
    let mut skipped = packaged(EXITED, 0, 4_500_000);
    assert_eq!(unmet(&skipped.tested()), None, "nothing is known of its tests");
    skipped.unit.condition_result = Some(false);
    assert_eq!(unmet(&skipped.tested()), None, "they were never tested");
    skipped.unit.condition_monotonic = Some(5_000_001);
    assert_eq!(unmet(&skipped.tested()), Some(Unmet::Condition(None)));
    let test = |parameter: &str, result| {
        ("ConditionPathExists".to_owned(), false, true, parameter.to_owned(), result)
    };
    skipped.unit.conditions = Some(vec![test("/here", 1), test("/gone", -1), test("/later", 0)]);
    let named = Unmet::Condition(Some("ConditionPathExists=!/gone".to_owned()));
    assert_eq!(unmet(&skipped.tested()), Some(named));
}

#[test]
fn a_program_that_was_started_before_a_change_is_none_of_the_change() {
    let mut ended = packaged(EXITED, 1, 4_000_000);
    assert!(!ended.was_started_since(Timestamp(1)), "systemd knows no main process");
    ended.service.main_start = Some(3_500_900);
    assert!(ended.was_started_since(Timestamp(3_500)));
    assert!(!ended.was_started_since(Timestamp(3_501)));
}

#[test]
fn a_restart_by_systemd_itself_is_no_action_of_a_person() {
    for sub_state in ["auto-restart", "auto-restart-queued"] {
        let mut waiting = stopped("exit-code", EXITED, 1);
        waiting.unit.active_state = Some("activating".to_owned());
        waiting.unit.sub_state = Some(sub_state.to_owned());
        waiting.unit.job = Some((7, OwnedObjectPath::default()));
        assert!(!waiting.was_interrupted(true) && !waiting.was_interrupted(false), "{sub_state}");
        waiting.unit.job = None;
        let seen = waiting.observe_as(true, None, false);
        assert_eq!(seen.ended, Some(UnitEnd::ByItself), "{sub_state}");
    }
}
