use oml_common::document::Verbatim;
use oml_common::document::instance::{ActiveProbe, HeldInstance};

use super::*;
use crate::fixtures;

fn instance(failures_max: u32) -> HeldInstance {
    let mut instance = fixtures::instance("asterisk", "230204.01");
    instance.probe.failures_max = failures_max;
    HeldInstance::read(Verbatim::seal(instance).text()).unwrap()
}

fn record(failures_max: u32) -> Record {
    Record::starting(&instance(failures_max), "c0ffee", None, Timestamp(1_000))
}

fn good() -> Answer {
    Answer::Good("HTTP status 200".to_owned())
}

fn bad() -> Answer {
    Answer::Bad("connection refused".to_owned())
}

#[test]
fn it_is_starting_until_the_first_good_answer() {
    let mut record = record(1);
    record.answered(bad(), Timestamp(2_000));
    assert_eq!(record.health(), Health::Starting);
    assert_eq!(record.line(), "starting, version 230204.01: connection refused");
    record.answered(good(), Timestamp(3_000));
    assert_eq!(record.health(), Health::Healthy);
    assert_eq!(record.status().since, Timestamp(3_000));
    assert_eq!(record.line(), "healthy, version 230204.01");
}

#[test]
fn it_is_unhealthy_after_so_many_failures_in_a_row() {
    let mut record = record(3);
    record.answered(good(), Timestamp(2_000));
    for answer in [bad(), bad(), good(), bad(), bad()] {
        record.answered(answer, Timestamp(3_000));
        assert_eq!(record.health(), Health::Healthy);
    }
    record.answered(bad(), Timestamp(86_400_000));
    assert_eq!(record.health(), Health::Unhealthy);
    assert_eq!(
        record.line(),
        "unhealthy since 1970-01-02T00:00:00Z, version 230204.01: connection refused"
    );
    record.answered(bad(), Timestamp(86_500_000));
    assert_eq!(record.status().since, Timestamp(86_400_000));
    record.answered(good(), Timestamp(86_600_000));
    assert_eq!(record.health(), Health::Healthy);
}

#[test]
fn a_question_that_cannot_be_asked_is_neither_good_nor_bad() {
    let mut record = record(1);
    record.answered(good(), Timestamp(2_000));
    record.answered(Answer::Unknown("docker does not answer".to_owned()), Timestamp(3_000));
    assert_eq!(record.health(), Health::Unknown);
}

#[test]
fn a_count_that_cannot_be_read_is_shown_as_not_known() {
    let mut counted = instance(1);
    counted.counting = Counting::By(ActiveProbe::single(
        vec!["count".to_owned()],
        "active call".to_owned(),
        "calls".to_owned(),
    ));
    let mut record = Record::starting(&counted, "c0ffee", None, Timestamp(1_000));
    record.answered(good(), Timestamp(2_000));
    assert_eq!(record.line(), "healthy, version 230204.01, number of calls unknown");
    record.counted(Some(12));
    assert_eq!(record.line(), "healthy, version 230204.01, 12 calls");
    record.counted(None);
    assert_eq!(record.status().active, None);
    counted.counting = Counting::Unknown;
    record.adjust(&counted, Timestamp(3_000));
    assert_eq!(record.line(), "healthy, version 230204.01, number of calls unknown");
}

#[test]
fn drift_is_kept_until_there_is_a_newer_one() {
    let mut record = record(1);
    let drift = |found: &str| Some(Drift { at: Timestamp(1), found: found.to_owned() });
    record.ended("ended".to_owned(), drift("first"), Timestamp(2_000));
    record.ended("ended".to_owned(), None, Timestamp(3_000));
    assert_eq!(record.status().drift, drift("first"));
    record.ended("ended".to_owned(), drift("second"), Timestamp(4_000));
    assert_eq!(record.status().drift, drift("second"));
    assert_eq!(record.health(), Health::Unhealthy);
}

#[test]
fn what_answered_one_probe_has_not_answered_another() {
    let mut record = record(2);
    record.answered(good(), Timestamp(2_000));
    let mut changed = instance(3);
    changed.probe.as_mut().unwrap().interval_ms += 1;
    record.adjust(&changed, Timestamp(3_000));
    assert_eq!(record.health(), Health::Unknown);
    assert_eq!(record.status().probe, changed.probe);
    // Two answers were allowed to fail before, and three are now.
    for expected in [Health::Unknown, Health::Unknown, Health::Unhealthy] {
        record.answered(bad(), Timestamp(4_000));
        assert_eq!(record.health(), expected);
    }
    record.answered(good(), Timestamp(5_000));
    record.adjust(&changed, Timestamp(6_000));
    assert_eq!(record.health(), Health::Healthy, "nothing has changed");
}

#[test]
fn a_good_answer_counts_for_the_probe_that_was_asked_and_not_for_a_changed_one() {
    let mut record = record(1);
    record.answered(good(), Timestamp(2_000));
    assert!(record.status().has_answered);
    let mut changed = fixtures::instance("asterisk", "230204.01");
    changed.probe.timeout_ms += 1;
    let changed = HeldInstance::read(Verbatim::seal(changed).text()).unwrap();
    record.adjust(&changed, Timestamp(3_000));
    record.answered(bad(), Timestamp(4_000));
    assert!(!record.status().has_answered);
}

#[test]
fn only_an_end_by_itself_of_a_version_that_passed_its_soak_belongs_to_a_crash_loop() {
    let mut record = record(1);
    let exit = |second: u64| LastExit {
        at: Timestamp(second * 1_000),
        exit_code: Some(1),
        log_tail: Vec::new(),
    };
    record.exited(exit(1), false);
    assert_eq!((record.status().ends.len(), record.status().last_exit.clone()), (0, Some(exit(1))));
    record.exited(exit(2), true);
    assert_eq!((record.status().ends.len(), record.status().last_exit.clone()), (1, Some(exit(2))));
}

#[test]
fn a_start_that_failed_is_no_observation_of_the_health() {
    let mut record = record(3);
    record.answered(good(), Timestamp(2_000));
    record.not_started("could not list the containers".to_owned(), false, Timestamp(60_000));
    assert_eq!(record.health(), Health::Healthy, "what is known of the running program stays");
    assert_eq!(record.status().checked_at, Timestamp(2_000), "when the program was asked last");
    assert_eq!(record.status().detail, "could not list the containers");
}
