use std::cell::RefCell;

use super::*;
use crate::store::StoreError;

/// Looks at four tenants, of which one fails, one panics and one always loses its race, and
/// returns which were looked at.
async fn pass(each: &Each, log: &RefCell<Vec<&'static str>>) -> Passed {
    log.borrow_mut().clear();
    let mut round = each.begin();
    for name in ["a-panics", "b-fails", "c-races", "d-good"] {
        let look = || async move {
            log.borrow_mut().push(name);
            match name {
                "a-panics" => panic!("a planted panic"),
                "b-fails" => Err(OpsError::Busy),
                "c-races" => Err(OpsError::Store(StoreError::Conflict { key: "x".into() })),
                _ => Ok(()),
            }
        };
        round.look(name, look).await;
    }
    round.end()
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_panics_or_loses_its_race_waits_alone() {
    let (each, log) = (Each::default(), RefCell::new(Vec::new()));
    let start = Instant::now();
    let passed = pass(&each, &log).await;
    let looks = ["a-panics", "b-fails", "c-races", "c-races", "c-races", "c-races", "d-good"];
    assert_eq!(*log.borrow(), looks);
    assert_eq!((passed.failures, passed.panics), (2, 1));
    assert_eq!(passed.retry_at, Some(start + PAUSE_MIN));
    // Those that failed do not hold up a pass right after it.
    let passed = pass(&each, &log).await;
    assert_eq!(*log.borrow(), ["d-good"]);
    assert_eq!((passed.failures, passed.panics), (0, 0));
    let mut pauses = Vec::new();
    for _ in 0..7 {
        tokio::time::advance(PAUSE_MAX).await;
        let now = Instant::now();
        let passed = pass(&each, &log).await;
        assert_eq!(*log.borrow(), looks);
        pauses.push((passed.retry_at.unwrap() - now).as_secs());
    }
    assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
}

#[tokio::test(start_paused = true)]
async fn one_that_works_again_or_does_not_exist_any_more_is_not_waited_for() {
    let each = Each::default();
    let mut round = each.begin();
    round.look("acme", async || Err(OpsError::Busy)).await;
    round.look("gone", async || Err(OpsError::Busy)).await;
    assert!(round.end().retry_at.is_some());
    tokio::time::advance(PAUSE_MIN).await;
    let mut round = each.begin();
    round.look("acme", async || Ok(())).await;
    assert_eq!(round.end(), Passed::default());
}
