//! The life of a tenant, change by change.

use crate::fleet::Fleet;
use crate::world::{Kept, SPEC, apply, set_version, until_rollout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_installed_wave_by_wave() {
    for kept in [Kept::InMemory, Kept::OnDisk] {
        let mut fleet = Fleet::start(kept).await;
        let reply = apply(&mut fleet.operator, SPEC).await.unwrap();
        assert!(reply.changed);
        assert_eq!((reply.revision, reply.changes.len()), (1, 6));
        let status = until_rollout(&mut fleet.operator, 1, "completed").await;
        assert_eq!(status.revision, 1);
        let nodes: Vec<String> = fleet.done().into_iter().map(|(node, ..)| node).collect();
        assert_eq!(
            nodes,
            ["acme-data", "acme-data", "acme-voice", "acme-voice", "acme-app", "acme-app"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_touches_one_component_and_the_same_again_nothing() {
    let mut fleet = Fleet::installed(Kept::InMemory).await;
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.changes.len()), (2, true, 1));
    until_rollout(&mut fleet.operator, 2, "completed").await;
    assert_eq!(fleet.done(), [("acme-voice".into(), "voice".into(), "2".into())]);
    let reply = set_version(&mut fleet.operator, "voice", "2", "").await.unwrap();
    assert_eq!((reply.revision, reply.changed, reply.changes.len()), (2, false, 0));
    assert!(fleet.done().is_empty());
}
