use super::*;

const ENDED: FailedStart<'_> = FailedStart {
    took_ms: 1_000,
    start_timeout_ms: 30_000,
    is_container: true,
    exit_code: Some(3),
    error: "unit x.service: its process ended with exit code 3",
};

fn classified(failed: FailedStart<'_>) -> (String, Option<i64>) {
    let (failure, exit_code) = classify_failure(failed);
    (failure.to_string(), exit_code)
}

#[test]
fn a_program_that_ended_early_is_reported_with_its_status() {
    let expected = ("ended with exit code 3 before it answered".to_owned(), Some(3));
    assert_eq!(classified(ENDED), expected);
    assert_eq!(classified(FailedStart { is_container: false, ..ENDED }), expected);
}

#[test]
fn a_program_that_was_stopped_for_its_silence_says_nothing_by_its_status() {
    let late = FailedStart { took_ms: 30_000, exit_code: Some(143), ..ENDED };
    assert_eq!(classified(late), ("did not answer within 30s".to_owned(), None));
    let unit = FailedStart { is_container: false, error: "timed out", ..late };
    assert_eq!(classified(unit), ("did not start: timed out".to_owned(), None));
}

#[test]
fn a_program_that_never_ran_is_reported_with_the_error() {
    let expected = ("did not start: no such file".to_owned(), None);
    assert_eq!(
        classified(FailedStart { exit_code: None, error: "no such file", ..ENDED }),
        expected
    );
}

#[test]
fn only_a_refusal_that_stays_is_the_fault_of_the_version() {
    let all = [
        StartErrorKind::Refused,
        StartErrorKind::Transient,
        StartErrorKind::DaemonAway,
        StartErrorKind::Foreign,
    ];
    assert_eq!(all.map(blames_version), [true, false, false, false]);
}

#[test]
fn a_switch_that_cuts_nothing_is_recounted_and_stopped_by_calls_that_came() {
    let switch = |recount| Step::Switch { previous: None, calls_cut: Some(0), recount };
    assert!(needs_recount(&switch(true)) && needs_recount(&Step::Remove { recount: true }));
    assert!(!needs_recount(&switch(false)) && !needs_recount(&Step::Remove { recount: false }));
    assert!(!needs_recount(&Step::Start));
    assert!(may_stop(&Ok(0)) && !may_stop(&Ok(1)));
}

#[test]
fn a_last_count_that_cannot_be_read_forbids_the_stop() {
    assert!(!may_stop(&Err("it printed \"rubbish\"".to_owned())));
}
