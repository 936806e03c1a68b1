//! Time that stands still, clocks that are set, and hosts that boot.

use std::time::Duration;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn time_moves_only_with_tokios() {
    let host = Simulated::new(1);
    let env = host.env();
    assert_eq!(env.now(), BEGIN);
    tokio::time::advance(HOUR).await;
    assert_eq!(env.now(), BEGIN.plus_ms(3_600_000));
    assert_eq!(env.clock().up_ms(), 3_600_000);
}

#[tokio::test(start_paused = true)]
async fn hosts_of_one_world_agree_on_the_time_until_one_clock_is_set() {
    let one = Simulated::new(1);
    tokio::time::advance(HOUR).await;
    let two = one.another(2);
    assert_eq!(one.now(), two.now());
    two.set_clock(-5_000);
    assert_eq!(two.env().now().plus_ms(5_000), one.now());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_seen_in_its_mark_and_moves_no_time_since_the_boot() {
    let host = Simulated::new(1);
    let clock = host.clock();
    let before = clock.mark();
    tokio::time::advance(HOUR).await;
    assert_eq!(clock.mark().set_since(&before), None);
    host.set_clock(60_000);
    assert_eq!(clock.mark().set_since(&before), Some(60_000));
    assert_eq!(clock.up_ms(), 3_600_000);
}

#[tokio::test(start_paused = true)]
async fn another_boot_and_another_host_are_distinguished() {
    let host = Simulated::new(1);
    let (before, other) = (host.clock().mark(), host.another(2).clock().mark());
    assert!(!before.is_same_boot(&other));
    assert!(before.is_same_boot(&host.clock().mark()));
    tokio::time::advance(HOUR).await;
    host.reboot();
    assert!(!before.is_same_boot(&host.clock().mark()));
    assert_eq!(host.clock().up_ms(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_worlds_of_one_seed_are_the_same() {
    let ids = |seed| {
        let env = Simulated::new(seed).env();
        [env.uuid().unwrap(), env.uuid().unwrap()]
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}
