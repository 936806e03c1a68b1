//! Tests that every restore has an epoch of its own.

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn made(before: u64, now: Timestamp) -> u64 {
    after(before, now, &Random::system()).unwrap()
}

#[test]
fn an_epoch_is_higher_than_that_of_the_backup_wherever_the_clock_stands() {
    let mut before = 1;
    for now in [NOW, Timestamp(0), NOW, Timestamp(NOW.0 + 1000), Timestamp(0), Timestamp(0)] {
        let restored = made(before, now);
        assert!(restored > before, "{restored} after {before}");
        before = restored;
    }
    // An epoch without random bits.
    assert!(made(NOW.0 / 1000, Timestamp(0)) > NOW.0 / 1000);
}

#[test]
fn a_later_restore_of_one_backup_has_a_higher_epoch() {
    let first = made(1, NOW);
    assert!(made(1, Timestamp(NOW.0 + 1000)) > first);
}

#[test]
fn restores_of_one_backup_differ_even_if_the_clock_was_set_back_between_them() {
    let backup = made(1, NOW);
    // A clock that stands still, and one that stands before the backup.
    for now in [NOW, Timestamp(0)] {
        let random = Random::seeded(7);
        let mut epochs: Vec<u64> = (0..4).map(|_| after(backup, now, &random).unwrap()).collect();
        epochs.sort_unstable();
        epochs.dedup();
        assert_eq!(epochs.len(), 4, "{epochs:?}");
    }
}
