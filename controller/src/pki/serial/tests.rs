use super::*;

fn made(epoch: u64, after: Option<Serial>) -> Serial {
    next(epoch, after, &Random::system()).unwrap()
}

#[test]
fn each_number_is_higher_than_the_one_before() {
    let mut last = made(1, None);
    for _ in 0..1000 {
        let later = made(1, Some(last));
        assert!(later > last, "{later} after {last}");
        last = later;
    }
}

#[test]
fn a_number_of_a_later_epoch_is_higher_than_all_of_earlier_ones() {
    let mut unknown = made(1, None);
    for _ in 0..100 {
        unknown = made(1, Some(unknown));
    }
    let restored = made(2, Some(made(1, None)));
    assert!(restored > unknown);
    assert!(unknown <= highest_before(2) && restored > highest_before(2));
}

#[test]
fn a_number_is_higher_than_one_of_a_later_epoch_too() {
    let later = made(7, None);
    assert!(made(6, Some(later)) > later);
    let revoked = highest_before(u64::MAX);
    assert!(made(1, Some(revoked)) > revoked);
}

#[test]
fn two_numbers_after_the_same_one_differ() {
    assert_ne!(made(1, None), made(1, None));
}

#[test]
fn nothing_is_before_the_first_epoch() {
    assert_eq!(highest_before(0), Serial(0));
}

#[test]
fn the_epochs_of_restores_fit_and_keep_their_order() {
    // The epoch of a restore has a time in seconds above its 16 random bits.
    let restored = |seconds: u64| seconds << 16;
    let (first, later) = (restored(1_800_000_000), restored(4_000_000_000));
    assert!(made(first, None) > made(first - 1, None));
    assert!(made(later, None) > made(later - 1, None));
    assert!(made(later, None) <= highest_before(later + 1));
}
