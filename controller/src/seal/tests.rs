//! What a key seals, only that key opens, and only in its place.

use oml_common::time::Timestamp;

use super::*;

fn key(random: &Random) -> SealingKey {
    SealingKey::parse(&new_key(random).unwrap()).unwrap()
}

fn value(text: &str) -> SecretText {
    SecretText::read(Zeroizing::new(text.to_owned())).unwrap()
}

fn seal(key: &SealingKey, place: SecretPlace<'_>, text: &str) -> SealedVersion {
    let Sealed { mark, key, text } = key.seal(place, &value(text), &Random::system()).unwrap();
    let (at, who) = (Timestamp(1), "maria".to_owned());
    SealedVersion { mark, at, who, key, sealed: text, has_lines: false, certificate: None }
}

#[test]
fn a_value_is_opened_by_its_key_in_its_place_only() {
    let key = key(&Random::system());
    let [acme, other] = ["acme", "other"].map(|name| name.parse::<TenantId>().unwrap());
    let [postgres, redis] = ["postgres", "redis"].map(|name| name.parse().unwrap());
    let place = SecretPlace { tenant: &acme, name: &postgres, version: 2 };
    for text in ["correct horse", "-----BEGIN KEY-----\nabc\n", "ü"] {
        let sealed = seal(&key, place, text);
        assert_eq!(key.open(place, &sealed).unwrap().reveal(), text);
        assert!(!document_of(&sealed).contains("horse"), "{sealed:?}");
        for moved in [
            SecretPlace { tenant: &other, ..place },
            SecretPlace { name: &redis, ..place },
            SecretPlace { version: 1, ..place },
        ] {
            assert!(matches!(key.open(moved, &sealed), Err(UnsealError::Damaged)), "{moved:?}");
        }
    }
}

fn document_of(sealed: &SealedVersion) -> String {
    let versions = [(1, sealed.clone())].into();
    oml_common::document::write(&oml_common::document::secret::SecretRecord { last: 1, versions })
}

#[test]
fn a_changed_record_is_damaged_and_another_key_is_named() {
    let (own, foreign) = (key(&Random::system()), key(&Random::system()));
    let (tenant, name) = ("acme".parse().unwrap(), "postgres".parse().unwrap());
    let place = SecretPlace { tenant: &tenant, name: &name, version: 1 };
    let sealed = seal(&own, place, "s3cret");
    let error = foreign.open(place, &sealed).unwrap_err().to_string();
    assert!(error.contains(&own.id) && error.contains(&foreign.id), "{error}");
    let bytes = STANDARD.decode(&sealed.sealed).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let changed = SealedVersion { sealed: STANDARD.encode(changed), ..sealed.clone() };
        assert!(matches!(own.open(place, &changed), Err(UnsealError::Damaged)), "byte {at}");
    }
    for text in ["", "####", "AAAA"] {
        let cut = SealedVersion { sealed: text.to_owned(), ..sealed.clone() };
        assert!(matches!(own.open(place, &cut), Err(UnsealError::Damaged)), "{text:?}");
    }
}

#[test]
fn two_versions_with_the_same_value_have_nothing_in_common() {
    let key = key(&Random::system());
    let (tenant, name) = ("acme".parse().unwrap(), "postgres".parse().unwrap());
    let place = SecretPlace { tenant: &tenant, name: &name, version: 1 };
    let (first, second) = (seal(&key, place, "same"), seal(&key, place, "same"));
    assert_ne!(first.mark, second.mark);
    assert_ne!(first.sealed[..16], second.sealed[..16]);
}

#[test]
fn the_hash_of_a_request_follows_from_value_and_key() {
    let [own, foreign] = [(), ()].map(|()| key(&Random::system()));
    assert_eq!(own.request_hash("s3cret"), own.request_hash("s3cret"));
    assert_ne!(own.request_hash("s3cret"), own.request_hash("s3cret2"));
    assert_ne!(own.request_hash("s3cret"), foreign.request_hash("s3cret"));
    assert_eq!(own.request_hash("s3cret").len(), 64);
}

#[test]
fn a_key_is_read_from_its_credential_else_from_the_folder_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [credentials, data] = ["credentials", "data"].map(|name| folder.path().join(name));
    for dir in [&credentials, &data] {
        std::fs::create_dir(dir).unwrap();
    }
    let load = || SealingKey::load(Some(&credentials), &data).map(|key| key.id);
    let file = data.join(KEY_FILE);
    assert_eq!(load().unwrap_err(), NoKey::Missing { path: file.clone() });
    let [first, second] = [(), ()].map(|()| new_key(&Random::system()).unwrap());
    let id = |text: &str| SealingKey::parse(text).unwrap().id;
    std::fs::write(&file, &*first).unwrap();
    assert_eq!(load().unwrap(), id(&first));
    std::fs::write(credentials.join(KEY_FILE), &*second).unwrap();
    assert_eq!(load().unwrap(), id(&second));
    std::fs::write(credentials.join(KEY_FILE), "none").unwrap();
    assert_eq!(load().unwrap_err(), NoKey::Missing { path: file.clone() });
    for text in ["", "omlk1.", "omlk1.AAAA", "omlk2.AAAA"] {
        std::fs::remove_file(credentials.join(KEY_FILE)).ok();
        std::fs::write(&file, text).unwrap();
        assert_eq!(load().unwrap_err(), NoKey::Invalid { path: file.clone() }, "{text:?}");
    }
}

#[test]
fn a_key_is_not_shown_for_debugging() {
    let text = new_key(&Random::system()).unwrap();
    let key = SealingKey::parse(&text).unwrap();
    let secret = text.trim_end().split('.').nth(1).unwrap().to_owned();
    assert!(!format!("{key:?}").contains(&secret));
}
