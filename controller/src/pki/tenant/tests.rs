//! What the authority of a tenant makes.

use oml_common::decide::tls::{GivenKey, check};

use super::super::pem_pair::read_pair;
use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn names(names: &[&str]) -> BTreeSet<TlsName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn what_the_authority_makes_passes_every_check_and_names_what_was_asked_for() {
    let (tenant, random) = ("acme".parse().unwrap(), Random::system());
    let authority = new_authority(&tenant, NOW, &random).unwrap();
    let wanted = names(&["pbx.example.com", "*.example.org", "10.0.0.5", "2001:db8::1"]);
    let made =
        issue(&authority.certificate_pem, &authority.key_pem, &wanted, NOW, &random).unwrap();
    assert_eq!(made.facts.names, ["*.example.org", "10.0.0.5", "2001:db8::1", "pbx.example.com"]);
    assert_eq!(made.facts.authority, Some(authority.facts.fingerprint));
    assert_eq!(made.facts.issuer, authority.facts.subject);
    assert_eq!(made.facts.expires, NOW.plus_ms(LEAF_LIFETIME_MS));
    assert_eq!(authority.facts.expires, NOW.plus_ms(AUTHORITY_LIFETIME_MS));
    let chain = format!("{}{}", made.certificate_pem, authority.certificate_pem);
    let pair = read_pair(&chain, &made.key_pem);
    assert_eq!(check(&pair.given, &wanted, NOW).to_string(), "");
    assert_eq!(pair.given.key, GivenKey::Readable { certificate: Some(0) });
    assert_eq!(pair.given.chain[0].is_signed_by_next, Some(true));
    let is_authority: Vec<bool> = pair.given.chain.iter().map(|it| it.is_authority).collect();
    assert_eq!(is_authority, [false, true]);
}

#[test]
fn two_certificates_and_two_authorities_have_nothing_in_common() {
    let (tenant, random) = ("acme".parse().unwrap(), Random::system());
    let [one, two] = [(), ()].map(|()| new_authority(&tenant, NOW, &random).unwrap());
    assert_ne!(*one.key_pem, *two.key_pem);
    assert_ne!(one.facts.fingerprint, two.facts.fingerprint);
    let names = names(&["a.example.com"]);
    let made = |by: &MadeCertificate| {
        issue(&by.certificate_pem, &by.key_pem, &names, NOW, &random).unwrap()
    };
    assert_ne!(*made(&one).key_pem, *made(&one).key_pem);
    // Another authority of the same name did not sign it.
    let chain = format!("{}{}", made(&one).certificate_pem, two.certificate_pem);
    assert_eq!(read_pair(&chain, "").given.chain[0].is_signed_by_next, Some(false));
}

#[test]
fn an_authority_that_cannot_be_read_is_an_error_with_what_to_type() {
    let error = issue("x", "y", &names(&["a.example.com"]), NOW, &Random::system()).err().unwrap();
    assert!(error.to_string().contains("omlctl tls renew --new-ca tenant="), "{error}");
}
