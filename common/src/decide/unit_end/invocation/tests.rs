use super::*;

fn life(id: &[u8], active_enter: u64) -> Invocation {
    Invocation { id: id.to_vec(), active_enter }
}

#[test]
fn a_unit_that_was_not_restarted_is_known_by_its_invocation() {
    assert!(is_same_life(&life(b"one", 100), &life(b"one", 100)));
    assert!(!is_same_life(&life(b"one", 100), &life(b"two", 200)));
    assert!(!is_same_life(&life(b"one", 100), &life(b"two", 100)), "both within one tick");
    assert!(!is_same_life(&life(b"", 0), &life(b"one", 100)), "its first start");
}

#[test]
fn without_an_invocation_the_time_of_the_start_says_it() {
    assert!(is_same_life(&life(b"", 100), &life(b"", 100)));
    assert!(!is_same_life(&life(b"", 100), &life(b"", 200)));
    assert!(!is_same_life(&life(b"", 0), &life(b"", 0)), "nothing is known");
}
