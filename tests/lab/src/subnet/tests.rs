use super::*;

#[test]
fn the_first_free_subnet_at_or_after_the_seed_is_picked() {
    assert_eq!(pick(0x0102, &[]), Some(Subnet { second: 1, third: 2 }));
    let taken = networks_in("10.1.2.0/24 dev eth0 proto kernel scope link src 10.1.2.9");
    assert_eq!(pick(0x0102, &taken), Some(Subnet { second: 1, third: 3 }));
}

#[test]
fn a_wider_network_blocks_all_its_subnets() {
    let taken = networks_in("10.1.0.0/16 via 192.0.2.1 dev eth0");
    assert_eq!(pick(0x0100, &taken), Some(Subnet { second: 2, third: 0 }));
}

#[test]
fn a_single_address_blocks_its_subnet() {
    let taken = networks_in("local 10.7.7.7 dev lo table local");
    assert_eq!(pick(0x0707, &taken), Some(Subnet { second: 7, third: 8 }));
}

#[test]
fn the_default_route_blocks_no_subnet() {
    assert_eq!(networks_in("default via dev eth0 0.0.0.0/0"), []);
}

#[test]
fn the_search_wraps_around_and_ends_when_nothing_is_free() {
    let taken = networks_in("10.255.255.0/24");
    assert_eq!(pick(0xffff, &taken), Some(Subnet { second: 0, third: 0 }));
    assert_eq!(pick(0, &networks_in("10.0.0.0/8")), None);
}

#[test]
fn interface_names_are_derived_from_the_subnet_and_are_short_enough() {
    let subnet = Subnet { second: 213, third: 7 };
    assert_eq!(subnet.id(), "oml-d507");
    assert_eq!(Subnet::parse(&subnet.cidr()), Some(subnet));
    assert!(format!("vb-{}-99", subnet.id()).len() <= 15);
}
