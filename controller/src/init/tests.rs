//! Tests of a new controller, its operators, its backup and the restore.

use oml_daemon::env::{Env, Random};
use oml_daemon::tls::{Credentials, Identity, Peer, certificate};

use super::*;
use crate::backup::{backup, read_backup, restore};
use crate::pki::Terms;
use crate::records::keys;
use crate::records::values::Epoch;
use crate::registry::Reach;
use crate::store::embedded::Options;
use crate::store::{Embedded, Store as _};

fn settings(dir: &Path) -> Settings {
    Settings {
        listen: "0.0.0.0:7443".parse().unwrap(),
        enrollment_listen: "0.0.0.0:7444".parse().unwrap(),
        web_listen: None,
        data_dir: dir.to_owned(),
        catalog_dir: dir.to_owned(),
        node_lifetime_ms: 1,
        log: String::new(),
        reach: Reach::default(),
        acme_authorities: Vec::new(),
        credentials_dir: None,
    }
}

fn endpoint(host: &str) -> PublicEndpoint {
    PublicEndpoint { name: "controller".into(), host: host.into(), addresses: Vec::new() }
}

async fn made(dir: &Path) -> (Settings, Bundle) {
    let settings = settings(dir);
    let bundle = init(&settings, &Env::system(), endpoint("10.0.0.1"), &"maria".parse().unwrap())
        .await
        .unwrap();
    (settings, bundle)
}

#[tokio::test]
async fn the_first_operators_bundle_is_enough_to_connect() {
    let dir = tempfile::tempdir().unwrap();
    let (_, bundle) = made(dir.path()).await;
    assert_eq!(bundle.endpoint, "10.0.0.1:7443");
    let own = certificate(&bundle.certificate_pem, "test").unwrap();
    let peer = Peer::from_certificate(&own).unwrap();
    assert_eq!(peer.identity.to_string(), "oml://operator/maria");
    let (ca_pem, certificate_pem, key_pem) =
        (bundle.ca_pem.clone(), bundle.certificate_pem.clone(), bundle.key_pem.clone());
    Credentials { ca_pem, certificate_pem, key_pem }.check().unwrap();
    let text = toml::to_string(&bundle).unwrap();
    let read: toml::Table = text.parse().unwrap();
    let keys: Vec<&String> = read.keys().collect();
    assert_eq!(keys, ["ca_pem", "certificate_pem", "endpoint", "key_pem", "name", "version"]);
}

#[test]
fn a_bundle_is_written_in_the_bytes_that_are_pinned_and_read_with_and_without_a_version() {
    let pinned = include_str!("../../../common/src/document/v1/fixtures/bundle.toml");
    let hash = oml_common::id::ContentHash::of(pinned.as_bytes());
    assert_eq!(hash.as_str(), "c9fb15a7492583797be51cc7d56667ce78d5bdcc169e9a3920c4be3709462726");
    let earlier = include_str!("../../../common/src/document/v1/fixtures/0.1.0/bundle.toml");
    for text in [pinned, earlier] {
        let bundle: Bundle = toml::from_str(text).unwrap();
        assert_eq!(text_of(&bundle), pinned);
    }
    let later = toml::from_str::<Bundle>("version = 2\nsealed = true\n").unwrap_err();
    assert_eq!(
        later.message(),
        "it has version 2, and this release reads version 1; install a newer omlctl"
    );
    let none = toml::from_str::<Bundle>("version = 0\n").unwrap_err();
    assert_eq!(none.message(), "it has version 0, which no release writes");
}

#[tokio::test]
async fn an_existing_controller_is_never_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, _) = made(dir.path()).await;
    let key = std::fs::read(settings.pki_dir().join("ca.key")).unwrap();
    let again =
        init(&settings, &Env::system(), endpoint("10.0.0.1"), &"eve".parse().unwrap()).await;
    assert!(matches!(again, Err(InitError::Exists { .. })));
    assert_eq!(std::fs::read(settings.pki_dir().join("ca.key")).unwrap(), key);
}

#[tokio::test]
async fn an_invalid_host_name_makes_no_controller() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let refused =
        init(&settings, &Env::system(), endpoint("not a host"), &"maria".parse().unwrap()).await;
    assert!(matches!(refused, Err(InitError::Mistake(_))));
    assert!(!settings.pki_dir().exists());
}

#[tokio::test]
async fn adding_an_operator_needs_a_stopped_controller() {
    let dir = tempfile::tempdir().unwrap();
    let joe = "joe".parse().unwrap();
    let missing = add_operator(&settings(dir.path()), &Env::system(), &joe).await;
    assert!(matches!(missing, Err(InitError::Missing { .. })));
    let (settings, first) = made(dir.path()).await;
    let bundle = add_operator(&settings, &Env::system(), &joe).await.unwrap();
    assert_eq!((&bundle.endpoint, &bundle.ca_pem), (&first.endpoint, &first.ca_pem));
    let runs = Embedded::open(&settings.store_dir(), Options::default()).await.unwrap();
    assert!(matches!(
        add_operator(&settings, &Env::system(), &joe).await,
        Err(InitError::Offline(OfflineError::Running))
    ));
    let audit = runs.list("audit/").await.unwrap();
    assert_eq!(audit.len(), 2, "a refused call must not write to the audit trail");
}

