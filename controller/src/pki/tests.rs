//! Tests of the authority, requests, tokens, renewal and recovery.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;

use oml_common::time::Timestamp;
use oml_daemon::env::Random;
use oml_daemon::tls::{BACKDATED_MS, Identity, JoinToken, Peer, Serial, certificate};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::store::{Expect, Memory, Store, Write};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY_MS: u64 = 24 * 3_600_000;

fn authority() -> Authority {
    let dir = tempfile::tempdir().unwrap();
    Authority::create(dir.path(), "test", NOW, &Random::system()).unwrap()
}

fn terms() -> Terms {
    Terms { now: NOW, lifetime_ms: DAY_MS, epoch: 1, after: None }
}

fn node(tenant: &str, node: &str) -> Identity {
    Identity::Node { tenant: tenant.parse().unwrap(), node: node.parse().unwrap() }
}

fn request_of(key: &KeyPair) -> CertificateRequest {
    let csr = CertificateParams::default().serialize_request(key).unwrap();
    CertificateRequest::from_der(csr.der()).unwrap()
}

fn request() -> CertificateRequest {
    request_of(&KeyPair::generate().unwrap())
}

fn der(issued: &Issued) -> CertificateDer<'static> {
    certificate(&issued.certificate_pem, "test").unwrap()
}

fn token_for(authority: &Authority, only: Option<&str>) -> (JoinToken, TokenRecord) {
    let grant = TokenGrant {
        tenant: "acme".parse().unwrap(),
        roles: vec!["voice".parse().unwrap()],
        node: only.map(|name| name.parse().unwrap()),
    };
    create_token(authority, grant, NOW, TokenValidity::default()).unwrap()
}

#[test]
fn the_key_is_readable_by_its_owner_only_and_an_authority_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let made = Authority::create(dir.path(), "test", NOW, &Random::system()).unwrap();
    let mode = std::fs::metadata(dir.path().join("ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(
        Authority::create(dir.path(), "test", NOW, &Random::system()),
        Err(PkiError::File { file, .. }) if file.ends_with("ca.key")
    ));
    let loaded = Authority::load(dir.path(), &Random::system()).unwrap();
    assert_eq!(loaded.fingerprint(), made.fingerprint());
}

#[test]
fn an_authority_with_mismatched_files_is_refused_with_the_file_named() {
    let dir = tempfile::tempdir().unwrap();
    Authority::create(dir.path(), "test", NOW, &Random::system()).unwrap();
    let (key, certificate) = (dir.path().join("ca.key"), dir.path().join("ca.pem"));
    let good = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, authority().pem()).unwrap();
    let refused = Authority::load(dir.path(), &Random::system()).unwrap_err();
    assert!(refused.to_string().contains("ca.pem"), "{refused}");
    std::fs::write(&certificate, &good[..40]).unwrap();
    assert!(
        Authority::load(dir.path(), &Random::system()).unwrap_err().to_string().contains("ca.pem")
    );
    std::fs::write(&certificate, &good).unwrap();
    std::fs::write(&key, "").unwrap();
    assert!(
        Authority::load(dir.path(), &Random::system()).unwrap_err().to_string().contains("ca.key")
    );
    std::fs::remove_file(&key).unwrap();
    assert!(
        Authority::load(dir.path(), &Random::system()).unwrap_err().to_string().contains("ca.key")
    );
}

#[test]
fn a_certificate_names_its_holder_and_ignores_the_rest_of_the_request() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let mut asked_for = CertificateParams::new(vec!["controller.example".into()]).unwrap();
    let uri = "oml://controller".try_into().unwrap();
    asked_for.subject_alt_names.push(SanType::URI(uri));
    asked_for.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let csr = asked_for.serialize_request(&key).unwrap();
    let request = CertificateRequest::from_der(csr.der()).unwrap();
    let issued = authority.issue(&node("acme", "app1"), &request, terms()).unwrap();

    let der = der(&issued);
    let peer = Peer::from_certificate(&der).unwrap();
    assert_eq!(peer.identity, node("acme", "app1"));
    assert_eq!(peer.public_key, request.fingerprint());
    assert_eq!((peer.issued, peer.expires), (NOW, NOW.plus_ms(DAY_MS)));
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let not_before_ms = parsed.validity().not_before.timestamp() as u64 * 1000;
    assert_eq!(not_before_ms, NOW.0 - BACKDATED_MS);
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!parsed.is_ca());
}

