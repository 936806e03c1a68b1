//! The contract of every store as tests. Each function is one test, run on each store.

use std::future::Future;
use std::time::Duration;

use super::{
    COMMIT_WRITES_MAX, Commit, Expect, KEY_SIZE_BYTES_MAX, RawKey, Store, StoreError,
    VALUE_SIZE_BYTES_MAX, Versioned, Write,
};

async fn put(
    store: &dyn Store,
    key: &str,
    expect: Expect,
    value: &[u8],
) -> Result<u64, StoreError> {
    let write = Write::put(key, expect, value.to_vec());
    store.commit(vec![write]).await.map(|commit| commit.version)
}

async fn get(store: &dyn Store, key: &str) -> Option<(u64, Vec<u8>)> {
    let found = store.get(&key.into()).await.unwrap();
    found.map(|Versioned { version, value }| (version, value.to_vec()))
}

async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
    let found = store.list(prefix).await.unwrap();
    found.into_iter().map(|(key, _)| key.to_string()).collect()
}

async fn is_soon<T>(future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_secs(5), future).await.is_ok()
}

pub(super) async fn a_new_store_is_empty(store: &dyn Store) {
    assert_eq!(get(store, "a").await, None);
    assert!(keys(store, "").await.is_empty());
}

pub(super) async fn a_value_is_read_with_the_version_of_its_commit(store: &dyn Store) {
    let version = put(store, "a/b", Expect::Any, b"one").await.unwrap();
    assert_eq!(get(store, "a/b").await, Some((version, b"one".to_vec())));
    assert_eq!(get(store, "a").await, None);
    let later = put(store, "a/b", Expect::Any, b"").await.unwrap();
    assert!(later > version);
    assert_eq!(get(store, "a/b").await, Some((later, Vec::new())));
}

pub(super) async fn a_deleted_key_is_gone_and_its_version_is_never_reused(store: &dyn Store) {
    let first = put(store, "a", Expect::Any, b"1").await.unwrap();
    store.commit(vec![Write::delete("a", Expect::Version(first))]).await.unwrap();
    assert_eq!(get(store, "a").await, None);
    store.commit(vec![Write::delete("a", Expect::Any)]).await.unwrap();
    let second = put(store, "a", Expect::Absent, b"1").await.unwrap();
    assert!(second > first + 1);
    assert!(put(store, "a", Expect::Version(first), b"2").await.unwrap_err().is_conflict());
}

pub(super) async fn a_list_returns_exactly_the_keys_with_the_prefix_in_order(store: &dyn Store) {
    for key in ["b/2", "b/10", "b", "bb", "a/1", "c", "b/1"] {
        put(store, key, Expect::Absent, key.as_bytes()).await.unwrap();
    }
    assert_eq!(keys(store, "b/").await, ["b/1", "b/10", "b/2"]);
    assert_eq!(keys(store, "b").await, ["b", "b/1", "b/10", "b/2", "bb"]);
    assert_eq!(keys(store, "").await.len(), 7);
    assert!(keys(store, "d").await.is_empty());
}

pub(super) async fn a_failing_condition_is_a_conflict_that_names_the_key(store: &dyn Store) {
    let version = put(store, "a", Expect::Absent, b"1").await.unwrap();
    for (key, expect) in [
        ("a", Expect::Absent),
        ("a", Expect::Version(version + 1)),
        ("missing", Expect::Version(version)),
    ] {
        let error = put(store, key, expect, b"2").await.unwrap_err();
        assert!(error.is_conflict() && !error.is_transient());
        assert!(matches!(error, StoreError::Conflict { key: named } if named == RawKey::from(key)));
    }
    assert_eq!(get(store, "a").await, Some((version, b"1".to_vec())));
    put(store, "a", Expect::Version(version), b"2").await.unwrap();
}

pub(super) async fn a_commit_with_one_failing_condition_changes_nothing(store: &dyn Store) {
    let version = put(store, "a", Expect::Any, b"1").await.unwrap();
    let writes = vec![
        Write::put("a", Expect::Version(version), &b"2"[..]),
        Write::put("b", Expect::Absent, &b"2"[..]),
        Write::delete("c", Expect::Version(9)),
    ];
    assert!(store.commit(writes).await.unwrap_err().is_conflict());
    assert_eq!(get(store, "a").await, Some((version, b"1".to_vec())));
    assert_eq!(get(store, "b").await, None);
    let next = put(store, "b", Expect::Any, b"3").await.unwrap();
    assert_eq!(next, version + 1, "a refused commit takes no number");
}

