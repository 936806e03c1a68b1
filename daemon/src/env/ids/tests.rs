//! The order and the form of ids.

use super::*;

#[test]
fn an_id_is_a_uuid_of_version_7_with_its_time() {
    let id = Ids::default().next(Timestamp(0x0123_4567_89ab), &Random::seeded(1)).unwrap();
    assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
    assert!(id.to_string().starts_with("01234567-89ab-7"), "{id}");
}

#[test]
fn ids_rise_when_the_clock_jumps() {
    let (ids, random) = (Ids::default(), Random::seeded(1));
    let mut last = Uuid::nil();
    for ms in [5, 5, 4, 0, 9, 9, 8].into_iter().cycle().take(20_000) {
        let id = ids.next(Timestamp(ms), &random).unwrap();
        assert!(id > last, "{id} behind {last}");
        last = id;
    }
}

#[test]
fn a_clock_far_in_the_future_is_no_panic() {
    let (ids, random) = (Ids::default(), Random::seeded(1));
    let mut made = std::collections::BTreeSet::new();
    for _ in 0..10_000 {
        made.insert(ids.next(Timestamp(u64::MAX), &random).unwrap());
    }
    assert_eq!(made.len(), 10_000);
}

#[test]
fn two_hosts_at_one_moment_make_different_ids() {
    let id = |seed| Ids::default().next(Timestamp(1), &Random::seeded(seed)).unwrap();
    assert_ne!(id(1), id(2));
}
