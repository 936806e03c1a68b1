//! Which certificate a tenant has that orders it from a directory.

use super::*;
use crate::decide::tls::choose;
use crate::document::secret::SealedVersion;
use crate::document::spec::{LETS_ENCRYPT, TenantSpec};
use crate::document::tls_secret::TlsSecret;
use crate::id::Fingerprint;
use crate::testing::SPEC;

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const DAY_MS: i64 = 86_400_000;
const NAME: &str = "a.example.com";

/// Who signed a certificate.
#[derive(Clone, Copy)]
enum Signer {
    Own,
    Somebody,
    Directory(&'static str),
}

fn facts(signer: Signer, names: &[&str], left_days: i64) -> TlsFacts {
    TlsFacts {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        subject: "CN=leaf".to_owned(),
        issuer: "CN=authority".to_owned(),
        valid_from: NOW.shifted_ms(-91 * DAY_MS),
        expires: NOW.shifted_ms(left_days * DAY_MS),
        fingerprint: Fingerprint([9; 32]),
        authority: match signer {
            Signer::Own => Some(Fingerprint([1; 32])),
            Signer::Somebody | Signer::Directory(_) => None,
        },
        directory: match signer {
            Signer::Directory(directory) => Some(directory.to_owned()),
            Signer::Own | Signer::Somebody => None,
        },
    }
}

/// The records of a tenant with these certificates, which have the numbers from 1.
fn records(certificates: &[TlsFacts]) -> SecretRecords {
    let mut all = SecretRecords::new();
    for (facts, number) in certificates.iter().zip(1_u64..) {
        for (secret, facts) in [(TlsSecret::Certificate, Some(facts)), (TlsSecret::Key, None)] {
            let version = SealedVersion {
                mark: format!("{:016x}{number:016x}", secret as u64).parse().unwrap(),
                at: NOW,
                who: "maria".to_owned(),
                key: "key".to_owned(),
                sealed: "AAAA".to_owned(),
                has_lines: true,
                certificate: facts.cloned(),
            };
            let record = all.entry(secret.name()).or_default();
            record.last = number;
            record.versions.insert(number, version);
        }
    }
    all
}

fn chosen(certificates: &[TlsFacts], named: Option<u64>) -> TlsChoice {
    let tls = format!("tls: {{mode: acme, names: [{NAME}], contact: it@example.com}}");
    let spec = TenantSpec::parse(&SPEC.replace("components:", &format!("{tls}\ncomponents:")));
    let (spec, records) = (spec.unwrap(), records(certificates));
    choose(TlsInput { spec: &spec, records: &records, named, now: NOW }).unwrap()
}

const OURS: Signer = Signer::Directory(LETS_ENCRYPT);

#[test]
fn until_the_first_certificate_has_come_the_own_authority_issues_one() {
    assert_eq!(chosen(&[], None), TlsChoice::Issue(IssueReason::First));
    let stand_in = facts(Signer::Own, &[NAME], 300);
    assert_eq!(chosen(std::slice::from_ref(&stand_in), Some(1)), TlsChoice::Version(1));
    let ordered = facts(OURS, &[NAME], 90);
    assert_eq!(chosen(&[stand_in, ordered], Some(1)), TlsChoice::Version(2));
    let other = facts(Signer::Own, &["b.example.com"], 300);
    assert_eq!(chosen(&[other], Some(1)), TlsChoice::Issue(IssueReason::OtherNames));
}

#[test]
fn the_newest_that_was_ordered_is_used_also_after_a_rollback() {
    let both = [facts(OURS, &[NAME], 20), facts(OURS, &[NAME], 90)];
    assert_eq!(chosen(&both, Some(1)), TlsChoice::Version(2));
    let expired = [facts(OURS, &[NAME], -1)];
    assert_eq!(chosen(&expired, Some(1)), TlsChoice::Version(1), "it stops no other change");
}

#[test]
fn a_certificate_that_browsers_accept_stays_until_the_ordered_one_has_come() {
    let given = facts(Signer::Somebody, &[NAME, "b.example.com"], 40);
    assert_eq!(chosen(std::slice::from_ref(&given), Some(1)), TlsChoice::Version(1));
    let of_another = facts(Signer::Directory("https://other.example.com/"), &[NAME], 40);
    assert_eq!(chosen(&[of_another], None), TlsChoice::Version(1));
    // Another name was added to the document.
    let fewer = facts(OURS, &["www.example.com"], 40);
    assert_eq!(chosen(&[fewer], Some(1)), TlsChoice::Issue(IssueReason::OtherNames));
    let expired = facts(Signer::Somebody, &[NAME], -1);
    assert_eq!(chosen(&[expired], Some(1)), TlsChoice::Issue(IssueReason::OtherNames));
    let (ordered, given) = (facts(OURS, &[NAME], 90), given);
    assert_eq!(chosen(&[ordered, given], Some(2)), TlsChoice::Version(1));
}