pub(super) async fn all_writes_of_a_commit_have_one_version(store: &dyn Store) {
    let writes = (0..COMMIT_WRITES_MAX)
        .map(|n| Write::put(format!("k/{n:02}"), Expect::Absent, n.to_string().into_bytes()));
    let Commit { version } = store.commit(writes.collect()).await.unwrap();
    let found = store.list("k/").await.unwrap();
    assert_eq!(found.len(), COMMIT_WRITES_MAX);
    assert!(found.iter().all(|(_, value)| value.version == version));
}

pub(super) async fn an_empty_commit_changes_nothing(store: &dyn Store) {
    let version = put(store, "a", Expect::Any, b"1").await.unwrap();
    assert_eq!(store.commit(Vec::new()).await.unwrap(), Commit { version });
    assert_eq!(put(store, "a", Expect::Any, b"2").await.unwrap(), version + 1);
}

pub(super) async fn a_value_of_the_greatest_size_is_stored_completely(store: &dyn Store) {
    for size in [0, 1, 4095, 4096, 4097, 8192, 12_289, VALUE_SIZE_BYTES_MAX, 5, 70_000] {
        let value: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let version = put(store, "big", Expect::Any, &value).await.unwrap();
        assert_eq!(get(store, "big").await, Some((version, value)), "size {size}");
    }
    assert_eq!(keys(store, "").await, ["big"]);
}

pub(super) async fn a_commit_over_a_limit_is_refused_and_changes_nothing(store: &dyn Store) {
    let value = |size| vec![0_u8; size];
    let half = VALUE_SIZE_BYTES_MAX / 2;
    let refused = [
        vec![Write::put("a", Expect::Any, value(VALUE_SIZE_BYTES_MAX + 1))],
        vec![
            Write::put("a", Expect::Any, value(half)),
            Write::put("b", Expect::Any, value(half + 1)),
        ],
        (0..=COMMIT_WRITES_MAX).map(|n| Write::put(n.to_string(), Expect::Any, value(1))).collect(),
        vec![Write::put("", Expect::Any, value(1))],
        vec![Write::put("a b", Expect::Any, value(1))],
        vec![Write::put("a\n", Expect::Any, value(1))],
        vec![Write::put("ä", Expect::Any, value(1))],
        vec![Write::put("k".repeat(KEY_SIZE_BYTES_MAX + 1), Expect::Any, value(1))],
        vec![Write::put("a", Expect::Any, value(1)), Write::delete("a", Expect::Any)],
    ];
    for writes in refused {
        let error = store.commit(writes).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error}");
        assert!(!error.is_transient() && !error.is_conflict());
    }
    assert!(keys(store, "").await.is_empty());
    put(store, &"k".repeat(KEY_SIZE_BYTES_MAX), Expect::Any, b"1").await.unwrap();
}

pub(super) async fn of_concurrent_commits_with_one_condition_exactly_one_succeeds(
    store: &dyn Store,
) {
    let start = put(store, "counter", Expect::Any, b"0").await.unwrap();
    let racers = (0..16)
        .map(|n: u8| async move { put(store, "counter", Expect::Version(start), &[n]).await });
    let mut won = 0;
    for outcome in futures_util::future::join_all(racers).await {
        match outcome {
            Ok(_version) => won += 1,
            Err(error) => assert!(error.is_conflict(), "{error}"),
        }
    }
    assert_eq!(won, 1);
}

pub(super) async fn a_commit_nudges_only_waiters_on_its_prefix(store: &dyn Store) {
    let (mut tenants, mut nodes) = (store.changed("tenants/"), store.changed("nodes/"));
    put(store, "tenants/acme", Expect::Any, b"1").await.unwrap();
    assert!(is_soon(tenants.next()).await);
    put(store, "tenants/acme", Expect::Any, b"2").await.unwrap();
    put(store, "nodes/a", Expect::Any, b"1").await.unwrap();
    assert!(is_soon(nodes.next()).await);
    assert!(is_soon(tenants.next()).await);
    assert!(put(store, "nodes/a", Expect::Absent, b"1").await.is_err());
    let quiet = tokio::time::timeout(Duration::from_millis(20), nodes.next()).await;
    assert!(quiet.is_err(), "a refused commit must not nudge");
}

pub(super) async fn nudges_without_a_waiter_are_kept_and_merged(store: &dyn Store) {
    let mut changes = store.changed("");
    for n in 0..5_u8 {
        put(store, "a", Expect::Any, &[n]).await.unwrap();
    }
    assert!(is_soon(changes.next()).await);
    let second = tokio::time::timeout(Duration::from_millis(20), changes.next()).await;
    assert!(second.is_err());
}
