//! When a clock counts as set, and when a boot as another one.

use super::*;

fn mark(boot: &str, now_ms: u64, up_ms: u64) -> ClockMark {
    Clock::of(boot, move || Timestamp(now_ms), move || up_ms).mark()
}

#[test]
fn time_that_passes_does_not_set_a_clock() {
    let before = mark("one", 1_000_000, 5_000);
    assert_eq!(mark("one", 9_000_000, 8_005_000).set_since(&before), None);
    assert_eq!(mark("one", 1_000_900, 5_000).set_since(&before), None, "it is only drawn right");
    assert_eq!(mark("one", 4_600_000, 5_000).set_since(&before), Some(3_600_000));
    assert_eq!(mark("one", 0, 5_000).set_since(&before), Some(-1_000_000));
}

#[test]
fn a_boot_that_is_not_known_is_another_one() {
    assert!(mark("one", 0, 0).is_same_boot(&mark("one", 9, 9)));
    assert!(!mark("one", 0, 0).is_same_boot(&mark("two", 0, 0)));
    assert!(!mark("", 0, 0).is_same_boot(&mark("", 0, 0)));
}

#[test]
fn the_clock_of_this_host_is_not_set_while_it_is_read() {
    let clock = Clock::system();
    let (first, second) = (clock.mark(), clock.mark());
    assert_eq!(second.set_since(&first), None);
    assert!(first.is_same_boot(&second));
}
