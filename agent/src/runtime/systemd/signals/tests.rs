#![expect(clippy::disallowed_methods, reason = "a real bus, by real time")]

use super::*;

fn path(number: u32) -> OwnedObjectPath {
    OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap()
}

#[tokio::test]
async fn the_end_of_the_job_is_not_waited_past() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    // Both before the waiter knows its job: fast jobs end like that.
    signals.ends.send(path(1)).unwrap();
    signals.ends.send(path(2)).unwrap();
    let begun = std::time::Instant::now();
    next_look(&mut ends, &path(2)).await;
    assert!(begun.elapsed() < LOOK_INTERVAL / 2);
}

#[tokio::test]
async fn a_lost_signal_only_delays_the_look() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    signals.ends.send(path(1)).unwrap();
    next_look(&mut ends, &path(2)).await;
}

#[tokio::test]
async fn signals_that_overran_the_queue_lead_to_a_look_at_once() {
    let signals = Signals::new();
    let mut ends = signals.ends();
    for number in 0..2 * u32::try_from(QUEUE).unwrap() {
        signals.ends.send(path(number)).unwrap();
    }
    let begun = std::time::Instant::now();
    next_look(&mut ends, &path(9_999)).await;
    assert!(begun.elapsed() < LOOK_INTERVAL / 2);
}
