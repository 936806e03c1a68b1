use super::*;
use crate::decide::observed::ActiveState::{Activating, Active, Deactivating};

const JOB: Option<u32> = Some(7);

/// A unit that was seen to run, and to rest before.
fn running() -> SeenUnit {
    let mut unit = SeenUnit::default();
    unit.rests(0, Some(1));
    unit.is_up(Activating, Some(1));
    unit.is_up(Active, None);
    unit
}

fn ended(unit: &SeenUnit) -> Option<(u64, UnitEnd)> {
    unit.rest().map(|rest| (rest.at, rest.end))
}

#[test]
fn a_unit_that_comes_to_rest_without_a_job_ended_by_itself_and_with_one_it_was_stopped() {
    for (first, second, end) in [(None, JOB, UnitEnd::ByItself), (JOB, None, UnitEnd::Stopped)] {
        let mut unit = running();
        assert_eq!(ended(&unit), None, "it did not end");
        unit.rests(500, first);
        unit.rests(500, second);
        assert_eq!(ended(&unit), Some((500, end)), "the first signal counts");
        assert_eq!(unit.ended_alone(500), end == UnitEnd::ByItself);
        assert!(!unit.ended_alone(400), "another end");
    }
}

#[test]
fn a_program_that_says_that_it_stops_ended_by_itself() {
    let mut unit = running();
    unit.is_up(Deactivating, None);
    unit.rests(500, None);
    assert_eq!(ended(&unit), Some((500, UnitEnd::ByItself)));
}

#[test]
fn a_start_whose_program_ends_quietly_is_no_stop() {
    let mut unit = running();
    unit.rests(500, None);
    unit.rests(500, JOB);
    unit.is_up(Activating, JOB);
    unit.rests(600, JOB);
    unit.job_is_done(7);
    assert_eq!(ended(&unit), Some((600, UnitEnd::ByItself)));
    assert_eq!(unit.done_at_rest_since(), Some(500), "nothing was done in the rest since 600");
}

#[test]
fn a_job_that_is_first_shown_in_the_midst_of_a_start_may_be_the_start_or_a_stop() {
    let mut unit = running();
    unit.rests(500, None);
    unit.is_up(Activating, JOB);
    unit.rests(600, JOB);
    unit.job_is_done(7);
    assert_eq!(ended(&unit), Some((600, UnitEnd::Unknown)));
    assert_eq!(unit.done_at_rest_since(), None);
}

#[test]
fn a_restart_stops_the_unit_and_then_starts_it() {
    let mut unit = running();
    unit.is_up(Deactivating, JOB);
    unit.rests(500, JOB);
    assert_eq!(ended(&unit), Some((500, UnitEnd::Stopped)));
    unit.is_up(Activating, JOB);
    unit.rests(600, JOB);
    assert_eq!(ended(&unit), Some((600, UnitEnd::ByItself)), "its program did not stay");
}

#[test]
fn a_restart_that_is_joined_with_a_start_is_no_end_of_the_program() {
    let mut unit = running();
    unit.rests(500, None);
    unit.rests(500, JOB);
    unit.is_up(Activating, JOB);
    // systemd keeps the number of the start (`job_merge_into_installed` in its `job.c`).
    unit.is_up(Deactivating, JOB);
    unit.rests(600, JOB);
    assert_eq!(ended(&unit), Some((600, UnitEnd::Unknown)));
    unit.is_up(Activating, JOB);
    unit.rests(700, JOB);
    assert_eq!(ended(&unit), Some((700, UnitEnd::ByItself)), "what was started ended quietly");
}

#[test]
fn the_end_of_a_unit_that_was_not_seen_to_run_is_unknown() {
    let mut unit = SeenUnit::default();
    unit.rests(500, None);
    assert_eq!(ended(&unit), Some((500, UnitEnd::Unknown)));
    // A look that is older than the signal does not change this.
    unit.was_found_running();
    unit.rests(500, None);
    assert_eq!(ended(&unit), Some((500, UnitEnd::Unknown)));
    let mut unit = running();
    unit.was_lost();
    unit.rests(500, None);
    assert_eq!(ended(&unit), Some((500, UnitEnd::Unknown)));
    let mut unit = SeenUnit::default();
    unit.was_found_running();
    unit.rests(500, None);
    assert_eq!(ended(&unit), Some((500, UnitEnd::ByItself)));
}

#[test]
fn a_fresh_unit_did_not_come_to_rest() {
    let mut unit = running();
    unit.rests(0, None);
    assert_eq!(ended(&unit), None);
}