/// Removes an operator, and returns the mistake, if it is one.
async fn remove(settings: &Settings, name: &OperatorName, unrecorded: Unrecorded) -> String {
    match remove_operator(settings, &Env::system(), name, unrecorded).await {
        Ok(()) => String::new(),
        Err(InitError::Mistake(problem)) => problem.to_string(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_removed_operator_can_be_added_again_with_a_valid_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, bundle) = made(dir.path()).await;
    let maria: OperatorName = "maria".parse().unwrap();
    let serial = |bundle: &Bundle| {
        let own = certificate(&bundle.certificate_pem, "test").unwrap();
        Peer::from_certificate(&own).unwrap().serial
    };
    assert_eq!(remove(&settings, &maria, Unrecorded::Refuse).await, "");
    let message = remove(&settings, &maria, Unrecorded::Refuse).await;
    assert!(message.contains("there is no operator maria on record"), "{message}");
    let again = add_operator(&settings, &Env::system(), &maria).await.unwrap();
    let records = Records::new(offline::open_store(&settings).await.unwrap() as _);
    let kept = records.get(&keys::operator(&maria)).await.unwrap().unwrap().value;
    assert!(kept.revoked >= Some(serial(&bundle)) && kept.revoked < Some(serial(&again)));
    assert_eq!((kept.newest, kept.removed), (serial(&again), None));
}

#[tokio::test]
async fn an_operator_without_a_record_is_a_mistake_until_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, _) = made(dir.path()).await;
    let mario: OperatorName = "mario".parse().unwrap();
    let store = offline::open_store(&settings).await.unwrap();
    let authority = Authority::load(&settings.pki_dir(), &Random::system()).unwrap();
    let terms = Terms { now: Env::system().now(), lifetime_ms: 3_600_000, epoch: 1, after: None };
    let own = authority.issue_with_key(&Identity::Operator(mario.clone()), terms).unwrap();
    let unrecorded = own.issued.record.serial;
    offline::close_store(store).await;
    let message = remove(&settings, &mario, Unrecorded::Refuse).await;
    assert!(message.contains("no operator mario on record, and nothing was changed"), "{message}");
    assert!(message.contains("did you mean maria?"), "{message}");
    assert_eq!(remove(&settings, &mario, Unrecorded::Revoke).await, "");
    let records = Records::new(offline::open_store(&settings).await.unwrap() as _);
    let kept = records.get(&keys::operator(&mario)).await.unwrap().unwrap().value;
    assert!(kept.revoked >= Some(unrecorded) && kept.removed.is_some());
}

#[tokio::test]
async fn a_restored_controller_has_all_records_and_a_higher_epoch() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (settings, _) = made(dir.path()).await;
    let path = other.path().join("backup");
    let saved =
        backup(&settings, &Env::system(), &mut std::fs::File::create(&path).unwrap(), &path)
            .await
            .unwrap();
    assert_eq!((saved.records, saved.epoch), (4, 1));
    let again = restore(&settings, &Env::system(), read_backup(&path).unwrap()).await;
    assert!(matches!(again, Err(crate::backup::BackupError::Exists { .. })));
    let elsewhere = Settings { data_dir: other.path().join("new"), ..settings.clone() };
    let restored = restore(&elsewhere, &Env::system(), read_backup(&path).unwrap()).await.unwrap();
    assert!(restored.epoch > saved.epoch);
    let store = Embedded::open(&elsewhere.store_dir(), Options::default()).await.unwrap();
    let records = Records::new(std::sync::Arc::new(store));
    assert_eq!(
        records.get(&keys::epoch()).await.unwrap().unwrap().value,
        Epoch { epoch: restored.epoch }
    );
    assert_eq!(
        records.get(&keys::public_endpoint()).await.unwrap().unwrap().value,
        endpoint("10.0.0.1")
    );
    let key = |settings: &Settings| std::fs::read(settings.pki_dir().join("ca.key")).unwrap();
    assert_eq!(key(&settings), key(&elsewhere));
}

#[tokio::test]
async fn a_backup_that_is_cut_short_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, _) = made(dir.path()).await;
    let path = dir.path().join("backup");
    backup(&settings, &Env::system(), &mut std::fs::File::create(&path).unwrap(), &path)
        .await
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len() - 1).step_by(97) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(read_backup(&path).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[tokio::test]
async fn a_controller_that_could_not_be_made_completely_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    // A folder that must not exist yet is in the way of the store.
    let store = settings.store_dir();
    std::os::unix::fs::symlink("nowhere/at/all", &store).unwrap();
    let maria = "maria".parse().unwrap();
    let env = Env::system();
    assert!(init(&settings, &env, endpoint("10.0.0.1"), &maria).await.is_err());
    assert!(!settings.pki_dir().exists());
    std::fs::remove_file(&store).unwrap_or_default();
    init(&settings, &env, endpoint("10.0.0.1"), &maria).await.unwrap();
}
