//! Tests of tags, which name the same image in every revision of a tenant.

use std::sync::atomic::Ordering;

use oml_proto::v1::RolloutState;
use omlcontroller::store::{Expect, Write};

use crate::fleet::Fleet;
use crate::world::{StoreKind, set_version, until_rollout};

/// Returns the digest of the image that runs once the revision's rollout is completed.
async fn running(fleet: &mut Fleet, revision: u64) -> String {
    let status = until_rollout(&mut fleet.operator, revision, RolloutState::Completed).await;
    let nodes = status.nodes.iter().filter_map(|node| node.report.as_ref());
    let mut instances = nodes.flat_map(|report| &report.instances);
    let voice = instances.find_map(|(name, it)| (name == "voice").then(|| it.digest.clone()));
    voice.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_ran_before_is_the_same_image_though_its_tag_was_moved() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let first = running(&mut fleet, 1).await;
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    let second = running(&mut fleet, 2).await;
    fleet.world.registry.state.moves.fetch_add(1, Ordering::SeqCst);
    set_version(&mut fleet.operator, "voice", "1", "").await.unwrap();
    assert_eq!(running(&mut fleet, 3).await, first);
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!(running(&mut fleet, 4).await, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_revision_that_is_damaged_stops_no_change() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let first = running(&mut fleet, 1).await;
    set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    running(&mut fleet, 2).await;
    let poison = Write::put("revisions/acme/0000000001", Expect::Any, &b"{\"poison\":1}"[..]);
    fleet.world.store.commit(vec![poison]).await.unwrap();
    // Its digests are lost, so the registry is asked what the tag names now.
    fleet.world.registry.state.moves.fetch_add(1, Ordering::SeqCst);
    set_version(&mut fleet.operator, "voice", "1", "").await.unwrap();
    assert_ne!(running(&mut fleet, 3).await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_behind_a_tag_is_what_runs_and_is_recorded_for_the_tag() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let digest = format!("sha256:{}", "b".repeat(64));
    let pinned = format!("2@{digest}");
    set_version(&mut fleet.operator, "voice", &pinned, "").await.unwrap();
    assert_eq!(running(&mut fleet, 2).await, digest);
    set_version(&mut fleet.operator, "voice", "1", "").await.unwrap();
    assert_ne!(running(&mut fleet, 3).await, digest);
    // From here on, nothing is asked: the plan of revision 2 has it.
    fleet.world.registry.state.is_broken.store(true, Ordering::SeqCst);
    for (version, revision) in [("2", 4), (digest.as_str(), 5), (pinned.as_str(), 6)] {
        set_version(&mut fleet.operator, "voice", version, "").await.unwrap();
        assert_eq!(running(&mut fleet, revision).await, digest, "{version}");
    }
    for wrong in ["2@sha256:12", "2@", "sha256:B"] {
        let refused = set_version(&mut fleet.operator, "voice", wrong, "").await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{wrong}: {refused}");
    }
}