#[test]
fn only_a_controller_may_serve() {
    let own = authority().issue_with_key(&Identity::Controller, terms()).unwrap();
    let der = der(&own.issued);
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth);
}

#[test]
fn no_certificate_outlives_its_authority() {
    let authority = authority();
    let far = Terms { lifetime_ms: 100 * 366 * DAY_MS, ..terms() };
    let issued = authority.issue(&node("acme", "app1"), &request(), far).unwrap();
    assert!(issued.record.expires <= NOW.plus_ms(10 * 366 * DAY_MS));
    let late = Terms { now: NOW.plus_ms(11 * 366 * DAY_MS), ..terms() };
    let refused = authority.issue(&node("acme", "app1"), &request(), late);
    assert!(matches!(refused, Err(PkiError::Expired)));
}

#[test]
fn later_certificates_have_higher_serial_numbers_wherever_the_clock_stands() {
    let authority = authority();
    let issue = |terms| authority.issue(&node("acme", "app1"), &request(), terms).unwrap();
    let first = issue(terms()).record.serial;
    for now in [NOW.0 + 1, NOW.0, NOW.0 - DAY_MS, NOW.0 - 365 * DAY_MS] {
        let later = Terms { now: Timestamp(now), after: Some(first), ..terms() };
        assert!(issue(later).record.serial > first, "at {now}");
    }
}

#[test]
fn a_request_that_is_forged_malformed_or_for_another_kind_of_key_is_refused() {
    let key = KeyPair::generate().unwrap();
    let good = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
    let refused = |der: &[u8]| CertificateRequest::from_der(der).unwrap_err();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&forged), InvalidRequest::Unproven);
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = CertificateParams::default().serialize_request(&edwards).unwrap();
    assert_eq!(refused(other.der()), InvalidRequest::KeyKind);
    assert_eq!(refused(&[0; 9000]), InvalidRequest::TooLong);
    assert_eq!(refused(&[]), InvalidRequest::Unreadable);
    assert_eq!(refused(&[good.as_slice(), b"x"].concat()), InvalidRequest::Unreadable);
    for len in 0..good.len() {
        assert_eq!(refused(&good[..len]), InvalidRequest::Unreadable);
    }
    for position in 0..good.len() {
        let mut flipped = good.clone();
        flipped[position] ^= 0x10;
        // A flip outside of the signed bytes may be accepted, but never with another
        // key.
        let read = CertificateRequest::from_der(&flipped).ok();
        let same = read.is_none_or(|read| read.fingerprint() == request_of(&key).fingerprint());
        assert!(same, "byte {position}");
    }
}

#[test]
fn a_certificate_of_another_authority_is_not_recognized() {
    let (ours, other) = (authority(), authority());
    let issued = ours.issue(&node("acme", "app1"), &request(), terms()).unwrap();
    assert_eq!(ours.recognize(&der(&issued)).unwrap().identity, node("acme", "app1"));
    assert_eq!(other.recognize(&der(&issued)), None);
}

#[test]
fn a_token_is_read_back_from_its_text_and_its_secret_is_not_in_its_debug_form() {
    let authority = authority();
    let (token, record) = token_for(&authority, None);
    let text = token.reveal();
    let read: JoinToken = text.parse().unwrap();
    assert_eq!(read, token);
    assert_eq!((read.hash(), read.ca()), (record.hash, authority.fingerprint()));
    let secret = text.split('.').nth(1).unwrap();
    assert_eq!(secret.len(), 43, "256 bits");
    let record = serde_json::to_string(&record).unwrap();
    assert!(!format!("{token:?}").contains(secret) && !record.contains(secret));
    for wrong in ["", "oml1", "oml1..", &text[1..], &text[..text.len() - 1], &format!("{text}.x")] {
        let refused = wrong.parse::<JoinToken>().unwrap_err();
        assert!(!refused.to_string().contains(secret));
    }
}

#[test]
fn a_token_gives_an_identity_in_its_tenant_under_the_requested_name() {
    let authority = authority();
    let (token, record) = token_for(&authority, None);
    let redeemed = redeem(&record, &token, &"app1".parse().unwrap(), NOW).unwrap();
    assert_eq!(redeemed.identity(), node("acme", "app1"));
    assert_eq!(redeemed.grant().roles, ["voice".parse().unwrap()]);
}