#[test]
fn a_restart_whose_start_was_skipped_is_no_stop_in_any_order_of_its_signals() {
    for is_first in [true, false] {
        let mut unit = running();
        unit.is_up(Deactivating, JOB);
        if is_first {
            unit.start_was_skipped(7, SkipCause::Dependency);
        }
        unit.rests(500, JOB);
        unit.start_was_skipped(7, SkipCause::Dependency);
        unit.rests(500, None);
        assert_eq!(ended(&unit), Some((500, UnitEnd::ByItself)));
        assert_eq!(unit.skipped_at_rest(), Some((500, SkipCause::Dependency)));
        // Then somebody stops it, though it does not run.
        unit.rests(500, Some(8));
        unit.job_is_done(8);
        assert_eq!(ended(&unit), Some((500, UnitEnd::Stopped)));
        assert_eq!((unit.skipped_at_rest(), unit.done_at_rest_since()), (None, Some(500)));
        unit.forget_jobs();
        assert_eq!(unit.skipped_at_rest(), None);
    }
}

#[test]
fn a_start_that_is_done_while_a_condition_did_not_hold_was_skipped_also_of_a_fresh_unit() {
    for (is_first, since) in [(true, 500), (false, 500), (true, 0), (false, 0)] {
        let mut unit = SeenUnit::default();
        if is_first {
            unit.job_is_done(7);
        }
        unit.rests(since, JOB);
        unit.conditions_failed(7);
        unit.job_is_done(7);
        assert_eq!(unit.skipped_at_rest(), Some((since, SkipCause::Condition)));
        assert_eq!(unit.skipped(), Some((7, SkipCause::Condition)));
    }
    let mut waits = SeenUnit::default();
    waits.rests(500, JOB);
    waits.conditions_failed(7);
    assert_eq!(waits.skipped(), None, "an earlier start was tested, and this one has not ended");
}

#[test]
fn a_start_that_was_skipped_does_not_count_after_another_one_was_done() {
    let skipped = || {
        let mut unit = SeenUnit::default();
        unit.rests(500, JOB);
        unit.conditions_failed(7);
        unit.job_is_done(7);
        unit
    };
    let mut started = skipped();
    // Shown before its conditions are tested again.
    started.rests(500, Some(8));
    started.conditions_failed(8);
    started.is_up(Activating, Some(8));
    started.is_up(Active, Some(8));
    started.job_is_done(8);
    assert_eq!((started.skipped(), started.skipped_at_rest()), (None, None));
    let mut lost = skipped();
    lost.was_lost();
    assert_eq!(lost.skipped(), None, "it may have been started since");
}

#[test]
fn the_later_one_of_two_starts_that_were_skipped_counts() {
    let mut unit = SeenUnit::default();
    unit.rests(0, JOB);
    unit.start_was_skipped(7, SkipCause::Dependency);
    unit.rests(0, Some(8));
    unit.conditions_failed(8);
    unit.job_is_done(8);
    assert_eq!(unit.skipped_at_rest(), Some((0, SkipCause::Condition)));
    unit.rests(0, Some(9));
    unit.start_was_skipped(9, SkipCause::Assertion);
    assert_eq!(unit.skipped_at_rest(), Some((0, SkipCause::Assertion)));
}

#[test]
fn the_stop_of_a_restart_whose_start_was_skipped_is_none_after_signals_were_lost_either() {
    let mut seen = SeenUnit::default();
    seen.was_found_running();
    seen.rests(502, Some(7));
    seen.start_was_skipped(7, SkipCause::Condition);
    seen.was_lost();
    assert_eq!(seen.rest(), Some(SeenRest { at: 502, end: UnitEnd::ByItself }));
}

#[test]
fn a_stop_that_a_skipped_start_of_a_fresh_unit_took_back_is_none() {
    let mut seen = SeenUnit::default();
    seen.was_found_running();
    seen.rests(502, Some(7));
    assert_eq!(seen.rest(), Some(SeenRest { at: 502, end: UnitEnd::Stopped }));
    seen.rests(0, Some(9));
    seen.start_was_skipped(9, SkipCause::Condition);
    let taken_back = Some(SeenRest { at: 502, end: UnitEnd::ByItself });
    assert_eq!(seen.rest(), taken_back);
    seen.was_lost();
    assert_eq!(seen.rest(), taken_back);
}

#[test]
fn a_rest_is_forgotten_with_the_jobs_that_led_to_it() {
    let mut seen = SeenUnit::default();
    seen.was_found_running();
    seen.rests(502, Some(7));
    seen.forget_jobs();
    assert_eq!(seen.rest(), None);
}
