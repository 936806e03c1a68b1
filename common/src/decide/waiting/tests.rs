use crate::decide::observed::{ActiveState, ObservedInstance, ObservedUnit};

use super::*;

/// What is found of a unit with that job.
fn found(number: Option<u32>) -> Observed {
    let job = number.map(|number| WaitingJob { number, kind: "start".to_owned(), since: None });
    let unit = ObservedUnit {
        hash: None,
        stale: false,
        active: ActiveState::Inactive,
        is_exited: false,
        masked: false,
        ended: None,
        since: Timestamp(0),
        restarts: 0,
        by_hand: Vec::new(),
        result: String::new(),
        unmet: None,
        job,
    };
    let seen = ObservedInstance { unit: Some(unit), ..ObservedInstance::default() };
    Observed { instances: [("kamailio".parse().unwrap(), seen)].into() }
}

/// Looks at a unit with that job, and returns since when the job waits.
fn look(jobs: &mut WaitingJobs, number: Option<u32>, now: u64) -> Option<Timestamp> {
    let mut observed = found(number);
    jobs.look(&mut observed, Timestamp(now));
    observed.instances.into_values().next()?.unit?.job?.since
}

#[test]
fn a_job_waits_since_it_was_found_first_and_another_one_since_later() {
    let mut jobs = WaitingJobs::default();
    assert_eq!(look(&mut jobs, Some(7), 1_000), Some(Timestamp(1_000)));
    assert_eq!(look(&mut jobs, Some(7), 9_000), Some(Timestamp(1_000)));
    assert_eq!(look(&mut jobs, Some(8), 10_000), Some(Timestamp(10_000)));
    assert_eq!(look(&mut jobs, None, 11_000), None);
    assert_eq!(jobs, WaitingJobs::default());
}

#[test]
fn a_clock_that_is_set_makes_no_job_older() {
    let mut jobs = WaitingJobs::default();
    look(&mut jobs, Some(7), 5_000);
    jobs.shift(60_000);
    assert_eq!(look(&mut jobs, Some(7), 66_000), Some(Timestamp(65_000)));
    assert_eq!(look(&mut jobs, Some(7), 2_000), Some(Timestamp(2_000)), "set back");
}
