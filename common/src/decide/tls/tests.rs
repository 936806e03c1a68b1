//! Which certificate is chosen, what is kept of the others, and when people are warned.

use super::*;
use crate::document::secret::SealedVersion;
use crate::testing::SPEC;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
/// The fingerprint of an authority of the tenant.
const OWN: Fingerprint = Fingerprint([1; 32]);

/// A version of a secret; with facts if it is a certificate.
fn version(secret: TlsSecret, number: u64, certificate: Option<TlsFacts>) -> SealedVersion {
    SealedVersion {
        mark: format!("{:016x}{number:016x}", secret as u64).parse().unwrap(),
        at: NOW,
        who: "maria".to_owned(),
        key: "key".to_owned(),
        sealed: "AAAA".to_owned(),
        has_lines: true,
        certificate,
    }
}

fn facts(names: &[&str], authority: Option<Fingerprint>, left_days: i64) -> TlsFacts {
    TlsFacts {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        subject: "CN=leaf".to_owned(),
        issuer: "CN=authority".to_owned(),
        valid_from: NOW.shifted_ms(-300 * 86_400_000),
        expires: NOW.shifted_ms(left_days * 86_400_000),
        fingerprint: Fingerprint([9; 32]),
        authority,
        directory: None,
    }
}

/// The records of a tenant with these certificates, by their numbers, each with its key, and with its own
/// authority.
fn records(certificates: &[(u64, TlsFacts)]) -> SecretRecords {
    let mut all = with_authority(SecretRecords::new(), 1, 3000);
    for (number, facts) in certificates {
        for (secret, facts) in [(TlsSecret::Certificate, Some(facts)), (TlsSecret::Key, None)] {
            let record = all.entry(secret.name()).or_default();
            record.last = *number;
            record.versions.insert(*number, version(secret, *number, facts.cloned()));
        }
    }
    all
}

/// Adds an authority that ends in so many days, with its key.
fn with_authority(mut all: SecretRecords, number: u64, left_days: i64) -> SecretRecords {
    let own = TlsFacts { fingerprint: OWN, ..facts(&[], None, left_days) };
    for (secret, facts) in [(TlsSecret::Authority, Some(own)), (TlsSecret::AuthorityKey, None)] {
        let record = all.entry(secret.name()).or_default();
        record.last = number;
        record.versions.insert(number, version(secret, number, facts));
    }
    all
}

fn spec(tls: &str) -> TenantSpec {
    TenantSpec::parse(&SPEC.replace("components:", &format!("{tls}\ncomponents:"))).unwrap()
}

fn chosen(tls: &str, records: &SecretRecords, named: Option<u64>) -> Result<TlsChoice, String> {
    let spec = spec(tls);
    let choice = choose(TlsInput { spec: &spec, records, named, now: NOW });
    choice.map_err(|problem| problem.to_string())
}

const OWN_NAMES: &str = "tls: {mode: selfsigned, names: [a.example.com]}";
const CUSTOM: &str = "tls: {mode: custom, names: [a.example.com]}";

#[test]
fn a_tenant_gets_its_first_certificate_and_another_one_for_other_names() {
    let none = SecretRecords::new();
    assert_eq!(chosen("", &none, None), Ok(TlsChoice::Absent));
    assert_eq!(chosen(OWN_NAMES, &none, None), Ok(TlsChoice::Issue(IssueReason::First)));
    let made = records(&[(1, facts(&["a.example.com"], Some(OWN), 300))]);
    assert_eq!(chosen(OWN_NAMES, &made, Some(1)), Ok(TlsChoice::Version(1)));
    let more = "tls: {mode: selfsigned, names: [a.example.com, b.example.com]}";
    assert_eq!(chosen(more, &made, Some(1)), Ok(TlsChoice::Issue(IssueReason::OtherNames)));
    // One that an operator gave is not of the tenant's authority.
    let given = records(&[(1, facts(&["a.example.com"], None, 300))]);
    assert_eq!(chosen(OWN_NAMES, &given, Some(1)), Ok(TlsChoice::Issue(IssueReason::First)));
}

#[test]
fn a_rollback_brings_the_former_certificate_back_unless_that_has_expired() {
    let names = &["a.example.com"];
    let both = |left_days| {
        let (one, two) = (facts(names, Some(OWN), left_days), facts(names, Some(OWN), 300));
        records(&[(1, one), (2, two)])
    };
    assert_eq!(chosen(OWN_NAMES, &both(10), Some(1)), Ok(TlsChoice::Version(1)));
    assert_eq!(chosen(OWN_NAMES, &both(-1), Some(1)), Ok(TlsChoice::Version(2)));
    assert_eq!(chosen(OWN_NAMES, &both(10), None), Ok(TlsChoice::Version(2)));
    // One of a clock that was ahead is not valid yet.
    let mut early = both(10);
    let of_two = early.get_mut(&TlsSecret::Certificate.name()).unwrap().versions.get_mut(&2);
    let of_two = of_two.unwrap().certificate.as_mut().unwrap();
    of_two.valid_from = NOW.shifted_ms(1);
    assert_eq!(chosen(OWN_NAMES, &early, Some(2)), Ok(TlsChoice::Version(1)));
    // One without its key is none.
    let mut alone = both(10);
    alone.get_mut(&TlsSecret::Key.name()).unwrap().versions.remove(&2);
    assert_eq!(chosen(OWN_NAMES, &alone, None), Ok(TlsChoice::Version(1)));
}