#[test]
fn a_token_that_was_used_is_refused() {
    let (token, record) = token_for(&authority(), None);
    let name = "app1".parse().unwrap();
    let used = redeem(&record, &token, &name, NOW).unwrap().used_by(Serial(7));
    assert_eq!(used.used.as_ref().map(|used| used.serial), Some(Serial(7)));
    assert_eq!(redeem(&used, &token, &name, NOW), Err(TokenRefused::Used));
    let stored: TokenRecord = serde_json::from_str(&serde_json::to_string(&used).unwrap()).unwrap();
    assert_eq!(stored, used);
}

#[test]
fn a_token_that_expired_is_refused() {
    let (token, record) = token_for(&authority(), None);
    let name = "app1".parse().unwrap();
    let last = Timestamp(NOW.0 + 15 * 60_000 - 1);
    assert!(redeem(&record, &token, &name, last).is_ok());
    assert_eq!(redeem(&record, &token, &name, last.plus_ms(1)), Err(TokenRefused::Expired));
}

#[test]
fn a_token_of_another_cluster_or_another_record_is_refused() {
    let (_, record) = token_for(&authority(), None);
    let (foreign, _) = token_for(&authority(), None);
    let refused = redeem(&record, &foreign, &"app1".parse().unwrap(), NOW);
    assert_eq!(refused, Err(TokenRefused::Unknown));
}

#[test]
fn a_token_for_one_host_is_refused_to_another() {
    let (token, record) = token_for(&authority(), Some("app1"));
    assert!(redeem(&record, &token, &"app1".parse().unwrap(), NOW).is_ok());
    let refused = redeem(&record, &token, &"app2".parse().unwrap(), NOW);
    assert_eq!(refused, Err(TokenRefused::OtherNode));
}

#[test]
fn a_token_is_valid_for_at_most_a_day() {
    assert!(TokenValidity::from_ms(DAY_MS).is_ok());
    for wrong in [0, 999, DAY_MS + 1, u64::MAX] {
        assert_eq!(TokenValidity::from_ms(wrong), Err(InvalidTokenValidity));
    }
}

/// Enrols a host as the controller does: it decides, issues a certificate, and commits
/// both records on condition of the version that it read.
async fn enroll(store: &Memory, authority: &Authority, token: &JoinToken, name: &str) -> bool {
    let key = format!("tokens/{}", token.hash());
    let found = store.get(&key.as_str().into()).await.unwrap().unwrap();
    let record = serde_json::from_slice(&found.value).unwrap();
    tokio::task::yield_now().await;
    let Ok(redeemed) = redeem(&record, token, &name.parse().unwrap(), NOW) else { return false };
    let issued = authority.issue(&redeemed.identity(), &request(), terms()).unwrap();
    let used = serde_json::to_vec(&redeemed.used_by(issued.record.serial)).unwrap();
    let node = serde_json::to_vec(&NodeCertificates::first(issued.record)).unwrap();
    let writes = vec![
        Write::put(key, Expect::Version(found.version), used),
        Write::put(format!("nodes/{name}"), Expect::Absent, node),
    ];
    store.commit(writes).await.is_ok()
}

#[tokio::test]
async fn of_64_hosts_that_redeem_one_token_at_once_one_gets_a_certificate() {
    let authority = authority();
    for _ in 0..20 {
        let store = Memory::new();
        let (token, record) = token_for(&authority, None);
        let key = format!("tokens/{}", token.hash());
        let record = serde_json::to_vec(&record).unwrap();
        store.commit(vec![Write::put(key, Expect::Absent, record)]).await.unwrap();
        let names: Vec<_> = (0..64).map(|n| format!("app{n}")).collect();
        let racers = names.iter().map(|name| enroll(&store, &authority, &token, name));
        let won = futures_util::future::join_all(racers).await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        assert_eq!(store.list("nodes/").await.unwrap().len(), 1);
    }
}

fn record(serial: u128) -> CertificateRecord {
    let issued = authority().issue(&node("acme", "app1"), &request(), terms()).unwrap();
    CertificateRecord { serial: Serial(serial), ..issued.record }
}

#[test]
fn a_node_may_renew_with_the_previous_certificate_until_it_shows_the_newest() {
    let stale = |serial| Err(StaleCertificate { shown: Serial(serial) });
    let first = NodeCertificates::first(record(1));
    assert_eq!(first.shown(record(1)), Ok(first));
    let second = NodeCertificates::renewed(record(1), record(2));
    assert_eq!(second.shown(record(1)), Ok(second));
    let second_renewal = NodeCertificates::renewed(record(1), record(3));
    assert_eq!(second_renewal.shown(record(2)), stale(2));
    let settled = second_renewal.shown(record(3)).unwrap();
    assert_eq!(settled.shown(record(1)), stale(1));
    assert_eq!(settled.newest(), Serial(3));
    let stored: NodeCertificates =
        serde_json::from_str(&serde_json::to_string(&second_renewal).unwrap()).unwrap();
    assert_eq!(stored, second_renewal);
}

