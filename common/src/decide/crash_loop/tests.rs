use super::*;
use crate::document::status::Health;
use crate::id::ContentHash;

fn status() -> Status {
    Status {
        container: "id".to_owned(),
        health: Health::Healthy,
        ..Status::new(ContentHash::of(b"1"), Timestamp(0))
    }
}

/// A program that ended at these seconds.
fn ended(seconds: &[u64]) -> Status {
    Status { ends: seconds.iter().map(|s| Timestamp(s * 1_000)).collect(), ..status() }
}

fn times(status: &Status, now_s: u64) -> Option<usize> {
    find(status, Timestamp(now_s * 1_000)).map(|found| found.times)
}

#[test]
fn three_ends_within_an_hour_are_a_crash_loop_also_while_it_answers() {
    assert_eq!(times(&ended(&[]), 40), None);
    assert_eq!(times(&ended(&[17, 34]), 40), None);
    assert_eq!(times(&ended(&[17, 34, 51]), 52), Some(3));
    assert_eq!(times(&ended(&[100, 390, 680]), 700), Some(3));
    assert_eq!(times(&ended(&[100, 1_900, 3_700]), 3_701), Some(3));
    assert_eq!(times(&ended(&[100, 1_900, 3_701]), 3_702), None, "too far apart");
    assert_eq!(times(&ended(&[86_400, 172_800, 259_200]), 259_201), None, "one a day");
}

#[test]
fn a_program_that_runs_for_five_minutes_is_out_of_its_crash_loop() {
    let looping = ended(&[17, 34, 51]);
    assert_eq!(times(&looping, 350), Some(3));
    assert_eq!(times(&looping, 351), None);
    let over_at = find(&looping, Timestamp(60_000)).unwrap().over_at;
    assert_eq!(over_at, Timestamp(351_000));
}

#[test]
fn a_program_that_ends_every_six_minutes_is_in_a_crash_loop_all_the_time() {
    let looping = ended(&[360, 720, 1_080, 1_440]);
    for now_s in 1_440..1_440 + 720 {
        assert_eq!(times(&looping, now_s), Some(4), "{now_s}");
    }
    assert_eq!(times(&looping, 1_440 + 720), None, "twice as long without an end");
    let rare = ended(&[0, 1_750, 3_500]);
    assert_eq!(times(&rare, 3_500 + 1_799), Some(3));
    assert_eq!(times(&rare, 3_500 + 1_800), None, "half an hour without an end");
}

/// The status after starts that the engine refused at these times in seconds.
fn refused(ends_s: &[u64], refusals_s: &[u64]) -> Status {
    let mut row = None;
    for at_s in refusals_s {
        let why = "no space left on device".to_owned();
        row = Some(note_refusal(row.as_ref(), why, true, Timestamp(at_s * 1_000)));
    }
    Status { not_started: row, ..ended(ends_s) }
}

#[test]
fn starts_that_the_engine_refuses_count_as_ends_until_one_begins() {
    assert_eq!(times(&refused(&[17], &[20]), 21), None);
    assert_eq!(times(&refused(&[17], &[19, 20]), 21), Some(3));
    let uncounted = note_refusal(None, String::new(), false, Timestamp(1));
    assert_eq!(uncounted.times, 0);
}

#[test]
fn the_time_in_which_starts_were_refused_is_that_of_all_of_them() {
    let within =
        |status: &Status, now_s: u64| find(status, Timestamp(now_s * 1_000)).unwrap().within;
    assert_eq!(within(&refused(&[], &[100, 130, 160]), 170), Span(60_000), "no end is known");
    let for_hours: Vec<u64> = (0..200).map(|minute| 100 + minute * 60).collect();
    let status = refused(&[90], &for_hours);
    assert_eq!(within(&status, 12_041), Span(199 * 60_000), "the end is long past");
    assert_eq!(times(&status, 12_041), Some(200));
}

#[test]
fn refused_starts_that_are_days_apart_are_no_crash_loop() {
    assert_eq!(times(&refused(&[], &[100, 86_500, 172_900]), 172_901), None);
    assert_eq!(times(&refused(&[], &[3_600, 3_601, 60]), 61), None, "the clock was set back");
}

#[test]
fn ends_before_the_clock_was_set_back_do_not_count() {
    assert_eq!(times(&ended(&[3_600, 3_617, 3_634]), 60), None);
}

#[test]
fn only_the_latest_ends_are_kept() {
    let mut ends = Vec::new();
    for second in 0..100 {
        note_end(&mut ends, Timestamp(second * 1_000));
    }
    assert_eq!((ends.len(), ends.last()), (ENDS_MAX, Some(&Timestamp(99_000))));
}
