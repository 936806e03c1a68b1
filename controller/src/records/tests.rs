//! Tests of typed records over a store.

use oml_common::document::Verbatim;
use oml_common::id::RevisionNumber;

use super::values::Head;
use super::*;
use crate::store::Memory;

fn records() -> (Arc<dyn Store>, Records) {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    (Arc::clone(&store), Records::new(store))
}

fn head(current: u64) -> Head {
    Head { current: RevisionNumber(current), last: RevisionNumber(current), good: None }
}

#[tokio::test]
async fn a_committed_record_is_read_and_listed_with_the_rest_of_its_key() {
    let (_, records) = records();
    let (acme, beta) = ("acme".parse().unwrap(), "beta".parse().unwrap());
    let batch = Batch::default().put(&keys::head(&acme), Expect::Absent, &head(1)).put(
        &keys::head(&beta),
        Expect::Absent,
        &head(2),
    );
    records.commit(batch).await.unwrap();
    let read = records.get(&keys::head(&acme)).await.unwrap().unwrap();
    assert_eq!(read.value, head(1));
    let listed = records.list(&keys::heads()).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|(rest, e)| (rest.as_str(), e.value)).collect();
    assert_eq!(listed, [("acme", head(1)), ("beta", head(2))]);
    assert!(records.get(&keys::rollout(&acme)).await.unwrap().is_none());
    assert_eq!(records.commits(), CommitCounts { successful: 1, refused: 0 });
}

#[tokio::test]
async fn a_value_is_decoded_once_per_version() {
    let (_, records) = records();
    let key = keys::head(&"acme".parse().unwrap());
    records.commit(Batch::default().put(&key, Expect::Absent, &head(1))).await.unwrap();
    let first = records.get_cached(&key).await.unwrap().unwrap();
    let second = records.get_cached(&key).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first.value, &second.value));
    let version = Expect::Version(first.version);
    records.commit(Batch::default().put(&key, version, &head(2))).await.unwrap();
    let third = records.get_cached(&key).await.unwrap().unwrap();
    assert_eq!((*third.value, *first.value), (head(2), head(1)));
    let stale = Batch::default().put(&key, version, &head(3));
    assert!(records.commit(stale).await.unwrap_err().is_conflict());
    assert_eq!(records.commits(), CommitCounts { successful: 2, refused: 1 });
}

#[tokio::test]
async fn a_value_that_cannot_be_decoded_is_damaged_and_the_key_is_named() {
    let (store, records) = records();
    let key = keys::head(&"acme".parse().unwrap());
    store.commit(vec![Write::put("heads/acme", Expect::Absent, &b"{}"[..])]).await.unwrap();
    for error in [
        records.get(&key).await.unwrap_err(),
        records.get_cached(&key).await.unwrap_err(),
        records.list(&keys::heads()).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("heads/acme"), "{error}");
    }
}

#[tokio::test]
async fn revisions_are_listed_in_the_order_of_their_numbers() {
    let tenant = "acme".parse().unwrap();
    let keys: Vec<String> = [9, 10, 100]
        .into_iter()
        .map(|number| keys::revision(&tenant, RevisionNumber(number)).text)
        .collect();
    assert!(keys.is_sorted());
}

#[tokio::test]
async fn a_value_is_stored_in_the_bytes_that_it_was_given_in() {
    let (store, records) = records();
    let text = document::write(&head(1)).replace('}', ",\"of_a_later_release\":true}");
    let given = Verbatim::<Head>::read(&text).unwrap();
    let key = keys::head(&"acme".parse().unwrap());
    let batch = Batch::default().put_verbatim(&key, Expect::Absent, &given);
    records.commit(batch).await.unwrap();
    let stored = store.get(&"heads/acme".into()).await.unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&stored.value).unwrap(), text);
}