#[test]
fn a_certificate_that_is_newer_than_a_restored_store_becomes_the_newest() {
    let restored = NodeCertificates::renewed(record(1), record(2));
    let shown = record(5);
    let known = restored.shown(shown).unwrap();
    assert_eq!(known, NodeCertificates::first(shown));
    assert_eq!(known.shown(record(2)), Err(StaleCertificate { shown: Serial(2) }));
}

struct ExpiredNode {
    authority: Authority,
    key: KeyPair,
    der: CertificateDer<'static>,
    known: NodeCertificates,
}

fn expired() -> ExpiredNode {
    let (authority, key) = (authority(), KeyPair::generate().unwrap());
    let issued = authority.issue(&node("acme", "app1"), &request_of(&key), terms()).unwrap();
    let known = NodeCertificates::first(issued.record);
    ExpiredNode { authority, key, der: der(&issued), known }
}

#[test]
fn an_expired_certificate_is_replaced_for_the_same_key_within_the_window() {
    let expired = expired();
    let claim = recover(&expired.authority, &expired.der).unwrap();
    assert_eq!(claim.peer().identity, node("acme", "app1"));
    let window = RECOVERY_WINDOW_MS_DEFAULT;
    let check = |request: &CertificateRequest, days| {
        let now = NOW.plus_ms(days * DAY_MS);
        claim.check(expired.known, request, now, window).map(|known| known == expired.known)
    };
    assert_eq!(check(&request_of(&expired.key), 2), Ok(true));
    assert_eq!(check(&request_of(&expired.key), 31), Ok(true));
    assert_eq!(check(&request_of(&expired.key), 32), Err(RecoveryRefused::TooLate));
    assert_eq!(check(&request(), 2), Err(RecoveryRefused::OtherKey));
}

#[test]
fn an_expired_certificate_that_is_stale_or_foreign_is_not_replaced() {
    let expired = expired();
    let claim = recover(&expired.authority, &expired.der).unwrap();
    let newer = NodeCertificates::first(record(u128::MAX));
    let refused = claim.check(newer, &request_of(&expired.key), NOW, DAY_MS);
    assert_eq!(refused, Err(RecoveryRefused::Stale));
    assert_eq!(recover(&authority(), &expired.der), Err(RecoveryRefused::Foreign));
    let operator = Identity::Operator("maria".parse().unwrap());
    let operators = expired.authority.issue_with_key(&operator, terms()).unwrap().issued;
    assert_eq!(recover(&expired.authority, &der(&operators)), Err(RecoveryRefused::Foreign));
}

#[test]
fn an_expired_certificate_that_a_restored_store_does_not_know_is_replaced() {
    let expired = expired();
    let claim = recover(&expired.authority, &expired.der).unwrap();
    let restored = NodeCertificates::first(record(1));
    let checked = claim.check(restored, &request_of(&expired.key), NOW, DAY_MS);
    assert_eq!(checked, Ok(expired.known));
}

#[tokio::test]
async fn a_revoked_node_is_refused_until_it_joins_again() {
    let (authority, revoked) = (authority(), Revoked::default());
    let peer = |after| {
        let terms = Terms { after, ..terms() };
        let issued = authority.issue(&node("acme", "app1"), &request(), terms).unwrap();
        Peer::from_certificate(&der(&issued)).unwrap()
    };
    let (old, current) = (peer(None), peer(None));
    let line = old.serial.max(current.serial);
    let mut woken = revoked.subscribe();
    revoked.revoke(node("acme", "app1"), line);
    assert!(woken.has_changed().unwrap());
    woken.mark_unchanged();
    assert!(revoked.covers(&old) && revoked.covers(&current));
    assert!(!revoked.covers(&peer(Some(line))), "the node joined again");
    revoked.revoke(node("acme", "app1"), Serial(1));
    assert!(revoked.covers(&current), "an entry never moves to a lower number");
    assert!(!woken.has_changed().unwrap());
    revoked.replace(HashMap::new());
    assert!(!revoked.covers(&current));
}
