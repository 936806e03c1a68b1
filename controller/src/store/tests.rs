//! Runs the contract tests on every store.

use super::contract;

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::contract::$name(&crate::store::Memory::new()).await;
            })*
        }
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                let store = super::new_embedded(dir.path()).await;
                super::contract::$name(&store).await;
                store.close().await;
                let left = std::fs::read_dir(dir.path().join("blobs")).unwrap().count();
                assert_eq!(left, 0, "sled never syncs the files in this folder");
            })*
        }
    };
}

contract!(
    a_new_store_is_empty,
    a_value_is_read_with_the_version_of_its_commit,
    a_deleted_key_is_gone_and_its_version_is_never_reused,
    a_list_returns_exactly_the_keys_with_the_prefix_in_order,
    a_failing_condition_is_a_conflict_that_names_the_key,
    a_commit_with_one_failing_condition_changes_nothing,
    all_writes_of_a_commit_have_one_version,
    an_empty_commit_changes_nothing,
    a_value_of_the_greatest_size_is_stored_completely,
    a_commit_over_a_limit_is_refused_and_changes_nothing,
    of_concurrent_commits_with_one_condition_exactly_one_succeeds,
    a_commit_nudges_only_waiters_on_its_prefix,
    nudges_without_a_waiter_are_kept_and_merged,
);

async fn new_embedded(dir: &std::path::Path) -> super::Embedded {
    super::embedded::create(dir, "test-cluster").unwrap();
    super::Embedded::open(dir, super::embedded::Options::default()).await.unwrap()
}