#[test]
fn a_certificate_whose_authority_was_removed_is_replaced_with_another_authority() {
    let mut all = records(&[(1, facts(&["a.example.com"], Some(OWN), 300))]);
    assert_eq!(chosen(OWN_NAMES, &all, Some(1)), Ok(TlsChoice::Version(1)));
    for secret in [TlsSecret::Authority, TlsSecret::AuthorityKey] {
        all.get_mut(&secret.name()).unwrap().versions.clear();
    }
    let issue = Ok(TlsChoice::Issue(IssueReason::OtherNames));
    assert_eq!(chosen(OWN_NAMES, &all, Some(1)), issue);
    assert_eq!(signing_authority(&all, NOW), None);
}

#[test]
fn what_the_document_asks_for_is_not_removed() {
    let tenant = "acme".parse().unwrap();
    let refused = |tls: &str| -> Vec<String> {
        let spec = spec(tls);
        let refuse = |secret| refuse_removal(&tenant, spec.tls.as_ref(), secret);
        TlsSecret::ALL.into_iter().filter_map(refuse).map(|it| it.to_string()).collect()
    };
    assert_eq!(refused(""), [""; 0]);
    let own = refused(OWN_NAMES);
    assert_eq!(own.len(), 4, "{own:?}");
    let expected = "name: tls_ca_key is a part of the certificate of acme, whose document says \
                    tls: {mode: selfsigned} (replace it, and give browsers the new one: omlctl tls \
                    renew tenant=acme --new-ca)";
    assert_eq!(own[3], expected);
    // An authority that signs nothing any more may go.
    let given = refused(CUSTOM);
    assert_eq!(given.len(), 2, "{given:?}");
    assert!(given[0].contains("replace it: omlctl tls set tenant=acme"), "{given:?}");
}

#[test]
fn a_certificate_that_has_expired_stops_no_other_change() {
    let own = records(&[(3, facts(&["a.example.com"], Some(OWN), -2))]);
    assert_eq!(chosen(OWN_NAMES, &own, Some(3)), Ok(TlsChoice::Version(3)));
    let given = records(&[(3, facts(&["*.example.com"], None, -2))]);
    assert_eq!(chosen(CUSTOM, &given, Some(3)), Ok(TlsChoice::Version(3)));
}

#[test]
fn a_tenant_with_its_own_certificate_is_refused_until_one_for_its_names_is_given() {
    let none = chosen(CUSTOM, &SecretRecords::new(), None).unwrap_err();
    assert!(
        none.contains("tls: acme has no certificate yet (omlctl tls set tenant=acme"),
        "{none}"
    );
    let other = records(&[(1, facts(&["b.example.com"], None, 300))]);
    let other = chosen(CUSTOM, &other, Some(1)).unwrap_err();
    let expected =
        "tls.names: the certificate of acme is not for a.example.com; it is for b.example.com";
    assert!(other.contains(expected), "{other}");
    let wildcard = records(&[(1, facts(&["*.example.com"], None, 300))]);
    assert_eq!(chosen(CUSTOM, &wildcard, None), Ok(TlsChoice::Version(1)));
    assert_eq!(chosen("tls: {mode: custom}", &wildcard, None), Ok(TlsChoice::Version(1)));
}

#[test]
fn certificate_key_and_authority_of_a_plan_belong_together() {
    let names = &["a.example.com"];
    let (one, two) = (facts(names, Some(OWN), 300), facts(names, None, 300));
    let all = records(&[(1, one), (2, two)]);
    let numbers = |number: Option<u64>| -> Vec<String> {
        // Without this, each would be the newest by itself.
        let mut chosen = crate::decide::secrets::choose(&all, None, None);
        put_version(&mut chosen, &all, number);
        chosen.iter().map(|(name, it)| format!("{name} {}", it.version)).collect()
    };
    assert_eq!(numbers(Some(1)), ["tls_ca 1", "tls_certificate 1", "tls_key 1"]);
    assert_eq!(numbers(Some(2)), ["tls_certificate 2", "tls_key 2"]);
    assert_eq!(numbers(None), [""; 0]);
}

#[test]
fn an_authority_signs_as_long_as_it_outlives_what_it_signs() {
    assert_eq!(signing_authority(&SecretRecords::new(), NOW), None);
    let all = |left_days| with_authority(SecretRecords::new(), 4, left_days);
    assert_eq!(signing_authority(&all(400), NOW), Some(4));
    assert_eq!(signing_authority(&all(364), NOW), None);
    let mut without_key = all(400);
    without_key.remove(&TlsSecret::AuthorityKey.name());
    assert_eq!(signing_authority(&without_key, NOW), None);
    assert_eq!(next_number(&all(400)), 5);
    assert_eq!(next_number(&SecretRecords::new()), 1);
}

#[test]
fn what_is_named_stays_kept_as_a_pair_and_so_does_the_newest_of_each_kind() {
    let names = &["a.example.com"];
    let own = || facts(names, Some(OWN), 300);
    let certificates =
        [(1, own()), (2, own()), (3, facts(names, None, 300)), (4, own()), (5, own())];
    let all = records(&certificates);
    let certificate = |number| version(TlsSecret::Certificate, number, None).mark;
    let live = [certificate(1)].into();
    let kept = retained_marks(&all, &NamedSecrets { live, history: BTreeSet::new() });
    let kept: BTreeSet<SecretMark> = kept.live.into_iter().chain(kept.history).collect();
    for (number, is_kept) in [(1, true), (2, false), (3, true), (4, false), (5, true)] {
        for secret in [TlsSecret::Certificate, TlsSecret::Key] {
            let mark = version(secret, number, None).mark;
            assert_eq!(kept.contains(&mark), is_kept, "{secret:?} {number}");
        }
    }
    assert!(kept.contains(&version(TlsSecret::Authority, 1, None).mark));
}
