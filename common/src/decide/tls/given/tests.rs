//! What is said of a certificate that cannot be used.

use super::*;
use crate::id::Fingerprint;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const DAY_MS: i64 = 86_400_000;

fn certificate(line: u32, subject: &str, issuer: &str) -> GivenCertificate {
    let facts = TlsFacts {
        names: Vec::new(),
        subject: format!("CN={subject}"),
        issuer: format!("CN={issuer}"),
        valid_from: NOW.shifted_ms(-DAY_MS),
        expires: NOW.shifted_ms(90 * DAY_MS),
        fingerprint: Fingerprint([7; 32]),
        authority: None,
        directory: None,
    };
    GivenCertificate {
        line,
        facts,
        is_authority: true,
        is_for_servers: true,
        is_signed_by_next: None,
    }
}

/// A chain of a server, an authority between and nothing else, with the right key.
fn good() -> GivenPair {
    let mut leaf = certificate(1, "pbx", "between");
    leaf.facts.names = vec!["pbx.example.com".to_owned(), "10.0.0.5".to_owned()];
    (leaf.is_authority, leaf.is_signed_by_next) = (false, Some(true));
    let chain = vec![leaf, certificate(21, "between", "root")];
    GivenPair { chain, unreadable: Vec::new(), key: GivenKey::Readable { certificate: Some(0) } }
}

fn names(names: &[&str]) -> BTreeSet<TlsName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn said(given: &GivenPair) -> String {
    check(given, &names(&["pbx.example.com"]), NOW).to_string()
}

#[test]
fn a_chain_in_order_with_its_key_and_its_names_is_accepted() {
    assert_eq!(said(&good()), "");
    assert_eq!(check(&good(), &names(&[]), NOW).to_string(), "");
    let mut alone = good();
    alone.chain.truncate(1);
    assert_eq!(said(&alone), "");
    // The kind of a signature that is not known is no mistake.
    let mut unknown = good();
    unknown.chain[0].is_signed_by_next = None;
    assert_eq!(said(&unknown), "");
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    for (key, part) in [
        (GivenKey::Readable { certificate: None }, "is not that of the certificate of CN=pbx"),
        (GivenKey::Readable { certificate: Some(1) }, "is that of certificate 2 of the chain"),
        (GivenKey::Missing, "there is no private key in the text"),
        (GivenKey::Several(2), "there are 2 private keys in the text"),
        (GivenKey::Encrypted, "openssl pkey -in key.pem -out plain.pem"),
        (GivenKey::Unreadable, "the private key cannot be read"),
        (GivenKey::UnknownKind, "use RSA with 2048 to 4096 bits"),
    ] {
        let text = said(&GivenPair { key, ..good() });
        assert!(text.starts_with("key: ") && text.contains(part), "{key:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_chain_in_another_order_is_refused_with_the_place() {
    let mut turned = good();
    turned.chain.reverse();
    let text = said(&turned);
    for part in [
        "line 21: certificate: the first certificate is that of an authority, CN=between",
        "line 1: certificate: certificate 2 is that of CN=pbx, and certificate 1 was signed by CN=root",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut forged = good();
    forged.chain[0].is_signed_by_next = Some(false);
    let text = said(&forged);
    assert!(text.contains("certificate 1 was signed with another key than that of"), "{text}");
}

#[test]
fn what_is_not_valid_now_is_refused_wherever_it_is_in_the_chain() {
    let mut expired = good();
    expired.chain[0].facts.expires = NOW.shifted_ms(-2 * DAY_MS);
    expired.chain[1].facts.expires = NOW;
    let text = said(&expired);
    assert!(
        text.contains("line 1: certificate: certificate 1 (CN=pbx) expired 2d 0h ago"),
        "{text}"
    );
    assert!(
        text.contains("line 21: certificate: certificate 2 (CN=between) expired 0ms ago"),
        "{text}"
    );
    let mut early = good();
    early.chain[0].facts.valid_from = NOW.shifted_ms(DAY_MS);
    assert!(said(&early).contains("becomes valid only in 1d 0h"), "{}", said(&early));
}

#[test]
fn a_certificate_for_other_names_is_refused_with_those_that_it_has() {
    let wanted = names(&["pbx.example.com", "web.example.com", "10.0.0.6"]);
    let text = check(&good(), &wanted, NOW).to_string();
    let expected =
        "the certificate is not for 10.0.0.6, web.example.com; it is for pbx.example.com, 10.0.0.5";
    assert!(text.contains(expected), "{text}");
    let mut nameless = good();
    nameless.chain[0].facts.names.clear();
    assert!(said(&nameless).contains("for no name (subjectAltName)"), "{}", said(&nameless));
}

#[test]
fn a_certificate_that_is_only_for_clients_is_refused() {
    let mut client = good();
    client.chain[0].is_for_servers = false;
    let expected = "line 1: certificate: the certificate is not for servers (extendedKeyUsage) \
                    (request one for servers (serverAuth); browsers refuse this one)";
    assert_eq!(said(&client), expected);
    // What those that signed it may do is another matter.
    let mut signer = good();
    signer.chain[1].is_for_servers = false;
    assert_eq!(said(&signer), "");
}

#[test]
fn a_chain_ends_with_the_first_of_its_certificates_and_not_with_its_root() {
    let end = |of: &GivenPair| of.facts().unwrap().expires;
    let mut pair = good();
    assert_eq!(end(&pair), NOW.shifted_ms(90 * DAY_MS));
    pair.chain[1].facts.expires = NOW.shifted_ms(20 * DAY_MS);
    assert_eq!(end(&pair), NOW.shifted_ms(20 * DAY_MS));
    assert_eq!(pair.facts().unwrap().names, pair.chain[0].facts.names);
    let mut root = certificate(41, "root", "root");
    root.facts.expires = NOW.shifted_ms(DAY_MS);
    pair.chain.push(root);
    assert_eq!(end(&pair), NOW.shifted_ms(20 * DAY_MS));
    let nothing = GivenPair { chain: Vec::new(), unreadable: Vec::new(), key: GivenKey::Missing };
    assert_eq!(nothing.facts(), None);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut bad = good();
    bad.chain[0].facts.expires = NOW;
    bad.unreadable = vec![Problem::new("certificate", "certificate 3 cannot be read").at_line(41)];
    bad.key = GivenKey::Encrypted;
    let text = check(&bad, &names(&["web.example.com"]), NOW).to_string();
    for part in ["cannot be read", "expired", "is encrypted", "is not for web.example.com"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let nothing = GivenPair { chain: Vec::new(), unreadable: Vec::new(), key: GivenKey::Missing };
    let text = said(&nothing);
    assert!(text.contains("there is no certificate in the text"), "{text}");
    assert!(text.contains("there is no private key in the text"), "{text}");
    let mut long = good();
    long.chain = vec![certificate(1, "a", "a"); 11];
    assert!(said(&long).contains("11 certificates are too many (maximum 10)"), "{}", said(&long));
}
