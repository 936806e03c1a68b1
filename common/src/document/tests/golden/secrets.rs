//! The bytes of an instance that names secrets of the controller, and of a secret that is a certificate.

use super::*;
use crate::document::Feature;
use crate::document::instance::KeptSecret;
use crate::document::tls_facts::TlsFacts;
use crate::id::Fingerprint;

/// The pinned hash of the fixture.
const HASH: &str = "c8948992caebf933febdb2a1f1cb945590ec78be7a012cad0a49d3f0bca63b32";

fn with_secrets() -> Instance {
    let secret = |name: &str, version: u64, file: Option<&str>| KeptSecret {
        name: name.parse().unwrap(),
        version,
        mark: format!("{version:032x}").parse().unwrap(),
        file: file.map(str::to_owned),
    };
    let workload = full().workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.kept_secrets = [
                ("KEY_FILE".parse().unwrap(), secret("tls_key", 1, Some("/run/secrets/tls_key"))),
                ("REDIS_PASSWORD".parse().unwrap(), secret("redis", 12, None)),
            ]
            .into();
        }
    });
    Instance { workload, ..full() }
}

#[test]
fn secrets_of_the_controller_are_written_in_the_bytes_that_are_pinned() {
    let golden = golden("instance", &with_secrets(), &minimal());
    let written = &golden.full;
    assert_eq!(*written, fixture("secrets/instance.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), HASH, "it has another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}

#[test]
fn an_instance_with_them_needs_their_feature_and_no_other() {
    let needs = with_secrets().needs();
    let more: Vec<Feature> = needs.difference(&full().needs()).copied().collect();
    assert_eq!(more, [Feature::ControllerSecrets]);
}

/// The pinned hash of a secret that is a certificate.
const CERTIFICATE_HASH: &str = "fff7a86a5e45558db42f85aa40b97a470e7e8641e3b731e4a26227d072df94c0";

/// The pinned hash of a secret that is a certificate of an ACME directory.
const ORDERED_HASH: &str = "5c6e87b04a8db341bfcd63acf2231cb936c4169d35d70211613c93b216cfafca";

#[test]
fn the_directory_of_a_certificate_is_written_in_the_bytes_that_are_pinned() {
    let mut record = with_certificate();
    let newest = record.versions.get_mut(&12).and_then(|newest| newest.certificate.as_mut());
    let facts = newest.unwrap();
    facts.authority = None;
    facts.directory = Some("https://acme.example.com/directory".to_owned());
    let golden = golden("secret_record", &record, &SecretRecord::default());
    let written = &golden.full;
    assert_eq!(*written, fixture("acme/secret_record.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), ORDERED_HASH, "another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}

/// A secret whose newest version is a certificate of the tenant's own authority.
fn with_certificate() -> SecretRecord {
    let mut record = v::secret();
    let newest = record.versions.get_mut(&12).unwrap();
    newest.certificate = Some(TlsFacts {
        names: ["pbx.example.com", "10.0.0.5"].map(str::to_owned).into(),
        subject: "CN=pbx.example.com".to_owned(),
        issuer: "CN=acme authority".to_owned(),
        valid_from: newest.at,
        expires: newest.at.plus_ms(365 * 86_400_000),
        fingerprint: Fingerprint([7; 32]),
        authority: Some(Fingerprint([0xab; 32])),
        directory: None,
    });
    record
}

#[test]
fn the_facts_of_a_certificate_are_written_in_the_bytes_that_are_pinned() {
    let record = with_certificate();
    let golden = golden("secret_record", &record, &SecretRecord::default());
    let written = &golden.full;
    assert_eq!(*written, fixture("secrets/secret_record.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), CERTIFICATE_HASH, "another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}
