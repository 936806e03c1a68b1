use super::*;
use crate::id::ContentHash;

fn status() -> Status {
    Status {
        container: "id".to_owned(),
        health: Health::Unhealthy,
        active: Some(0),
        has_answered: true,
        ..Status::new(ContentHash::of(b"1"), Timestamp(0))
    }
}

const MINUTE: u64 = 60_000;

fn after(minutes: u64, status: &Status) -> Remedy {
    remedy(&RestartUnhealthy::default(), status, true, Timestamp(minutes * MINUTE))
}

#[test]
fn a_program_is_restarted_after_it_was_unhealthy_for_five_minutes_unless_the_catalog_says_never() {
    let waits = Remedy::After { pause: Span(5 * MINUTE), at: Timestamp(5 * MINUTE) };
    assert_eq!(after(4, &status()), waits);
    assert_eq!(after(5, &status()), Remedy::Restart);
    for health in [Health::Healthy, Health::Starting, Health::Unknown] {
        assert_eq!(after(60, &Status { health, ..status() }), Remedy::None);
    }
    let never = RestartUnhealthy { after_ms: None, cuts_calls: false };
    assert_eq!(remedy(&never, &status(), true, Timestamp(1_000 * MINUTE)), Remedy::None);
}

#[test]
fn a_program_with_calls_is_not_restarted_unless_the_catalog_says_so() {
    let cuts = RestartUnhealthy { cuts_calls: true, ..RestartUnhealthy::default() };
    for active in [Some(3), None] {
        let talking = Status { active, ..status() };
        assert_eq!(after(6, &talking), Remedy::CallsUp);
        assert_eq!(remedy(&cuts, &talking, true, Timestamp(6 * MINUTE)), Remedy::Restart);
    }
    let uncounted = Status { active: None, ..status() };
    let remedy = remedy(&RestartUnhealthy::default(), &uncounted, false, Timestamp(6 * MINUTE));
    assert_eq!(remedy, Remedy::Restart);
}

#[test]
fn each_restart_that_does_not_help_doubles_the_time_before_the_next_up_to_an_hour() {
    for (times, minutes) in [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (99, 60)] {
        let restarts = Some(UnhealthyRestarts { times, last: Timestamp(0) });
        let again = Status { unhealthy_restarts: restarts, ..status() };
        assert_eq!(after(minutes, &again), Remedy::Restart, "{times}");
        assert!(matches!(after(minutes - 1, &again), Remedy::After { .. }), "{times}");
        assert_eq!(restarted(&again, Timestamp(9)).times, times + 1);
    }
}

#[test]
fn a_program_that_was_well_for_an_hour_begins_again() {
    let restarts = Some(UnhealthyRestarts { times: 4, last: Timestamp(0) });
    let since = Timestamp(90 * MINUTE);
    let well = Status { unhealthy_restarts: restarts, since, ..status() };
    assert_eq!(after(95, &well), Remedy::Restart);
}

#[test]
fn a_program_is_not_restarted_for_a_probe_that_never_had_a_good_answer() {
    let silent = Status { has_answered: false, ..status() };
    assert_eq!(after(600, &silent), Remedy::NeverAnswered);
}
