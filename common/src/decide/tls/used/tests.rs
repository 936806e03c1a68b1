//! Which certificate is in use, and when people are warned of its end.

use super::*;
use crate::decide::secrets::{ChosenSecret, ChosenSecrets};
use crate::document::secret::SealedVersion;
use crate::id::Fingerprint;
use crate::testing::{CATALOG, SPEC, plan_with_secrets};

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const DAY_MS: i64 = 86_400_000;
/// The fingerprint of an authority of the tenant.
const OWN: Fingerprint = Fingerprint([1; 32]);

/// A certificate that was issued a year before its end.
fn facts(authority: Option<Fingerprint>, left_days: i64) -> TlsFacts {
    TlsFacts {
        names: vec!["a.example.com".to_owned()],
        subject: "CN=leaf".to_owned(),
        issuer: "CN=authority".to_owned(),
        valid_from: NOW.shifted_ms((left_days - 365) * DAY_MS),
        expires: NOW.shifted_ms(left_days * DAY_MS),
        fingerprint: Fingerprint([9; 32]),
        authority,
        directory: None,
    }
}

/// The record of certificates, by their numbers with the days that are left.
fn record(versions: &[(u64, i64)]) -> SecretRecord {
    let sealed = |(number, left_days): &(u64, i64)| {
        let version = SealedVersion {
            mark: format!("{number:032x}").parse().unwrap(),
            at: NOW,
            who: "maria".to_owned(),
            key: "key".to_owned(),
            sealed: "AAAA".to_owned(),
            has_lines: true,
            certificate: Some(facts(Some(OWN), *left_days)),
        };
        (*number, version)
    };
    SecretRecord { last: 9, versions: versions.iter().map(sealed).collect() }
}

/// A plan whose database names a version of the certificate and its key.
fn plan(version: u64) -> Plan {
    let part = |name: &str| format!("{{name: {name}, from: controller, file: /{name}}}");
    let secrets = format!("C: {}, K: {}", part("tls_certificate"), part("tls_key"));
    let line = format!("  db: {{version: \"1\", secrets: {{{secrets}}}}}");
    let tls = "tls: {mode: selfsigned, names: [a.example.com]}\ncomponents:";
    let text = SPEC.replace("  db: \"1\"", &line).replace("components:", tls);
    let chosen = |name: &str| {
        let mark = format!("{version:032x}").parse().unwrap();
        (name.parse().unwrap(), ChosenSecret { version, mark, has_lines: true })
    };
    let chosen: ChosenSecrets = ["tls_certificate", "tls_key"].map(chosen).into();
    plan_with_secrets(&text, CATALOG, &chosen, version).unwrap()
}

#[test]
fn the_certificate_of_a_plan_is_the_one_that_its_components_name() {
    let (plan, record) = (plan(7), record(&[(7, 300)]));
    let found = in_use(&plan, Some(&record)).unwrap();
    assert_eq!((found.version, found.used_by), (7, ["db".parse().unwrap()].into()));
    assert_eq!(in_use(&plan, None), None);
    assert!(is_used(&plan) && uses_version(&plan, 7) && !uses_version(&plan, 8));
}

#[test]
fn a_certificate_counts_until_the_last_node_has_another_one() {
    let (before, after) = (plan(1), plan(2));
    let found = |versions: &[(u64, i64)]| {
        let others = before.nodes.values();
        let found = in_use_now(&after, others, Some(&record(versions))).unwrap();
        (found.version, found.replaced_by)
    };
    assert_eq!(found(&[(1, 3), (2, 300)]), (1, Some(2)));
    assert_eq!(found(&[(1, 300), (2, 3)]), (2, None), "the one that ends first");
    assert_eq!(found(&[(2, 300)]), (2, None), "nothing is known of the other");
    let record = record(&[(1, 3), (2, 300)]);
    assert_eq!(in_use_now(&after, [], Some(&record)), in_use(&after, Some(&record)));
    let late = in_use_now(&after, before.nodes.values(), Some(&record)).unwrap();
    let said = warning(&"acme".parse().unwrap(), &late, NOW);
    let expected = "the certificate of acme expires in 3d 0h; version 2 is not on every host yet: \
                    omlctl status tenant=acme";
    assert_eq!(said.as_deref(), Some(expected));
}

fn said(facts: TlsFacts) -> Option<String> {
    let it = TlsInUse { version: 1, facts, used_by: BTreeSet::new(), replaced_by: None };
    warning(&"acme".parse().unwrap(), &it, NOW)
}

#[test]
fn people_are_warned_thirty_days_before_the_end_with_what_to_type() {
    assert_eq!(said(facts(Some(OWN), 31)), None);
    let soon =
        "the certificate of acme expires in 30d 0h; replace it: omlctl tls renew tenant=acme";
    assert_eq!(said(facts(Some(OWN), 30)).as_deref(), Some(soon));
    let late = "the certificate of acme expired 2d 0h ago; replace it: \
                omlctl tls set tenant=acme --certificate FILE --key FILE";
    assert_eq!(said(facts(None, -2)).as_deref(), Some(late));
    let early = "the certificate of acme becomes valid only in 5d 0h; replace it: \
                 omlctl tls renew tenant=acme";
    assert_eq!(said(facts(Some(OWN), 370)).as_deref(), Some(early));
}

#[test]
fn of_a_short_lived_certificate_people_are_warned_in_its_last_third() {
    let is_warned = |left_hours: i64| {
        let expires = NOW.shifted_ms(left_hours * 3_600_000);
        let valid_from = expires.shifted_ms(-DAY_MS);
        said(TlsFacts { valid_from, expires, ..facts(None, 0) }).is_some()
    };
    assert_eq!([24, 9, 8, 1, -1].map(is_warned), [false, false, true, true, true]);
}
