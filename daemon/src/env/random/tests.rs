//! What follows from a seed, and the bounds of what is spread.

use super::*;

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let take = |seed| Random::seeded(seed).bytes::<21>().unwrap();
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
}

#[test]
fn a_seed_gives_the_numbers_of_the_published_generator() {
    let random = Random::seeded(1_234_567);
    let numbers: Vec<u64> = (0..3).map(|_| u64::from_le_bytes(random.bytes().unwrap())).collect();
    let published =
        [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
    assert_eq!(numbers, published);
}

#[test]
fn clones_go_on_where_the_others_are() {
    let random = Random::seeded(1);
    let clone = random.clone();
    assert_ne!(random.bytes::<8>().unwrap(), clone.bytes::<8>().unwrap());
}

#[test]
fn the_system_gives_other_bytes_each_time() {
    let random = Random::system();
    assert_ne!(random.bytes::<16>().unwrap(), random.bytes::<16>().unwrap());
}

#[test]
fn a_part_of_a_span_is_less_than_the_span_and_reaches_both_halves() {
    let (random, span) = (Random::seeded(1), Duration::from_secs(10));
    let parts: Vec<Duration> = (0..100).map(|_| random.jitter(span)).collect();
    assert!(parts.iter().all(|part| *part < span));
    assert!(parts.iter().any(|part| *part < span / 2));
    assert!(parts.iter().any(|part| *part > span / 2));
    assert_eq!(random.jitter(Duration::ZERO), Duration::ZERO);
    let longest = random.jitter(Duration::MAX);
    assert!(longest <= Duration::MAX);
}
