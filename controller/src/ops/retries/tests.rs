use std::future::ready;

use super::*;
use crate::store::StoreError;

fn conflict() -> OpsError {
    OpsError::Store(StoreError::Conflict { key: "head/acme".into() })
}

#[tokio::test]
async fn an_attempt_is_repeated_while_it_conflicts() {
    let mut attempts = 0;
    let done = retry_conflicts(|| {
        attempts += 1;
        ready(if attempts < 3 { Err(conflict()) } else { Ok(attempts) })
    });
    assert_eq!(done.await.unwrap(), 3);
}

#[tokio::test]
async fn conflicts_without_an_end_are_reported_as_busy() {
    let mut attempts = 0;
    let done: Result<()> = retry_conflicts(|| {
        attempts += 1;
        ready(Err(conflict()))
    })
    .await;
    assert!(matches!(done, Err(OpsError::Busy)), "{done:?}");
    assert_eq!(attempts, ATTEMPTS_MAX);
}

#[tokio::test]
async fn another_error_is_returned_at_once() {
    let mut attempts = 0;
    let done: Result<()> = retry_conflicts(|| {
        attempts += 1;
        ready(Err(OpsError::RenewedTooSoon))
    })
    .await;
    assert!(matches!(done, Err(OpsError::RenewedTooSoon)), "{done:?}");
    assert_eq!(attempts, 1);
}
