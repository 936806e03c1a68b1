//! Runs the contract on every store.

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
                assert_eq!(left, 0, "sled never syncs what it puts there");
            })*
        }
    };
}

contract!(
    a_new_store_is_empty,
    what_is_put_is_read_with_its_commits_number,
    a_deleted_key_is_gone_and_its_number_never_comes_back,
    a_list_holds_the_prefix_in_order_and_nothing_else,
    a_condition_that_fails_is_a_conflict_that_names_the_key,
    a_commit_with_one_failing_condition_changes_nothing,
    all_writes_of_a_commit_carry_one_number,
    an_empty_commit_changes_nothing,
    a_value_of_the_longest_size_is_kept_whole,
    what_is_over_a_limit_is_refused_and_changes_nothing,
    of_many_who_expect_the_same_exactly_one_wins,
    a_commit_nudges_those_who_wait_on_its_prefix_only,
    nudges_while_nobody_waits_are_kept_and_merged,
);

async fn new_embedded(dir: &std::path::Path) -> super::Embedded {
    super::embedded::create(dir, "test-cluster").unwrap();
    super::Embedded::open(dir, super::embedded::Options::default()).await.unwrap()
}
