//! Identities are read back as they were written, and nothing else is read.

use proptest::prelude::*;

use super::*;

fn identity() -> impl Strategy<Value = Identity> {
    let label = || "[a-z]([a-z0-9-]{0,20}[a-z0-9])?";
    prop_oneof![
        Just(Identity::Controller),
        "[a-z][a-z0-9._-]{0,20}".prop_map(|name| Identity::Operator(name.parse().unwrap())),
        (label(), label()).prop_map(|(tenant, node)| Identity::Node {
            tenant: tenant.parse().unwrap(),
            node: node.parse().unwrap(),
        }),
    ]
}

fn peer(issued: u64, expires: u64) -> Peer {
    Peer {
        identity: Identity::Controller,
        serial: Serial(1),
        public_key: Fingerprint::of(b""),
        issued: Timestamp(issued),
        expires: Timestamp(expires),
    }
}

proptest! {
    #[test]
    fn an_identity_is_read_back_from_its_text(identity in identity()) {
        prop_assert_eq!(identity.to_string().parse::<Identity>().unwrap(), identity);
    }

    #[test]
    fn any_text_is_refused_or_means_itself(text in "(oml://)?[a-z/.]{0,20}|.*") {
        if let Ok(identity) = text.parse::<Identity>() {
            prop_assert_eq!(identity.to_string(), text);
        }
    }

    #[test]
    fn numbers_and_hashes_are_read_back(serial: u128, bytes: [u8; 32]) {
        prop_assert_eq!(Serial(serial).to_string().parse(), Ok(Serial(serial)));
        prop_assert_eq!(Fingerprint(bytes).to_string().parse(), Ok(Fingerprint(bytes)));
    }

    #[test]
    fn any_text_is_no_number_or_means_itself(text in ".*|[0-9a-fA-F]{30,34}") {
        if let Ok(serial) = text.parse::<Serial>() {
            prop_assert_eq!(serial.to_string(), text);
        }
    }

    #[test]
    fn a_renewal_falls_between_half_and_four_fifths_of_life(
        issued in 0..1u64 << 50, life_ms in 0..1u64 << 45, random: u32,
    ) {
        let renewal = peer(issued, issued + life_ms).renewal(random).0 - issued;
        prop_assert!(renewal >= life_ms / 2 && renewal <= life_ms * 4 / 5);
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Peer::from_certificate(&CertificateDer::from(bytes)).is_err());
    }
}

#[test]
fn texts_that_only_look_like_identities_are_refused() {
    for text in [
        "",
        "oml://",
        "oml://controller/",
        "oml://Controller",
        "oml://operator/",
        "oml://operator/a/b",
        "oml://node/acme",
        "oml://node/acme/",
        "oml://node/acme/app1/x",
        "oml://node/acme/../app1",
        "oml://node/ACME/app1",
        "OML://controller",
        "oml://controller ",
        "spiffe://controller",
    ] {
        assert!(text.parse::<Identity>().is_err(), "{text}");
    }
}
