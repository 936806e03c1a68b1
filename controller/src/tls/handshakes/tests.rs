use std::net::Ipv4Addr;

use super::*;

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, number).into()
}

/// Begins a handshake and drops the one that gives way to it, as the accept loop does.
fn arrive(handshakes: &mut Handshakes<u32>, key: u32, from: IpAddr, is_known: bool) -> Option<u32> {
    let dropped = handshakes.to_drop(from);
    if let Some(dropped) = dropped {
        handshakes.end(dropped);
    }
    handshakes.begin(key, from, is_known);
    dropped
}

#[test]
fn the_oldest_handshake_of_the_most_numerous_address_gives_way() {
    let mut handshakes = Handshakes::new(4, 4);
    for (key, from) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        assert_eq!(arrive(&mut handshakes, key, address(from), false), None);
    }
    assert_eq!(arrive(&mut handshakes, 5, address(1), false), Some(1));
    assert_eq!(arrive(&mut handshakes, 6, address(3), false), Some(2));
    assert_eq!(arrive(&mut handshakes, 7, address(4), false), Some(4), "it has two, others one");
}

#[test]
fn an_address_with_too_many_handshakes_drops_its_own() {
    let mut handshakes = Handshakes::new(100, 2);
    for key in 1..=2 {
        assert_eq!(arrive(&mut handshakes, key, address(1), false), None);
    }
    assert_eq!(arrive(&mut handshakes, 3, address(2), false), None);
    assert_eq!(arrive(&mut handshakes, 4, address(1), true), Some(1));
}

#[test]
fn a_handshake_from_a_known_address_outlives_all_unknown_ones() {
    let mut handshakes = Handshakes::new(3, 3);
    for (key, is_known) in [(1, true), (2, true)] {
        arrive(&mut handshakes, key, address(1), is_known);
    }
    assert_eq!(arrive(&mut handshakes, 3, address(2), false), None);
    assert_eq!(arrive(&mut handshakes, 4, address(3), false), Some(3));
    assert_eq!(arrive(&mut handshakes, 5, address(1), true), Some(4));
    assert_eq!(arrive(&mut handshakes, 6, address(9), false), Some(1), "only known ones are left");
}

#[test]
fn a_handshake_that_ended_makes_room() {
    let mut handshakes = Handshakes::new(1, 1);
    arrive(&mut handshakes, 1, address(1), false);
    assert_eq!(handshakes.to_drop(address(1)), Some(1));
    handshakes.end(1);
    handshakes.end(1);
    assert_eq!(handshakes.to_drop(address(1)), None);
}

#[test]
fn addresses_stay_known_until_very_many_others_came() {
    let mut known = KnownAddresses::default();
    known.add(address(1));
    assert!(known.contains(address(1)) && !known.contains(address(2)));
    let others = |from: u32| (from..).take(KNOWN_LEN_MAX).map(|n| IpAddr::V4(Ipv4Addr::from(n)));
    others(1).for_each(|other| known.add(other));
    assert!(known.contains(address(1)));
    others(1_000_000).for_each(|other| known.add(other));
    assert!(!known.contains(address(1)));
}
